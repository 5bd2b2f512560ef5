/** The time after which only half of an amount still counts. */
const halfLifeMs = 1_000;

/** How much a client has used of the process lately, in microseconds. Older use counts less and less. */
export class Usage {
  #amount = 0;
  #at: number;

  constructor(now: number = performance.now()) {
    this.#at = now;
  }

  add(microseconds: number, now: number = performance.now()): void {
    this.#amount = this.lately(now) + microseconds;
    this.#at = now;
  }

  lately(now: number = performance.now()): number {
    return this.#amount * 2 ** ((this.#at - now) / halfLifeMs);
  }
}
