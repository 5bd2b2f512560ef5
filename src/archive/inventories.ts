import type { Inventory, InventoryDatabase, InventoryDifference, InventoryTable } from '../engines/engine.js';

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
  return { inventory: { ...before, databases }, changed };
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

/**
 * What of the expected is not there, or is otherwise. Estimates and what nobody expects are not compared. Some servers
 * keep names in lower case: one that is there in no other spelling is the one that is meant.
 */
export function compareInventories(expected: Inventory, actual: Inventory): readonly InventoryDifference[] {
  return expected.databases.flatMap((database): readonly InventoryDifference[] => {
    const found = named(database.name, actual.databases);
    if (found === undefined) return [{ path: database.name, expected: 'database', actual: null }];
    return [
      ...Object.entries(database.properties).flatMap(([property, value]) =>
        differing(`${database.name}.${property}`, value, found.properties[property] ?? null),
      ),
      ...database.tables.flatMap((table) => compareTables(database.name, table, found)),
      ...Object.entries(database.objects).flatMap(([kind, names]) =>
        names
          .filter((name) => !isAmong(name, found.objects[kind] ?? []))
          .map((name) => ({ path: `${database.name}.${kind}.${name}`, expected: name, actual: null })),
      ),
    ];
  });
}

function compareTables(
  database: string,
  table: InventoryTable,
  found: InventoryDatabase,
): readonly InventoryDifference[] {
  const path = `${database}.tables.${table.name}`;
  const other = named(table.name, found.tables);
  if (other === undefined) {
    const unsure = table.rows === null && table.rowsEstimated;
    return unsure ? [] : [{ path, expected: 'table', actual: null }];
  }
  if (table.rowsEstimated || other.rowsEstimated) return [];
  return differing(`${path}.rows`, asText(table.rows), asText(other.rows));
}

function named<T extends { readonly name: string }>(name: string, all: readonly T[]): T | undefined {
  return all.find((each) => each.name === name) ?? all.find((each) => each.name === name.toLowerCase());
}

function isAmong(name: string, all: readonly string[]): boolean {
  return all.includes(name) || all.includes(name.toLowerCase());
}

function differing(path: string, expected: string | null, actual: string | null): readonly InventoryDifference[] {
  return expected === actual ? [] : [{ path, expected, actual }];
}

function asText(rows: number | null): string | null {
  return rows === null ? null : String(rows);
}
