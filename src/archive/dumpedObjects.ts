import type { Inventory, InventoryDatabase, TableName } from '../engines/inventory.js';
import { definitionNamed } from '../engines/definitionNamed.js';
import type { DumpedObjects } from '../engines/runningDump.js';
import { partsOf, type PartContents } from './coverage.js';

/** An object other than a table that the dump does not hold. `kind` is the same as in the inventory's `objects`. */
export type LostObject = TableName & { readonly kind: string };

/**
 * The objects that existed unchanged before and after the dump, and are not in the dump. If the dump does not show the
 * name of a definition, the definition counts for any object of that kind in its database. A kind is compared only if
 * every part that may hold it was searched for it.
 */
export function lostObjects(
  before: Inventory,
  after: Inventory,
  parts: readonly PartContents[],
): readonly LostObject[] {
  const later = new Map(after.databases.map((database) => [database.name, database]));
  return before.databases.flatMap((database) => {
    const searched = partsOf(database.name, parts).flatMap(({ objects }) => objects ?? []);
    if (searched.length < partsOf(database.name, parts).length) return [];
    const counts = countByKey(database.name, searched);
    return Object.entries(database.objects).flatMap(([kind, names]): readonly LostObject[] => {
      if (!searched.every(({ kinds }) => kinds.includes(kind))) return [];
      const missing = names.filter(
        (name) => !counts.has(kind, name) && isSettled(database, later.get(database.name), kind, name),
      );
      return missing.length <= counts.nameless(kind)
        ? []
        : missing.map((name) => ({ database: database.name, kind, name }));
    });
  });
}

/** An object that was dropped, or created again, may or may not be in the dump. */
function isSettled(
  before: InventoryDatabase,
  after: InventoryDatabase | undefined,
  kind: string,
  name: string,
): boolean {
  if (after?.objects[kind]?.includes(name) !== true) return false;
  const [one, other] = [before, after].map(({ definitions }) => definitionNamed(definitions?.[kind], name)?.hash);
  return one === undefined || other === undefined || one === other;
}

function countByKey(database: string, searched: readonly DumpedObjects[]) {
  const folds = searched.some(({ nameCase }) => nameCase === 'FOLDED');
  const keyOf = (kind: string, name: string | null) =>
    JSON.stringify([kind, folds ? (name?.toLowerCase() ?? null) : name]);
  const counts = new Map<string, number>();
  for (const { database: where, kind, name } of searched.flatMap(({ found }) => found)) {
    if (where !== database) continue;
    counts.set(keyOf(kind, name), (counts.get(keyOf(kind, name)) ?? 0) + 1);
  }
  return {
    has: (kind: string, name: string) => counts.has(keyOf(kind, name)),
    nameless: (kind: string) => counts.get(keyOf(kind, null)) ?? 0,
  };
}
