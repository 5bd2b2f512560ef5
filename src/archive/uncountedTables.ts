import type { Inventory, TableName } from '../engines/inventory.js';

/** The tables of which a backup knows how many rows they have, and which could not be counted on the target in time. */
export function uncountedTables(expected: Inventory, actual: Inventory): readonly TableName[] {
  const find = finding(actual.databases);
  return expected.databases.flatMap(({ name: database, tables }) => {
    const findTable = finding(find(database)?.tables ?? []);
    return tables
      .filter(({ name, rows, rowsEstimated }) => {
        return rows !== null && !rowsEstimated && findTable(name)?.rowsEstimated === true;
      })
      .map(({ name }) => ({ database, name }));
  });
}

/** Some servers keep names in lower case. */
function finding<T extends { readonly name: string }>(all: readonly T[]): (name: string) => T | undefined {
  const byName = new Map(all.map((each) => [each.name, each]));
  return (name) => byName.get(name) ?? byName.get(name.toLowerCase());
}
