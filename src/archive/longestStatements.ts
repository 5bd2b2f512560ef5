import type { Inventory } from '../engines/inventory.js';
import type { DumpedTable } from '../engines/runningDump.js';

/**
 * What a target must accept at once for each database, as the dumps turned out: no estimate made beforehand knows how
 * many bytes were escaped. Where a tool does not say it of every part, the inventory stays as it is.
 */
export function withLongestStatements(
  inventory: Inventory,
  dumped: readonly (readonly DumpedTable[] | undefined)[],
): Inventory {
  const longest = new Map<string, number>();
  for (const tables of dumped) {
    if (tables === undefined) return inventory;
    for (const { database, longestStatementBytes } of tables) {
      longest.set(database, Math.max(longest.get(database) ?? 0, longestStatementBytes));
    }
  }
  const databases = inventory.databases.map((database) => ({
    ...database,
    largestRowBytes: longest.get(database.name) ?? 0,
  }));
  return { ...inventory, databases };
}
