import type { InventoryTable } from '../../inventory.js';
import { catalogBytes, type Row, type Session } from '../session/session.js';
import { sqlStateOf } from '../errors/serverErrors.js';
import { qualifiedName, quoteName, type ArchivedNames } from './names.js';

/** A table of the session's database. */
export type ListedTable = {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  /** A letter of pg_class.relkind: `r`, `p` (partitioned) or `f` (foreign). */
  readonly relkind: string;
  readonly pages: number;
  readonly estimate: number;
};

/** Large objects are counted like the rows of a table: this table of the system has a row for each. */
const largeObjectsTable = { schema: 'pg_catalog', table: 'pg_largeobject_metadata' };
export const largeObjects = {
  ...largeObjectsTable,
  name: qualifiedName(largeObjectsTable.schema, largeObjectsTable.table),
};

/** The tables of which pg_dump dumps a definition or rows: also those that an extension marks as its configuration. */
export async function listTables(session: Session): Promise<readonly ListedTable[]> {
  const found: ListedTable[] = [];
  const onRows = (rows: readonly Row[]) => found.push(...rows.map(listedTable));
  await session.query(`${tablesQuery} ORDER BY schema COLLATE "C", name COLLATE "C"`, [], {
    maxBytes: catalogBytes,
    onRows,
  });
  return found;
}

function listedTable(row: Row): ListedTable {
  const [schema, table] = [row['schema'] ?? '', row['name'] ?? ''];
  return {
    ...{ schema, table, name: qualifiedName(schema, table), relkind: row['relkind'] ?? '' },
    ...{ pages: Number(row['pages']), estimate: Math.max(0, Number(row['estimate'])) },
  };
}

/** The number of tables that `listTables` returns. */
export async function countTables(session: Session): Promise<number> {
  const [row] = await session.query(`SELECT count(*) AS tables FROM (${tablesQuery}) AS listed`);
  return Number(row?.['tables']);
}

const tablesQuery = `
SELECT * FROM (
SELECT n.nspname AS schema, c.relname AS name, c.relkind, c.relpages AS pages, round(c.reltuples) AS estimate
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND (NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
        OR EXISTS (SELECT FROM pg_extension x WHERE c.oid = ANY (x.extconfig)))
UNION ALL
SELECT n.nspname AS schema, c.relname AS name, c.relkind, c.relpages AS pages, round(c.reltuples) AS estimate
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = 'pg_catalog.pg_largeobject_metadata'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)
) AS all_tables`;

/** The names of the tables as an archive of pg_dump has them. Empty if the archive is in UTF-8. */
export async function archivedNames(session: Session): Promise<ArchivedNames> {
  const rows = await session.query(
    `SELECT n.nspname AS schema, c.relname AS name, encode(convert_to(n.nspname, getdatabaseencoding()), 'hex') AS schema_bytes,
            encode(convert_to(c.relname, getdatabaseencoding()), 'hex') AS name_bytes
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'f') AND getdatabaseencoding() <> 'UTF8'`,
  );
  return new Map(
    rows.map((row) => [
      `${row['schema_bytes'] ?? ''}.${row['name_bytes'] ?? ''}`,
      qualifiedName(row['schema'] ?? '', row['name'] ?? ''),
    ]),
  );
}

const types: Readonly<Record<string, string>> = { r: 'TABLE', p: 'PARTITIONED TABLE', f: 'FOREIGN TABLE' };
const pageBytes = 8_192;

/** Only ordinary tables have rows of their own. `rows` undefined: not counted. */
export function inventoryTable(table: ListedTable, rows?: number): InventoryTable {
  const { name, relkind } = table;
  const type = name === largeObjects.name ? 'LARGE OBJECTS' : (types[relkind] ?? relkind);
  if (relkind !== 'r') return { name, rows: null, rowsEstimated: false, sizeBytes: null, type };
  const sizeBytes = table.pages * pageBytes;
  return rows === undefined
    ? { name, rows: table.estimate, rowsEstimated: true, sizeBytes, type }
    : { name, rows, rowsEstimated: false, sizeBytes, type };
}

const tablesAtOnce = 100;
/** A table with more pages is counted alone. */
const largePages = 1_000;

/** Counts rows, the smallest tables first, for at most `limitMs`. The result lacks tables that were not counted in time. */
export async function countRows(
  session: Session,
  tables: readonly ListedTable[],
  limitMs: number,
): Promise<ReadonlyMap<string, number>> {
  const until = performance.now() + limitMs;
  const counts = new Map<string, number>();
  const ordered = tables.filter(({ relkind }) => relkind === 'r').sort((one, other) => one.pages - other.pages);
  for (let begin = 0; begin < ordered.length;) {
    const isLarge = (ordered[begin]?.pages ?? 0) > largePages;
    const batch = ordered.slice(begin, begin + (isLarge ? 1 : tablesAtOnce));
    begin += batch.length;
    const leftMs = Math.floor(until - performance.now());
    if (leftMs <= 0) break;
    await countBatch(session, batch, leftMs, counts);
  }
  await session.query('SET statement_timeout = 0');
  return counts;
}

async function countBatch(
  session: Session,
  batch: readonly ListedTable[],
  leftMs: number,
  counts: Map<string, number>,
): Promise<void> {
  const each = batch.map(
    ({ schema, table }, index) =>
      `SELECT ${index} AS place, count(*) AS rows FROM ONLY ${quoteName(schema)}.${quoteName(table)}`,
  );
  try {
    await session.query(`SET statement_timeout = ${leftMs}`);
    const rows = await session.query(each.join(' UNION ALL '), [], { timeoutMs: leftMs + 60_000 });
    for (const row of rows) counts.set(batch[Number(row['place'])]?.name ?? '', Number(row['rows']));
  } catch (error) {
    const state = sqlStateOf(error) ?? '';
    // One table of several was dropped or may not be read: then each is counted alone.
    if (['42501', '42P01', '3F000', '55P03'].includes(state) && batch.length > 1) {
      for (const one of batch) await countBatch(session, [one], leftMs, counts);
    } else if (!['42501', '42P01', '3F000', '55P03', '57014'].includes(state)) throw error;
  }
}
