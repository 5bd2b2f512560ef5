import type { Dialect } from '../mysqlFamily/dialect.js';
import type { Names } from '../mysqlFamily/catalog/catalog.js';
import { columnsThatLoseCharacters } from '../mysqlFamily/checks/columnsThatLoseCharacters.js';
import { listed } from '../mysqlFamily/checks/listed.js';
import { noTime, searchRows } from '../mysqlFamily/checks/searchRows.js';
import { quoteName } from '../mysqlFamily/privileges/grants.js';
import { refuseViolatedRules } from './refuseViolatedRules.js';
import { namesForbidBinary } from './mysqlDumpArguments.js';
import type { Session } from '../mysqlFamily/session/session.js';

/** The time limit for searching all JSON columns together. */
const budgetMs = 20_000;

/** What mysqldump leaves out or changes, in addition to the losses of MariaDB's tool. */
export const findMysqlLosses: Dialect['findOwnLosses'] = async (session, { databases, columns }, definitions) => {
  const names = databases.map(({ name }) => name);
  return [
    ...(await refuseViolatedRules(session, definitions)),
    ...(await changedJson(
      session,
      columns.filter(({ dataType }) => dataType === 'json'),
    )),
    ...(await readOnlyDatabases(session, names)),
    ...conversion(databases, columns),
  ];
};

type JsonColumn = { readonly database: string; readonly table: string; readonly name: string };

/**
 * A dump holds a JSON value as text. The text of a DECIMAL, a date or binary data inside it is read back as another type:
 * a double or a string. Values that came from JSON text have no such types.
 */
async function changedJson(session: Session, columns: readonly JsonColumn[]): Promise<readonly string[]> {
  const until = performance.now() + budgetMs;
  const lost: string[] = [];
  const unsure: string[] = [];
  for (const { database, table, name } of columns) {
    const column = quoteName(name);
    const again = `CAST(CAST(${column} AS CHAR) AS JSON)`;
    const select = `SELECT 1 AS found FROM ${quoteName(database)}.${quoteName(table)}
      WHERE JSON_STORAGE_SIZE(${column}) <> JSON_STORAGE_SIZE(${again}) OR ${column} <> ${again} LIMIT 1`;
    const found = performance.now() < until ? await searchRows(session, select) : noTime;
    const qualified = `${database}.${table}.${name}`;
    if (found === true) lost.push(qualified);
    if (typeof found === 'object') unsure.push(`${qualified} (${found.unknown})`);
  }
  return [
    ...listed(
      lost,
      'JSON values of these columns hold decimal numbers, dates or binary data, which a restore reads as other JSON types (their text stays the same)',
    ),
    ...listed(unsure, 'These JSON columns were not searched for values that a dump changes'),
  ];
}

function conversion(databases: Parameters<typeof namesForbidBinary>[0], columns: Names['columns']): readonly string[] {
  const because = namesForbidBinary(databases);
  if (because.length === 0) return [];
  return listed(
    columnsThatLoseCharacters(columns),
    `Because the name of ${because.join(', ')} is not in ASCII, text is dumped in utf8mb4. A restore changes characters that do not exist in utf8mb4 in these columns`,
  );
}

async function readOnlyDatabases(session: Session, databases: readonly string[]): Promise<readonly string[]> {
  const rows = await session.query(
    "SELECT schema_name AS name FROM information_schema.schemata_extensions WHERE schema_name IN (?) AND options LIKE '%READ ONLY=1%'",
    [databases],
  );
  return listed(
    rows.map(({ name }) => name ?? ''),
    'These databases are READ ONLY, and a restore creates them without this option',
  );
}
