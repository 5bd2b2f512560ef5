import type { Inventory, InventoryDatabase, InventoryTable } from '../engines/inventory.js';
import type { DumpedTable } from '../engines/runningDump.js';
import { keepSettledDefinitions } from './settledDefinitions.js';

/**
 * The inventory of a finished dump: the tables that it holds, with the rows that it holds. Of what is not counted in the
 * dump, such as views and routines, it names those that were there before and after; `changed` names the others, and the
 * tables that are not in it. `after` undefined: the server could not be asked, and what was there before is named.
 */
export function inventoryOfDump(
  before: Inventory,
  after: Inventory | undefined,
  dumped: readonly DumpedTable[],
): { readonly inventory: Inventory; readonly changed: readonly string[] } {
  const changed: string[] = [];
  const held = groupedBy(dumped, ({ database }) => database);
  const laterDatabases = after === undefined ? undefined : indexed(after.databases);
  const databases = before.databases.map((database): InventoryDatabase => {
    const { name } = database;
    const later = laterDatabases?.get(name);
    if (after !== undefined && later === undefined) changed.push(`database ${name}`);
    const tablesHeld = held.get(name) ?? [];
    const [known, laterTables, inDump] = [database.tables, later?.tables ?? [], tablesHeld].map((all) =>
      indexed<{ readonly name: string }>(all),
    );
    for (const table of new Set([...(known?.keys() ?? []), ...(laterTables?.keys() ?? [])])) {
      if (inDump?.has(table) !== true) changed.push(`table ${name}.${table}`);
    }
    const earlier = indexed(database.tables);
    const objects = Object.entries(database.objects).map(([kind, all]): [string, readonly string[]] => {
      if (after === undefined) return [kind, all];
      const laterNames = later?.objects[kind] ?? [];
      for (const each of difference(all, laterNames)) changed.push(`${kind} ${name}.${each}`);
      const isThere = new Set(laterNames);
      return [kind, all.filter((each) => isThere.has(each))];
    });
    return {
      ...database,
      tables: tablesHeld.map((table) => tableOfDump(table, earlier.get(table.name))),
      objects: Object.fromEntries(objects),
    };
  });
  const { inventory, redefined } = keepSettledDefinitions({ ...before, databases }, before, after);
  return { inventory, changed: [...changed, ...redefined] };
}

function tableOfDump({ name, rows }: DumpedTable, before: InventoryTable | undefined): InventoryTable {
  if (before === undefined) return { name, rows, rowsEstimated: rows === null, sizeBytes: null };
  const { changedAt: _changedAt, createdAt: _createdAt, ...stored } = before;
  if (before.rows === null || rows === null) return { ...stored, rowsEstimated: before.rows !== null };
  return { ...stored, rows, rowsEstimated: false };
}

function difference(one: readonly string[], other: readonly string[]): readonly string[] {
  const [inOne, inOther] = [new Set(one), new Set(other)];
  return [...one.filter((name) => !inOther.has(name)), ...other.filter((name) => !inOne.has(name))];
}

function indexed<T extends { readonly name: string }>(all: readonly T[]): ReadonlyMap<string, T> {
  return new Map(all.map((one) => [one.name, one]));
}

function groupedBy<T>(all: readonly T[], keyOf: (one: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return groups;
}
