import type { Inventory, InventoryDatabase, TableName } from '../engines/inventory.js';
import type { DumpEnd, DumpedTable } from '../engines/runningDump.js';

/** Something that is no table and that the dump does not hold; `kind` as in the inventory's `objects`. */
export type LostObject = TableName & { readonly kind: string };

type Part = { readonly tables: readonly DumpedTable[]; readonly objects: DumpEnd['objects'] };

/**
 * What was there before the dump and after it, in the same form, and is not in it. Where the dump shows a definition and
 * not its name, it stands for any of that kind in its database. An engine that does not look for a kind misses none.
 */
export function lostObjects(before: Inventory, after: Inventory, parts: readonly Part[]): readonly LostObject[] {
  const held = parts.map(({ objects }) => objects).filter((objects) => objects !== undefined);
  if (held.length < parts.length) return [];
  const kinds = new Set(held.flatMap((objects) => objects.kinds));
  const counts = new Map<string, number>();
  for (const { database, kind, name } of held.flatMap(({ found }) => found)) add(counts, keyOf(database, kind, name));
  // Tools that do not know sequences dump them as tables.
  for (const { database, name } of parts.flatMap(({ tables }) => tables)) add(counts, keyOf(database, sequences, name));
  const later = new Map(after.databases.map((database) => [database.name, database]));

  return before.databases.flatMap((database) =>
    Object.entries(database.objects).flatMap(([kind, names]): readonly LostObject[] => {
      if (!kinds.has(kind)) return [];
      const missing = names.filter(
        (name) =>
          !counts.has(keyOf(database.name, kind, name)) && isSettled(database, later.get(database.name), kind, name),
      );
      const nameless = counts.get(keyOf(database.name, kind, null)) ?? 0;
      return missing.length <= nameless ? [] : missing.map((name) => ({ database: database.name, kind, name }));
    }),
  );
}

const sequences = 'sequences';

/** What went, or was made anew, may be in the dump or not. */
function isSettled(
  before: InventoryDatabase,
  after: InventoryDatabase | undefined,
  kind: string,
  name: string,
): boolean {
  if (after?.objects[kind]?.includes(name) !== true) return false;
  const [one, other] = [before, after].map(({ definitions }) => definitions?.[kind]?.[name]?.hash);
  return one === undefined || other === undefined || one === other;
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** A trigger stands in a dump as a person has spelt it; servers may list it in lower case. */
function keyOf(database: string, kind: string, name: string | null): string {
  return JSON.stringify([database, kind, name?.toLowerCase() ?? null]);
}
