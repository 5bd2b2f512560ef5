import type { Inventory, InventoryDatabase } from '../../inventory.js';
import type { Target } from './target.js';
import { named, unfit } from './unfit.js';

/** Kinds of objects whose names share the name space of tables. */
const tableLike = ['views', 'sequences'];

export function foldsNames(target: Target): boolean {
  return (target.variables.get('lower_case_table_names') ?? '0') !== '0';
}

/**
 * On a server that folds names, two names that differ only in letter case mean one object. So the dump's own DROP TABLE
 * IF EXISTS would destroy the first table, and two databases would be merged.
 */
export function refuseCollidingNames(target: Target, inventory: Inventory): void {
  if (!foldsNames(target)) return;
  const collisions = [
    ...collisionsOf(inventory.databases.map(({ name }) => name)).map((names) => names.join(' and ')),
    ...inventory.databases.flatMap((database) =>
      [tablesOf(database), database.objects['triggers'] ?? []]
        .flatMap((names) => collisionsOf(names))
        .map((names) => names.map((name) => `${database.name}.${name}`).join(' and ')),
    ),
  ];
  if (collisions.length === 0) return;
  throw unfit(
    `The target treats names that differ only in letter case as one name (lower_case_table_names is ${target.variables.get('lower_case_table_names')}), and the backup holds ${named(collisions)}.`,
    'Restore into a server with lower_case_table_names=0, a setting that is chosen when a server is installed. Or rename one name of each pair on the source and take another backup.',
    collisions,
  );
}

function tablesOf(database: InventoryDatabase): readonly string[] {
  return [...database.tables.map(({ name }) => name), ...tableLike.flatMap((kind) => database.objects[kind] ?? [])];
}

function collisionsOf(names: readonly string[]): readonly (readonly string[])[] {
  const folded = new Map<string, string[]>();
  for (const name of names) {
    const key = name.toLowerCase();
    folded.set(key, [...(folded.get(key) ?? []), name]);
  }
  return [...folded.values()].filter((all) => all.length > 1);
}

/**
 * The texts of objects from a server that folds names may spell a name differently from its stored form. On this target
 * such triggers cannot be created, and such routines fail when they are used.
 */
export function checkFoldedSpellings(target: Target, inventory: Inventory): readonly string[] {
  if (foldsNames(target) || inventory.nameCase !== 'FOLDED') return [];
  const needed = (need: string) => inventory.databases.flatMap(({ needs }) => needs?.[need] ?? []);
  const triggers = needed('folded triggers');
  if (triggers.length > 0) {
    throw unfit(
      `The target distinguishes names by letter case, and the server of the backup did not. These triggers name their table with another letter case than its stored name (error 1146): ${named(triggers)}.`,
      'On the source, create these triggers again with the name of the table in lower case, and take another backup. Or restore into a server with lower_case_table_names=1.',
      triggers,
    );
  }
  const programs = needed('folded programs');
  if (programs.length === 0) return [];
  return [
    `The target distinguishes names by letter case, and the server of the backup did not. These routines, triggers and events name tables with another letter case, and fail when they are used (error 1146): ${named(programs)}.`,
  ];
}
