import type { QueuedBytes } from './queuedBytes.js';

type Waiter = { readonly viewerKey: string; readonly enter: (leave: () => void) => void };

/** How many large answers are produced at the same time. */
const mostAtOnce = 2;

/**
 * Lets only a few large answers be produced at the same time, and none for a viewer whose clients have left too many bytes
 * unread. The viewer that produces the fewest is next. So the memory that answers need does not depend on the number of
 * requests.
 */
export class LargeAnswers {
  readonly #waiting: Waiter[] = [];
  readonly #producing = new Map<string, number>();
  readonly #queued: QueuedBytes;
  #count = 0;

  constructor(queued: QueuedBytes) {
    this.#queued = queued;
    queued.onLess(() => this.#admit());
  }

  /** Waits for room. Call the returned function when the answer has been produced. */
  enter(viewerKey: string): Promise<() => void> {
    return new Promise((enter) => {
      this.#waiting.push({ viewerKey, enter });
      this.#admit();
    });
  }

  #admit(): void {
    while (this.#count < mostAtOnce) {
      const next = this.#takeNext();
      if (next === undefined) return;
      const { viewerKey } = next;
      this.#count += 1;
      this.#producing.set(viewerKey, this.#producedBy(viewerKey) + 1);
      next.enter(() => {
        this.#count -= 1;
        const rest = this.#producedBy(viewerKey) - 1;
        if (rest > 0) this.#producing.set(viewerKey, rest);
        else this.#producing.delete(viewerKey);
        this.#admit();
      });
    }
  }

  #takeNext(): Waiter | undefined {
    let found: number | undefined;
    for (const [index, { viewerKey }] of this.#waiting.entries()) {
      if (!this.#queued.hasRoom(viewerKey)) continue;
      const best = this.#waiting[found ?? -1];
      if (best === undefined || this.#producedBy(viewerKey) < this.#producedBy(best.viewerKey)) found = index;
    }
    return found === undefined ? undefined : this.#waiting.splice(found, 1)[0];
  }

  #producedBy(viewerKey: string): number {
    return this.#producing.get(viewerKey) ?? 0;
  }
}
