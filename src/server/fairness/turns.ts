import type { Usage } from './usage.js';

/** Who asks for a turn: an answer, on a connection of a viewer. */
export type Claimant = { readonly answer: Usage; readonly connection: Usage; readonly viewer: Usage };

type Waiter = { readonly claimant: Claimant; readonly begin: () => void };

/** By what the next turn is given. What comes later decides between those that are equal. */
const orders = [
  ['viewer', 'connection', 'answer'],
  ['answer', 'viewer', 'connection'],
  ['connection', 'viewer', 'answer'],
] as const;

/** Who has used less than this lately, in microseconds, counts as one who has used nothing. The first of these is next. */
const littleUse = { answer: 100, connection: 25_000, viewer: 25_000 } as const;

/** How long work may run before the event loop continues with something else. */
const sliceMs = 5;

/**
 * Divides the time of the process among its clients. Work runs in slices of a few milliseconds. In one iteration of the
 * event loop all work together gets one slice, so that I/O, timers and other requests wait no longer than that. The next
 * slice goes in turns to the viewer, to the answer and to the connection that have used the least lately. So a new request
 * of a quiet client starts before the rest of a heavy one, and a small answer never waits for all heavy ones.
 */
export class Turns {
  readonly #waiting: Waiter[] = [];
  /** When the work of this iteration of the event loop began. Undefined: there was none. */
  #beganAt: number | undefined;
  /** The answer that the slice of this iteration was given to. */
  #served: Usage | undefined;
  #turn = 0;

  /** Returns undefined if work may go on at once. Otherwise a promise of its next slice. */
  next(claimant: Claimant): Promise<void> | undefined {
    if ((this.#waiting.length === 0 || this.#served === claimant.answer) && !this.#isOver()) return undefined;
    return new Promise((begin) => {
      this.#waiting.push({ claimant, begin });
      if (this.#waiting.length === 1 && this.#beganAt === undefined) this.#follow();
    });
  }

  #isOver(): boolean {
    const now = performance.now();
    if (this.#beganAt === undefined) {
      this.#beganAt = now;
      this.#follow();
    }
    return now - this.#beganAt > sliceMs;
  }

  /** At the end of this iteration of the event loop. */
  #follow(): void {
    setImmediate(() => {
      this.#beganAt = undefined;
      this.#served = undefined;
      const waiter = this.#takeNext();
      if (waiter === undefined) return;
      this.#beganAt = performance.now();
      this.#served = waiter.claimant.answer;
      this.#follow();
      waiter.begin();
    });
  }

  #takeNext(): Waiter | undefined {
    this.#turn += 1;
    const order = orders[this.#turn % orders.length] ?? orders[0];
    const now = performance.now();
    let first = 0;
    let least: readonly number[] = [];
    for (const [index, { claimant }] of this.#waiting.entries()) {
      const used = order.map((by) => Math.max(0, claimant[by].lately(now) - littleUse[by]));
      if (index > 0 && !isLess(used, least)) continue;
      [first, least] = [index, used];
    }
    return this.#waiting.splice(first, 1)[0];
  }
}

function isLess(some: readonly number[], others: readonly number[]): boolean {
  const place = some.findIndex((amount, index) => amount !== others[index]);
  return place >= 0 && (some[place] ?? 0) < (others[place] ?? 0);
}
