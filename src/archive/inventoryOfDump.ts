import type { Inventory, InventoryDatabase, InventoryTable } from '../engines/inventory.js';
import type { DumpedTable } from '../engines/runningDump.js';
import { countsTables, type PartContents } from './coverage.js';
import { keepSettledDefinitions } from './settledDefinitions.js';

/**
 * The inventory of a finished dump: the tables that it holds, with the rows that it holds. Some objects are not counted
 * in the dump, such as views, or the tables of a part that does not count them. Of these it lists the objects that
 * existed both before and after the dump. `changed` names the other objects, and the counted tables that are not in the
 * dump. If `after` is undefined, the server could not be queried, and everything that existed before is listed.
 */
export function inventoryOfDump(
  before: Inventory,
  after: Inventory | undefined,
  parts: readonly PartContents[],
): { readonly inventory: Inventory; readonly changed: readonly string[] } {
  const changed: string[] = [];
  const held = new Map<string, DumpedTable[]>();
  for (const table of parts.flatMap(({ tables }) => tables ?? [])) {
    const others = held.get(table.database);
    if (others === undefined) held.set(table.database, [table]);
    else others.push(table);
  }
  const laterDatabases = after === undefined ? undefined : indexed(after.databases);
  const databases = before.databases.map((database): InventoryDatabase => {
    const { name } = database;
    const later = laterDatabases?.get(name);
    if (after !== undefined && later === undefined) changed.push(`database ${name}`);
    const settled = (all: readonly string[], laterAll: readonly string[] | undefined, what: string) => {
      if (after === undefined) return all;
      for (const each of difference(all, laterAll ?? [])) changed.push(`${what} ${name}.${each}`);
      const isThere = new Set(laterAll);
      return all.filter((each) => isThere.has(each));
    };
    const objects = () =>
      Object.entries(database.objects).map(([kind, all]) => [kind, settled(all, later?.objects[kind], kind)]);
    const tables = countsTables(name, parts)
      ? countedTables(database, later, held.get(name) ?? [], changed)
      : uncountedTables(database, settled(namesOf(database.tables), later && namesOf(later.tables), 'table'));
    return { ...database, tables, objects: Object.fromEntries(objects()) as InventoryDatabase['objects'] };
  });
  const { inventory, redefined } = keepSettledDefinitions({ ...before, databases }, before, after);
  return { inventory, changed: [...changed, ...redefined] };
}

/** Appends to `changed` the tables that are not in the dump. */
function countedTables(
  database: InventoryDatabase,
  later: InventoryDatabase | undefined,
  held: readonly DumpedTable[],
  changed: string[],
): readonly InventoryTable[] {
  const inDump = indexed(held);
  for (const table of new Set([...namesOf(database.tables), ...namesOf(later?.tables ?? [])])) {
    if (!inDump.has(table)) changed.push(`table ${database.name}.${table}`);
  }
  const earlier = indexed(database.tables);
  return held.map((table) => tableOfDump(table, earlier.get(table.name)));
}

/** The dump does not show how many rows the table has. */
function uncountedTables({ tables }: InventoryDatabase, settled: readonly string[]): readonly InventoryTable[] {
  const kept = new Set(settled);
  return tables
    .filter(({ name }) => kept.has(name))
    .map((table) => ({ ...withoutTimes(table), rowsEstimated: table.rows !== null || table.rowsEstimated }));
}

function tableOfDump({ name, rows }: DumpedTable, before: InventoryTable | undefined): InventoryTable {
  if (before === undefined) return { name, rows, rowsEstimated: rows === null, sizeBytes: null };
  const stored = withoutTimes(before);
  if (before.rows === null || rows === null) return { ...stored, rowsEstimated: before.rows !== null };
  return { ...stored, rows, rowsEstimated: false };
}

function withoutTimes({ changedAt: _changedAt, createdAt: _createdAt, ...stored }: InventoryTable): InventoryTable {
  return stored;
}

function difference(one: readonly string[], other: readonly string[]): readonly string[] {
  const [inOne, inOther] = [new Set(one), new Set(other)];
  return [...one.filter((name) => !inOther.has(name)), ...other.filter((name) => !inOne.has(name))];
}

function indexed<T extends { readonly name: string }>(all: readonly T[]): ReadonlyMap<string, T> {
  return new Map(all.map((one) => [one.name, one]));
}

function namesOf(all: readonly { readonly name: string }[]): readonly string[] {
  return all.map(({ name }) => name);
}
