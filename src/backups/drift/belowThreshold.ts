import type { ChangedObject } from '../../archive/changes/backupChanges.js';
import { lostRows, objectName, withSeparators } from '../../archive/changes/changesSentence.js';
import type { InventoryChanges } from '../../archive/changes/inventoryComparison.js';
import type { DriftThreshold } from '../../plans/driftThreshold.js';

/** How many tables a sentence names. */
const namedAtMost = 10;

/**
 * The ways in which a backup falls below the threshold of its plan, one sentence each. Rows that are only estimated on
 * one side prove nothing, so their tables do not count. A table that is gone has lost all its rows.
 */
export function belowThreshold(changes: InventoryChanges, threshold: DriftThreshold): readonly string[] {
  const { tablePercent, totalPercent, exceptTables } = threshold;
  const { exactBefore, exactAfter } = changes;
  const except = new Set(exceptTables);
  const found: string[] = [];
  if (tablePercent !== null) {
    const tables = changes.objects
      .filter((each) => !each.rowsEstimated && !except.has(`${each.database}.${each.name}`))
      .filter((each) => isBelow(each.rowsBefore ?? 0, (each.rowsBefore ?? 0) - lostRows(each), tablePercent))
      .toSorted((one, other) => lostRows(other) - lostRows(one));
    if (tables.length > 0) found.push(`Fewer than ${tablePercent} % of the rows remain in ${listTables(tables)}.`);
  }
  if (totalPercent !== null && isBelow(exactBefore, exactAfter, totalPercent)) {
    const rows = `${withSeparators(exactAfter)} of ${withSeparators(exactBefore)}`;
    const which = changes.rowsEstimated || except.size > 0 ? 'all compared rows' : 'all rows';
    found.push(`Fewer than ${totalPercent} % of ${which} remain (${rows}).`);
  }
  return found;
}

function isBelow(before: number, after: number, percent: number): boolean {
  return after * 100 < before * percent;
}

function listTables(tables: readonly ChangedObject[]): string {
  const shown = tables.slice(0, namedAtMost).map((table) => {
    const [before, after] = [table.rowsBefore ?? 0, (table.rowsBefore ?? 0) - lostRows(table)];
    return `${objectName(table)} (${withSeparators(after)} of ${withSeparators(before)})`;
  });
  const others = tables.length - namedAtMost;
  return others > 0 ? `${shown.join(', ')} and ${withSeparators(others)} more` : shown.join(', ');
}
