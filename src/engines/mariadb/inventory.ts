import type { Inventory, InventoryDatabase, InventoryTable } from '../engine.js';
import { transactionPreciseTables, type Catalog, type CatalogTable, type Named } from './catalog.js';
import { quoteName } from './grants.js';
import { tellsOfChangedTable } from './serverErrors.js';
import { serverErrorNumber, type Session } from './session.js';

/**
 * Up to this size a table's rows are counted, and its largest row measured; above, the server's estimate is taken.
 * All counting together stops after `countingBudgetMs`.
 */
const countedTableBytes = 64 * 1024 * 1024;
const countingBudgetMs = 20_000;
const secondsForOneTable = 5;
/** Engines that count from their own files; the rows of others (FEDERATED, CONNECT, SPIDER) may be far away. */
const countedEngines = new Set(['InnoDB', 'Aria', 'MyISAM', 'MEMORY', 'ARCHIVE', 'CSV', 'RocksDB']);

/** Reads the inventory of what the catalog lists, in one snapshot of the tables that have one. */
export async function takeInventory(session: Session, catalog: Catalog, toolVersion: string): Promise<Inventory> {
  const [version] = await session.query('SELECT VERSION() AS version');
  await session.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY');
  const countUntil = performance.now() + countingBudgetMs;
  const databases: InventoryDatabase[] = [];
  for (const database of catalog.databases) {
    const inDatabase = <T extends Named>(all: readonly T[]): readonly T[] =>
      all.filter((one) => one.database === database.name);
    const tables: InventoryTable[] = [];
    let largestRowBytes = 0;
    for (const table of inDatabase(catalog.tables)) {
      const counted = performance.now() < countUntil ? await countRows(session, catalog, table) : undefined;
      largestRowBytes = Math.max(largestRowBytes, counted?.largestRowBytes ?? 0);
      tables.push({
        name: table.name,
        rows: counted?.rows ?? table.estimatedRows,
        rowsEstimated: counted === undefined,
        sizeBytes: table.dataBytes,
        changedAt: table.changedAt,
      });
    }
    const routines = (kind: string) => namesOf(inDatabase(catalog.routines).filter((routine) => routine.kind === kind));
    databases.push({
      name: database.name,
      tables,
      objects: {
        views: namesOf(inDatabase(catalog.views)),
        procedures: routines('PROCEDURE'),
        functions: routines('FUNCTION'),
        packages: routines('PACKAGE'),
        packageBodies: routines('PACKAGE BODY'),
        triggers: namesOf(inDatabase(catalog.triggers)),
        events: namesOf(inDatabase(catalog.events)),
        sequences: namesOf(inDatabase(catalog.sequences)),
        systemVersionedTables: namesOf(inDatabase(catalog.tables).filter((table) => table.systemVersioned)),
        transactionPreciseTables: namesOf(inDatabase(transactionPreciseTables(catalog))),
        definers: definersOf([
          ...inDatabase(catalog.views),
          ...inDatabase(catalog.routines),
          ...inDatabase(catalog.triggers),
          ...inDatabase(catalog.events),
        ]),
      },
      properties: {
        characterSet: database.characterSet,
        collation: database.collation,
        comment: database.comment,
      },
      largestRowBytes,
    });
  }
  await session.query('ROLLBACK');
  return {
    serverVersion: version?.['version'] ?? '',
    toolVersion,
    sizeBytes: catalog.tables.reduce((sum, table) => sum + table.dataBytes, 0),
    databases,
  };
}

type Counted = { readonly rows: number; readonly largestRowBytes: number };

async function countRows(session: Session, catalog: Catalog, table: CatalogTable): Promise<Counted | undefined> {
  if (table.engine === null || !countedEngines.has(table.engine)) return undefined;
  if (table.dataBytes > countedTableBytes) return undefined;
  const history = table.systemVersioned ? ' FOR SYSTEM_TIME ALL' : '';
  const from = `${quoteName(table.database)}.${quoteName(table.name)}${history}`;
  try {
    const [row] = await session.query(
      `SET STATEMENT max_statement_time = ${secondsForOneTable} FOR
       SELECT COUNT(*) AS counted, COALESCE(MAX(${rowLength(catalog, table)}), 0) AS largest FROM ${from}`,
    );
    return { rows: Number(row?.['counted'] ?? 0), largestRowBytes: Number(row?.['largest'] ?? 0) };
  } catch (error) {
    const number = serverErrorNumber(error);
    // ER_STATEMENT_TIMEOUT: too large to be counted after all.
    if (number === 1969 || tellsOfChangedTable(number)) return undefined;
    throw error;
  }
}

/** The least that a row takes in a dump: `--hex-blob` writes two characters for each binary byte. */
function rowLength(catalog: Catalog, table: CatalogTable): string {
  const lengths = catalog.columns
    .filter((column) => column.database === table.database && column.table === table.name)
    .filter((column) => column.dataType.endsWith('text') || binaryTypes.test(column.dataType))
    .map((column) => {
      const length = `COALESCE(OCTET_LENGTH(${quoteName(column.name)}), 0)`;
      return binaryTypes.test(column.dataType) ? `2 * ${length}` : length;
    });
  return lengths.length === 0 ? '0' : lengths.join(' + ');
}

const binaryTypes = /blob$|^varbinary$|^binary$|^geometry|point$|linestring$|polygon$/;

function namesOf(all: readonly Named[]): readonly string[] {
  return all.map(({ name }) => name).sort();
}

function definersOf(all: readonly { readonly definer: string }[]): readonly string[] {
  return [...new Set(all.map(({ definer }) => definer))].filter((definer) => definer !== '').sort();
}
