import type { Inventory, InventoryDatabase, InventoryTable } from '../../inventory.js';
import {
  transactionPreciseTables,
  type Catalog,
  type CatalogTable,
  type Named,
  type NamedTable,
  type Names,
} from './catalog.js';
import { isDefinitionOnly, mayBeLeftOut, reportsChanges } from './storageEngines.js';

/** The counted rows, by `keyOf` of their tables. */
export type Counts = ReadonlyMap<string, number>;

/** The inventory of the catalog. If rows were not counted, their number is the estimate of the server, or unknown. */
export function listInventory(
  catalog: Catalog | Names,
  versions: Pick<Inventory, 'serverVersion' | 'toolVersion'>,
  counts: Counts,
): Inventory {
  const [tables, views, routines, triggers, events, sequences, precise] = [
    byDatabase<NamedTable | CatalogTable>(catalog.tables),
    byDatabase(catalog.views),
    byDatabase(catalog.routines),
    byDatabase(catalog.triggers),
    byDatabase(catalog.events),
    byDatabase(catalog.sequences),
    byDatabase(transactionPreciseTables(catalog)),
  ];
  const databases = catalog.databases.map(({ name, characterSet, collation, comment }): InventoryDatabase => {
    const routinesOf = (kind: string) => namesOf(routines(name).filter((routine) => routine.kind === kind));
    return {
      name,
      tables: tables(name).map((table) => inventoryTable(table, counts.get(keyOf(table)))),
      objects: {
        views: namesOf(views(name)),
        procedures: routinesOf('PROCEDURE'),
        functions: routinesOf('FUNCTION'),
        packages: routinesOf('PACKAGE'),
        packageBodies: routinesOf('PACKAGE BODY'),
        triggers: namesOf(triggers(name)),
        events: namesOf(events(name)),
        sequences: namesOf(sequences(name)),
        systemVersionedTables: namesOf(tables(name).filter((table) => table.systemVersioned)),
        transactionPreciseTables: namesOf(precise(name)),
        definers: definersOf([...views(name), ...routines(name), ...triggers(name), ...events(name)]),
      },
      properties: { characterSet, collation, comment },
    };
  });
  return { ...versions, sizeBytes: sizeOf(catalog.tables), databases };
}

/** Unique for each table. */
export function keyOf({ database, name }: Named): string {
  return JSON.stringify([database, name]);
}

function inventoryTable(table: NamedTable | CatalogTable, counted: number | undefined): InventoryTable {
  const { name, engine } = table;
  const known = 'dataBytes' in table ? table : undefined;
  const times = known === undefined ? {} : timesOf(known);
  const sizeBytes = known?.dataBytes ?? null;
  if (isDefinitionOnly(engine)) return { name, rows: null, rowsEstimated: false, sizeBytes, ...times };
  if (mayBeLeftOut(engine)) return { name, rows: null, rowsEstimated: true, sizeBytes, ...times };
  const rows = counted ?? known?.estimatedRows ?? null;
  return { name, rows, rowsEstimated: counted === undefined, sizeBytes, ...times };
}

function timesOf({ engine, changedAt, createdAt }: CatalogTable): Pick<InventoryTable, 'changedAt' | 'createdAt'> {
  return { createdAt, ...(reportsChanges(engine) ? { changedAt } : {}) };
}

function sizeOf(tables: readonly (NamedTable | CatalogTable)[]): number | null {
  let bytes = 0;
  for (const table of tables) {
    if (!('dataBytes' in table)) return null;
    bytes += table.dataBytes;
  }
  return bytes;
}

function byDatabase<T extends Named>(all: readonly T[]): (database: string) => readonly T[] {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(one.database);
    if (group === undefined) groups.set(one.database, [one]);
    else group.push(one);
  }
  return (database) => groups.get(database) ?? [];
}

function namesOf(all: readonly Named[]): readonly string[] {
  return all.map(({ name }) => name).sort();
}

function definersOf(all: readonly { readonly definer: string }[]): readonly string[] {
  return [...new Set(all.map(({ definer }) => definer))].filter((definer) => definer !== '').sort();
}
