import type { Inventory, TableName } from '../engines/inventory.js';
import { findingByName } from './findingByName.js';

/** The tables whose rows the backup records, but whose rows could not be counted on the target in time. */
export function uncountedTables(expected: Inventory, actual: Inventory): readonly TableName[] {
  const find = findingByName(actual.databases, actual);
  return expected.databases.flatMap(({ name: database, tables }) => {
    const findTable = findingByName(find(database)?.tables ?? [], actual);
    return tables
      .filter(({ name, rows, rowsEstimated }) => {
        return rows !== null && !rowsEstimated && findTable(name)?.rowsEstimated === true;
      })
      .map(({ name }) => ({ database, name }));
  });
}
