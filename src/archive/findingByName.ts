import type { Inventory } from '../engines/inventory.js';

/**
 * Finds things of an inventory by name. Where its server folds names, a thing that is not there in the given spelling
 * is found in lower case.
 */
export function findingByName<T extends { readonly name: string }>(
  all: readonly T[],
  { nameCase = 'FOLDED' }: Pick<Inventory, 'nameCase'>,
): (name: string) => T | undefined {
  const byName = new Map(all.map((each) => [each.name, each]));
  return (name) => byName.get(name) ?? (nameCase === 'FOLDED' ? byName.get(name.toLowerCase()) : undefined);
}
