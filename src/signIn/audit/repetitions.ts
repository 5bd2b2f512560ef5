import type { NewAuditEvent } from './auditEvent.js';

export type RepetitionLimits = { readonly windowMs: number; readonly mostStored: number };

/** From this number of different events in a window on, further ones are counted together. */
const mostKinds = 1_000;

type Counted = { readonly event: NewAuditEvent; attempts: number };

/**
 * Strangers must not fill the database. In each window the first of equal events is stored at once, and its repetitions are
 * stored as one event at the end of the window. At most `mostStored` events are stored in a window, and one further
 * event with the number of all others.
 */
export class Repetitions {
  #window = -1;
  #stored = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #counted = new Map<string, Counted>();
  /** By what happened: the events that are not stored one by one. */
  readonly #others = new Map<NewAuditEvent['what'], number>();

  constructor(
    private readonly limits: RepetitionLimits,
    private readonly store: (event: NewAuditEvent) => Promise<void>,
    private readonly nowMs: () => number,
  ) {}

  async add(event: NewAuditEvent): Promise<void> {
    const window = Math.floor(this.nowMs() / this.limits.windowMs);
    if (window !== this.#window) {
      this.#window = window;
      // What flush stores belongs to the window that has ended.
      const flushed = this.flush();
      this.#stored = 0;
      await flushed;
    }
    const { what, actor, clientAddress, projectId, operation, target, detail } = event;
    const key = JSON.stringify([what, actor, clientAddress, projectId, operation, target, detail]);
    const counted = this.#counted.get(key);
    if (counted !== undefined) counted.attempts += 1;
    else if (this.#counted.size >= mostKinds || this.#stored >= this.limits.mostStored) {
      this.#others.set(what, (this.#others.get(what) ?? 0) + 1);
    } else {
      this.#counted.set(key, { event, attempts: 0 });
      this.#stored += 1;
      await this.store(event);
    }
    this.#timer ??= setTimeout(() => void this.flush(), this.limits.windowMs).unref();
  }

  /** Stores the repetitions that were counted so far. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const repeated = [...this.#counted.values()].filter(({ attempts }) => attempts > 0);
    const room = Math.max(0, this.limits.mostStored - this.#stored);
    for (const { event, attempts } of repeated.slice(room)) this.#addOther(event.what, attempts);
    const others = [...this.#others];
    this.#counted.clear();
    this.#others.clear();
    this.#stored += Math.min(room, repeated.length);
    for (const { event, attempts } of repeated.slice(0, room)) await this.store({ ...event, attempts });
    for (const [what, attempts] of others) {
      await this.store({ what, attempts, detail: 'Further events of this kind, of several callers or addresses.' });
    }
  }

  #addOther(what: NewAuditEvent['what'], attempts: number): void {
    this.#others.set(what, (this.#others.get(what) ?? 0) + attempts);
  }
}
