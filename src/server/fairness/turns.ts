import type { Usage } from './usage.js';

/** Who asks for a turn: a connection, and its viewer. */
export type Claimant = { readonly connection: Usage; readonly viewer: Usage };

type Waiter = { readonly claimant: Claimant; readonly begin: () => void };

/** How long work may run before the event loop continues with something else. */
const sliceMs = 5;

/**
 * Divides the time of the process among its clients. Work runs in slices of a few milliseconds. In one iteration of the
 * event loop all work together gets one slice, so that I/O, timers and other requests wait no longer than that. The next
 * slice goes alternately to the connection and to the viewer that have used the least lately. So a new request of a quiet
 * client starts before the rest of a heavy one.
 */
export class Turns {
  readonly #waiting: Waiter[] = [];
  /** When the work of this iteration of the event loop began. Undefined: there was none. */
  #beganAt: number | undefined;
  #byViewer = false;

  /** Returns undefined if work may go on at once. Otherwise a promise of its next slice. */
  next(claimant: Claimant): Promise<void> | undefined {
    if (this.#waiting.length === 0 && !this.#isOver()) return undefined;
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
      const waiter = this.#takeNext();
      if (waiter === undefined) return;
      this.#beganAt = performance.now();
      this.#follow();
      waiter.begin();
    });
  }

  #takeNext(): Waiter | undefined {
    this.#byViewer = !this.#byViewer;
    const now = performance.now();
    const usedBy = ({ claimant }: Waiter) => {
      const [viewer, connection] = [claimant.viewer.lately(now), claimant.connection.lately(now)];
      return this.#byViewer ? [viewer, connection] : [connection, viewer];
    };
    let [first, least] = [0, [Infinity, Infinity]];
    for (const [index, waiter] of this.#waiting.entries()) {
      const used = usedBy(waiter);
      const [one = 0, other = 0] = used;
      if (one > (least[0] ?? 0) || (one === least[0] && other >= (least[1] ?? 0))) continue;
      [first, least] = [index, used];
    }
    return this.#waiting.splice(first, 1)[0];
  }
}
