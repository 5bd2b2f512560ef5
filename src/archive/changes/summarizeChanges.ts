import { mostItems, type BackupChanges, type ChangedObject } from './backupChanges.js';
import { changesSentence, lostRows, shortName } from './changesSentence.js';
import type { InventoryChanges } from './inventoryComparison.js';

/** The changes in the form that is stored: the most important objects and a sentence. `since`: see BackupChanges. */
export function summarizeChanges(since: string, changes: InventoryChanges): BackupChanges {
  const objects = changes.objects.toSorted(byImportance);
  const { rowsBefore, rowsAfter, rowsEstimated } = changes;
  const items = objects.slice(0, mostItems).map((each) => ({
    ...each,
    database: shortName(each.database),
    name: shortName(each.name),
  }));
  return {
    since,
    sentence: changesSentence({ ...changes, objects }),
    fell: objects.some((each) => each.change === 'GONE' || (!each.rowsEstimated && lostRows(each) > 0)),
    ...{ rowsBefore, rowsAfter, rowsEstimated },
    items,
    moreItems: objects.length - items.length,
  };
}

function byImportance(one: ChangedObject, other: ChangedObject): number {
  return (
    groupOf(one) - groupOf(other) ||
    lostRows(other) - lostRows(one) ||
    growthOf(other) - growthOf(one) ||
    compare(one.database, other.database) ||
    compare(one.name, other.name)
  );
}

/** The order of the groups: falls, objects that are gone, redefined, new, and the other changes. */
function groupOf(each: ChangedObject): number {
  if (lostRows(each) > 0 && !each.rowsEstimated) return 0;
  if (each.change === 'GONE') return 1;
  if (lostRows(each) > 0) return 2;
  if (each.definitionChanged) return 3;
  return each.change === 'NEW' ? 4 : 5;
}

function growthOf({ rowsBefore, rowsAfter }: ChangedObject): number {
  return (rowsAfter ?? 0) - (rowsBefore ?? 0);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
