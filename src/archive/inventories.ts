import type { Inventory, InventoryDatabase, InventoryTable } from '../engines/engine.js';
import { keepSettledDefinitions } from './settledDefinitions.js';

/**
 * One inventory of two, taken before and after a dump that has its own snapshot: what changed between stays in it as
 * an estimate, of which no restore is asked to be equal, also where a row came and another went. `changed` names the
 * objects that came or went.
 */
export function reconcileInventories(
  before: Inventory,
  after: Inventory,
): { readonly inventory: Inventory; readonly changed: readonly string[] } {
  const changed: string[] = [];
  const databases = before.databases.map((database): InventoryDatabase => {
    const later = after.databases.find(({ name }) => name === database.name);
    if (later === undefined) changed.push(`database ${database.name}`);
    const names = new Set([...database.tables, ...(later?.tables ?? [])].map(({ name }) => name));
    const tables = [...names].map((name) => {
      const [first, second] = [database, later].map((one) => one?.tables.find((table) => table.name === name));
      if (first === undefined || second === undefined) changed.push(`table ${database.name}.${name}`);
      return reconcileTables(name, first, second);
    });
    const objects = Object.entries(database.objects).map(([kind, all]): [string, readonly string[]] => {
      const laterNames = later?.objects[kind] ?? [];
      for (const name of difference(all, laterNames)) changed.push(`${kind} ${database.name}.${name}`);
      return [kind, all.filter((name) => laterNames.includes(name))];
    });
    return { ...database, tables, objects: Object.fromEntries(objects) };
  });
  const { inventory, redefined } = keepSettledDefinitions({ ...before, databases }, before, after);
  return { inventory, changed: [...changed, ...redefined] };
}

/** How many tables are in the one and in the other. */
export function tablesOfBoth(one: Inventory, other: Inventory): number {
  const namesIn = ({ databases }: Inventory) =>
    databases.flatMap(({ name, tables }) => tables.map((table) => JSON.stringify([name, table.name])));
  const others = new Set(namesIn(other));
  return namesIn(one).filter((name) => others.has(name)).length;
}

function reconcileTables(
  name: string,
  before: InventoryTable | undefined,
  after: InventoryTable | undefined,
): InventoryTable {
  if (before === undefined || after === undefined) return { name, rows: null, rowsEstimated: true, sizeBytes: null };
  const counted = !before.rowsEstimated && !after.rowsEstimated;
  const exact = counted && before.rows === after.rows && before.changedAt === after.changedAt;
  const { rows, sizeBytes } = exact ? before : after;
  return { name, rows, rowsEstimated: !exact, sizeBytes };
}

function difference(one: readonly string[], other: readonly string[]): readonly string[] {
  return [...one.filter((name) => !other.includes(name)), ...other.filter((name) => !one.includes(name))];
}
