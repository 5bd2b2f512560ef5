import { serverErrorNumber, type Row, type Session } from '../../mysqlFamily/session/session.js';
import { tableText, type TableRows } from './tableText.js';

/**
 * A server with fewer tables is asked with SHOW CREATE TABLE. It needs about 0.7 ms of the server's processor for each
 * table, because it opens the table. information_schema needs 0.2 ms.
 */
const defaultFewestTables = 1_000;

/** How many tables one statement reads. */
const sliceSize = 2_000;

/** The limit for the answer about one slice. */
const maxBytes = 256 * 1024 * 1024;

/**
 * The text of SHOW CREATE TABLE by the name of the table, made from information_schema. It has only the tables of which
 * information_schema shows everything (see `tableText`).
 */
export async function readTablesInBulk(
  session: Session,
  database: string,
  tables: readonly string[],
  fewestTables = defaultFewestTables,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  if (tables.length < fewestTables) return texts;
  for (let from = 0; from < tables.length; from += sliceSize) {
    const names = tables.slice(from, from + sliceSize);
    const rows = await readSlice(session, database, names);
    for (const [name, each] of rows) {
      const text = tableText(each);
      if (text !== undefined) texts.set(name, text);
    }
  }
  return texts;
}

async function readSlice(
  session: Session,
  database: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, TableRows>> {
  const ordinary = await inOrdinaryFiles(session, database, names);
  const unusual = new Set(await namesFrom(session, checksQuery, database, names));
  for (const name of await withAttributes(session, database, names)) unusual.add(name);
  const read = async (sql: string) => await rowsByTable(session, sql, database, names);
  const [tables, columns, indexes, foreignKeys] = [
    await read(tablesQuery),
    await read(columnsQuery),
    await read(indexesQuery),
    await read(foreignKeysQuery),
  ];
  const found = new Map<string, TableRows>();
  for (const [name, [table]] of tables) {
    if (table === undefined || unusual.has(name) || !ordinary.has(name)) continue;
    const of = (rows: ReadonlyMap<string, readonly Row[]>) => rows.get(name) ?? [];
    found.set(name, { table, columns: of(columns), indexes: of(indexes), foreignKeys: of(foreignKeys) });
  }
  return found;
}

const tablesQuery = `SELECT table_schema AS db, table_name AS name, engine AS engine, create_options AS options,
        table_comment AS comment
   FROM information_schema.tables WHERE table_schema = ? AND table_name IN (?)`;
const columnsQuery = `SELECT table_schema AS db, table_name AS of_table, column_name AS name, column_default AS value,
        is_nullable AS nullable, column_type AS type, extra AS extra, column_comment AS comment,
        generation_expression AS expression, srs_id AS srs
   FROM information_schema.columns WHERE table_schema = ? AND table_name IN (?) ORDER BY ordinal_position`;
const indexesQuery = `SELECT table_schema AS db, table_name AS of_table, index_name AS index_name, non_unique AS not_unique,
        column_name AS column_name, collation AS direction, sub_part AS prefix, index_type AS kind,
        index_comment AS comment, is_visible AS visible
   FROM information_schema.statistics WHERE table_schema = ? AND table_name IN (?) ORDER BY seq_in_index`;
const foreignKeysQuery = `SELECT k.table_schema AS db, k.table_name AS of_table, k.constraint_name AS constraint_name,
        k.column_name AS column_name, k.referenced_table_schema AS other_db, k.referenced_table_name AS other_table,
        k.referenced_column_name AS other_column, r.update_rule AS on_update, r.delete_rule AS on_delete
   FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
        ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name
  WHERE k.table_schema = ? AND k.table_name IN (?) ORDER BY k.ordinal_position`;
const checksQuery = `SELECT table_schema AS db, table_name AS name FROM information_schema.table_constraints
  WHERE table_schema = ? AND table_name IN (?) AND constraint_type = 'CHECK'`;
const attributes = ['tables_extensions', 'columns_extensions'].map(
  (view) => `SELECT table_schema AS db, table_name AS name FROM information_schema.${view}
     WHERE table_schema = ? AND table_name IN (?)
       AND (engine_attribute IS NOT NULL OR secondary_engine_attribute IS NOT NULL)`,
);

async function rowsByTable(
  session: Session,
  sql: string,
  database: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, readonly Row[]>> {
  const wanted = new Set(names);
  const found = new Map<string, Row[]>();
  const onRows = (rows: readonly Row[]) => {
    for (const row of rows) {
      const name = row['of_table'] ?? row['name'] ?? '';
      // information_schema ignores letter case, so rows of other tables are filtered out here.
      if (row['db'] !== database || !wanted.has(name)) continue;
      const others = found.get(name);
      if (others === undefined) found.set(name, [row]);
      else others.push(row);
    }
  };
  await session.query(sql, [database, names], { maxBytes, onRows });
  return found;
}

async function namesFrom(
  session: Session,
  sql: string,
  database: string,
  names: readonly string[],
): Promise<readonly string[]> {
  return [...(await rowsByTable(session, sql, database, names)).keys()];
}

/** Attributes of tables and columns for storage engines, which MySQL has since 8.0.21. */
async function withAttributes(
  session: Session,
  database: string,
  names: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const sql of attributes) {
    const some = await namesFrom(session, sql, database, names).catch((error: unknown): readonly string[] => {
      // 1109: the server has no such view.
      if (serverErrorNumber(error) !== 1109) throw error;
      return [];
    });
    found.push(...some);
  }
  return found;
}

/**
 * The tables whose rows lie in a file of their own in the folder of their database. Only this view and SHOW CREATE TABLE show
 * a general tablespace and a DATA DIRECTORY.
 */
async function inOrdinaryFiles(
  session: Session,
  database: string,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const wanted = new Map(names.map((name) => [`${database}/${name}`, name]));
  const rows = await session.query(
    `SELECT name AS tablespace, path AS path FROM information_schema.innodb_tablespaces_brief
      WHERE space_type = 'Single' AND name IN (?)`,
    [[...wanted.keys()]],
  );
  return new Set(
    rows.flatMap(({ tablespace, path }) => {
      const name = wanted.get(tablespace ?? '');
      return name !== undefined && path === `./${fileName(database)}/${fileName(name)}.ibd` ? [name] : [];
    }),
  );
}

/** The name in the file system, if the name is in ASCII. */
function fileName(name: string): string {
  return name.replace(/\W/g, (character) => `@${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
