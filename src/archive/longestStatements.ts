import type { Inventory } from '../engines/inventory.js';
import { countsTables, type PartContents } from './coverage.js';

/**
 * For each database, the statement size that a target must accept, measured in the dumps. An estimate from before the
 * dump does not contain the bytes for escaping. A database whose parts do not count tables keeps its estimate.
 */
export function withLongestStatements(inventory: Inventory, parts: readonly PartContents[]): Inventory {
  const longest = new Map<string, number>();
  for (const { database, longestStatementBytes } of parts.flatMap(({ tables }) => tables ?? [])) {
    longest.set(database, Math.max(longest.get(database) ?? 0, longestStatementBytes));
  }
  const databases = inventory.databases.map((database) =>
    countsTables(database.name, parts) ? { ...database, largestRowBytes: longest.get(database.name) ?? 0 } : database,
  );
  return { ...inventory, databases };
}
