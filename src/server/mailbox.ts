import { StowageError } from '../errors.js';

/** The source of a subscription. The writer never waits. The reader takes the next item when it is ready. */
export interface Mailbox<Item> extends AsyncIterableIterator<Item, undefined> {
  /** Items that wait for the reader. */
  readonly size: number;
  /** Ends the mailbox after the items that are waiting. */
  end(): void;
  /** Ends the mailbox at once with an error. The items that are waiting are dropped. */
  fail(error: Error): void;
  return(): Promise<IteratorResult<Item, undefined>>;
}

export interface ConflatingMailbox<Key, Item> extends Mailbox<Item> {
  /** Replaces a waiting item of the same key, which keeps its place in the order. Ignored after the end. */
  put(key: Key, item: Item): void;
}

export interface BoundedMailbox<Item> extends Mailbox<Item> {
  /** Ends the mailbox with SLOW_CONSUMER if more items than the limit wait. Ignored after the end. */
  put(item: Item): void;
}

/**
 * Keeps the latest item of each key, in the order in which the keys first changed. A slow reader skips states, but its last
 * state is always the latest one. The mailbox holds at most one item for each key.
 *
 * `onClose` is called once: when the reader leaves, or after the last item or the error was read. Unsubscribe there.
 */
export function conflatingMailbox<Key, Item>(onClose: () => void = ignore): ConflatingMailbox<Key, Item> {
  const waiting = new Map<Key, Item>();
  const reader = new Reader<Item>(onClose, {
    size: () => waiting.size,
    take() {
      const [key] = waiting.keys();
      const item = waiting.get(key as Key) as Item;
      waiting.delete(key as Key);
      return item;
    },
    clear: () => waiting.clear(),
  });
  return Object.assign(reader, {
    put(key: Key, item: Item) {
      if (reader.isOpen && !reader.handOver(item)) waiting.set(key, item);
    },
  });
}

/** Keeps every item in order, at most `limit` of them. A further item ends the mailbox with SLOW_CONSUMER. */
export function boundedMailbox<Item>(limit: number, onClose: () => void = ignore): BoundedMailbox<Item> {
  let waiting: Item[] = [];
  let taken = 0;
  const reader = new Reader<Item>(onClose, {
    size: () => waiting.length - taken,
    take() {
      const item = waiting[taken] as Item;
      taken += 1;
      if (taken * 2 > waiting.length) {
        waiting = waiting.slice(taken);
        taken = 0;
      }
      return item;
    },
    clear() {
      waiting = [];
      taken = 0;
    },
  });
  return Object.assign(reader, {
    put(item: Item) {
      if (!reader.isOpen || reader.handOver(item)) return;
      if (waiting.length - taken >= limit) {
        const message = `The subscriber left more than ${limit} events unread.`;
        reader.fail(new StowageError('SLOW_CONSUMER', message));
      } else waiting.push(item);
    },
  });
}

type Store<Item> = { size(): number; take(): Item; clear(): void };
type Waiter<Item> = { resolve(result: IteratorResult<Item, undefined>): void; reject(error: Error): void };

const ended = { done: true, value: undefined } as const;

class Reader<Item> implements Mailbox<Item> {
  readonly #onClose: () => void;
  readonly #store: Store<Item>;
  readonly #waiters: Waiter<Item>[] = [];
  #state: 'OPEN' | 'ENDING' | 'CLOSED' = 'OPEN';
  #failure: Error | undefined;

  constructor(onClose: () => void, store: Store<Item>) {
    this.#onClose = onClose;
    this.#store = store;
  }

  get size(): number {
    return this.#store.size();
  }

  get isOpen(): boolean {
    return this.#state === 'OPEN';
  }

  /** Gives the item to a reader that waits. False if none waits. */
  handOver(item: Item): boolean {
    const waiter = this.#waiters.shift();
    waiter?.resolve({ done: false, value: item });
    return waiter !== undefined;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.#failure !== undefined) {
      const error = this.#failure;
      this.#failure = undefined;
      return Promise.reject(error);
    }
    if (this.#store.size() > 0) return Promise.resolve({ done: false, value: this.#store.take() });
    if (this.#state === 'ENDING') this.#close();
    if (this.#state === 'CLOSED') return Promise.resolve(ended);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Item, undefined>> {
    this.#close();
    return Promise.resolve(ended);
  }

  throw(error: unknown): Promise<never> {
    this.#close();
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }

  end(): void {
    if (this.#state !== 'OPEN') return;
    this.#state = 'ENDING';
    if (this.#store.size() === 0) this.#close();
  }

  fail(error: Error): void {
    if (this.#state === 'CLOSED') return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#failure = error;
    else waiter.reject(error);
    this.#close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #close(): void {
    if (this.#state === 'CLOSED') return;
    this.#state = 'CLOSED';
    this.#store.clear();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(ended);
    this.#onClose();
  }
}

function ignore(): void {
  // Nothing to release.
}
