type Waiter = { readonly key: string | undefined; readonly begin: (leave: () => void) => void };

/** How many places one key leaves to the others. */
const leftToOthers = 2;

/**
 * Divides a number of places among keys, such as the connections of a pool among viewers. A free place goes to the key that
 * holds the fewest, and one key never holds the last two places. So a viewer whose requests need many places does not hold
 * up the others. The process's own work has no key, and may hold all places.
 */
export class FairPlaces {
  readonly #waiting: Waiter[] = [];
  readonly #held = new Map<string | undefined, number>();
  readonly #most: number;
  readonly #mostOfOne: number;
  #total = 0;

  constructor(most: number) {
    this.#most = most;
    this.#mostOfOne = Math.max(1, most - leftToOthers);
  }

  /**
   * Calls `begin` as soon as there is a place, possibly at once. `begin` receives the idempotent function that gives the
   * place back. The result ends the wait; it has no effect after `begin` was called.
   */
  enter(key: string | undefined, begin: Waiter['begin']): () => void {
    const waiter = { key, begin };
    this.#waiting.push(waiter);
    this.#admit();
    return () => {
      const index = this.#waiting.indexOf(waiter);
      if (index >= 0) this.#waiting.splice(index, 1);
    };
  }

  #admit(): void {
    while (this.#total < this.#most) {
      const next = this.#takeNext();
      if (next === undefined) return;
      const { key, begin } = next;
      this.#change(key, 1);
      let isHeld = true;
      begin(() => {
        if (!isHeld) return;
        isHeld = false;
        this.#change(key, -1);
        this.#admit();
      });
    }
  }

  #takeNext(): Waiter | undefined {
    let found: number | undefined;
    let least = Infinity;
    for (const [index, { key }] of this.#waiting.entries()) {
      const held = this.#heldBy(key);
      if (held >= least || (key !== undefined && held >= this.#mostOfOne)) continue;
      [found, least] = [index, held];
    }
    return found === undefined ? undefined : this.#waiting.splice(found, 1)[0];
  }

  #heldBy(key: string | undefined): number {
    return this.#held.get(key) ?? 0;
  }

  #change(key: string | undefined, by: number): void {
    this.#total += by;
    const held = this.#heldBy(key) + by;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
  }
}
