/** The words of an order. Half of the bytes are such words, and the rest are numbers and a token that does not compress. */
const words = 'harbour,crane,pallet,northbound,delayed,customs,cleared,refrigerated,fragile,night shift,berth,manifest';

/** The approximate size of a row in a dump. */
export const orderBytes = 258;
export const ordersOf = (gib: number) => Math.max(100, Math.round((gib * 1024 ** 3) / orderBytes));

const names = words.split(',');

/** An SQL expression for one of the words. `pick` is an SQL expression for a number that is not negative. */
export function wordOf(pick: string, choose: (pick: string, values: readonly string[]) => string): string {
  return choose(
    pick,
    names.map((name) => `'${name}'`),
  );
}

export function word(seed: number): string {
  return names[seed % names.length] ?? '';
}
