import type { Inventory } from '../engines/inventory.js';

/**
 * Finds objects of an inventory by name. If its server folds names, an object that does not exist in the given spelling
 * is searched in lower case.
 */
export function findingByName<T extends { readonly name: string }>(
  all: readonly T[],
  { nameCase = 'FOLDED' }: Pick<Inventory, 'nameCase'>,
): (name: string) => T | undefined {
  const byName = new Map(all.map((each) => [each.name, each]));
  return (name) => byName.get(name) ?? (nameCase === 'FOLDED' ? byName.get(name.toLowerCase()) : undefined);
}
