import type { Position, RecordedEvent } from '../eventSourcing/event.js';
import type { Feed } from '../eventSourcing/feed.js';
import { conflatingMailbox } from './mailbox.js';

/** An object that has changed, or was reported, since the reader last took it. The reader loads the object itself. */
export type ChangedObject = {
  readonly id: string;
  /**
   * The position just before the first of its events that the reader has not taken yet. Undefined: no event changed the
   * object, it was only reported.
   */
  readonly since: Position | undefined;
  /** Whether the object was seeded and has not changed since. */
  readonly isSeed: boolean;
};

/**
 * The objects that changed, in the order of their changes. It holds only ids, so that a slow reader costs one entry for
 * each object.
 */
export type ChangedObjects = {
  /** The position up to which this process had delivered events when listening began. Every later event is reported. */
  readonly from: Position;
  /** Puts the first objects before the objects that have changed meanwhile, and READY between them. */
  seed(ids: readonly string[], since: Position | undefined): void;
  /** Reports an object that has changed without an event. */
  report(id: string): void;
  /** Undefined: the reader has left. */
  next(): Promise<ChangedObject | 'READY' | undefined>;
  /** The position up to which events were delivered to this process. */
  delivered(): Position;
  /** Every event up to here was taken, so a reader that continues after it misses nothing. It never decreases. */
  position(): Position;
  close(): void;
};

const ready = 'READY';

/**
 * Listens from this call on. `idOf` returns the id of the object that an event changes, or undefined if the event does not
 * concern the reader. The caller must call `close` in any case.
 */
export function listenToChanges(feed: Feed, idOf: (event: RecordedEvent) => string | undefined): ChangedObjects {
  const waiting = new WaitingObjects();
  /** The keys of the waiting objects, in the order in which they are taken. */
  const keys = conflatingMailbox<string, string>();
  let isSeeded = false;
  let latest: Position;

  function add(id: string, since: Position | undefined): void {
    waiting.add(id, since);
    if (isSeeded) keys.put(id, id);
  }

  const subscription = feed.subscribe((event) => {
    latest = event.position;
    const id = idOf(event);
    if (id !== undefined) add(id, event.position - 1n);
  });
  latest = subscription.from;

  return {
    from: subscription.from,

    seed(ids, since) {
      for (const key of waiting.seed(ids, since)) keys.put(key, key);
      isSeeded = true;
    },

    report: (id) => add(id, undefined),

    async next() {
      for (;;) {
        const { done, value: key } = await keys.next();
        if (done === true) return undefined;
        const taken = waiting.take(key);
        // Undefined: the object was taken together with an earlier change.
        if (taken !== undefined) return key === ready ? ready : { id: key, ...taken };
      }
    },

    delivered: () => latest,
    position: () => waiting.firstSince() ?? latest,

    close() {
      subscription.close();
      void keys.return();
    },
  };
}

type Entry = Omit<ChangedObject, 'id'>;

/** The objects that wait for the reader, by id, and READY. Entries with a `since` are sorted by it. */
class WaitingObjects {
  readonly #entries = new Map<string, Entry>();

  add(id: string, since: Position | undefined): void {
    const known = this.#entries.get(id);
    if (known === undefined) this.#entries.set(id, { since, isSeed: false });
    else if (known.since === undefined && since !== undefined) this.#putLast(id, { since, isSeed: known.isSeed });
  }

  /** Returns all keys in the order in which they will be taken. */
  seed(ids: readonly string[], since: Position | undefined): readonly string[] {
    const meanwhile = [...this.#entries];
    this.#entries.clear();
    for (const id of ids) this.#entries.set(id, { since, isSeed: true });
    this.#entries.set(ready, { since: undefined, isSeed: true });
    for (const [id, entry] of meanwhile) {
      const isSeed = this.#entries.has(id);
      if (!isSeed || (since === undefined && entry.since !== undefined)) {
        this.#putLast(id, { since: entry.since, isSeed });
      }
    }
    return [...ids, ready, ...meanwhile.map(([id]) => id)];
  }

  take(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    return entry;
  }

  firstSince(): Position | undefined {
    for (const { since } of this.#entries.values()) if (since !== undefined) return since;
    return undefined;
  }

  #putLast(id: string, entry: Entry): void {
    this.#entries.delete(id);
    this.#entries.set(id, entry);
  }
}
