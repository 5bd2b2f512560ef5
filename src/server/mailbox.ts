import { StowageError } from '../errors.js';

/** What a subscription reads from. The writer never waits; the reader takes what is there when it is ready. */
export interface Mailbox<Item> extends AsyncIterableIterator<Item, undefined> {
  /** Items that wait for the reader. */
  readonly size: number;
  /** No more will come: the reader gets what is left and then the end. */
  end(): void;
  /** The reader gets the error at once, in the place of what is left. */
  fail(error: Error): void;
  return(): Promise<IteratorResult<Item, undefined>>;
}

export interface ConflatingMailbox<Key, Item> extends Mailbox<Item> {
  /** Replaces what waits under the same key and keeps its turn. Ignored after the end. */
  put(key: Key, item: Item): void;
}

export interface BoundedMailbox<Item> extends Mailbox<Item> {
  /** Ends the reader with SLOW_CONSUMER when more than the limit wait. Ignored after the end. */
  put(item: Item): void;
}

/**
 * Keeps the latest item of each key, in the order in which the keys first changed: a slow reader skips states but
 * never ends on an old one. It holds at most one item a key.
 *
 * `onClose` is called once, when the reader leaves or has got the last item or the error; unsubscribe there.
 */
export function conflatingMailbox<Key, Item>(onClose: () => void = ignore): ConflatingMailbox<Key, Item> {
  const waiting = new Map<Key, Item>();
  const reader = readerOf<Item>(onClose, {
    size: () => waiting.size,
    take() {
      const [key] = waiting.keys();
      const item = waiting.get(key as Key) as Item;
      waiting.delete(key as Key);
      return item;
    },
    clear: () => waiting.clear(),
  });
  return Object.assign(reader.mailbox, {
    put(key: Key, item: Item) {
      if (reader.isOpen() && !reader.handOver(item)) waiting.set(key, item);
    },
  });
}

/** Keeps every item in order, at most `limit` of them; one more ends the reader with SLOW_CONSUMER. */
export function boundedMailbox<Item>(limit: number, onClose: () => void = ignore): BoundedMailbox<Item> {
  let waiting: Item[] = [];
  let taken = 0;
  const reader = readerOf<Item>(onClose, {
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
  return Object.assign(reader.mailbox, {
    put(item: Item) {
      if (!reader.isOpen() || reader.handOver(item)) return;
      if (waiting.length - taken >= limit) {
        const message = `The subscriber left more than ${limit} events unread.`;
        reader.mailbox.fail(new StowageError('SLOW_CONSUMER', message));
      } else waiting.push(item);
    },
  });
}

type Store<Item> = { size(): number; take(): Item; clear(): void };
type Waiter<Item> = { resolve(result: IteratorResult<Item, undefined>): void; reject(error: Error): void };

function readerOf<Item>(onClose: () => void, store: Store<Item>) {
  const waiters: Waiter<Item>[] = [];
  const ended: IteratorResult<Item, undefined> = { done: true, value: undefined };
  let state: 'OPEN' | 'ENDING' | 'CLOSED' = 'OPEN';
  let failure: Error | undefined;

  const close = () => {
    if (state === 'CLOSED') return;
    state = 'CLOSED';
    store.clear();
    for (const waiter of waiters.splice(0)) waiter.resolve(ended);
    onClose();
  };

  const mailbox: Mailbox<Item> = {
    get size() {
      return store.size();
    },
    next() {
      if (failure !== undefined) {
        const error = failure;
        failure = undefined;
        return Promise.reject(error);
      }
      if (store.size() > 0) {
        const value = store.take();
        return Promise.resolve({ done: false, value });
      }
      if (state === 'ENDING') close();
      if (state === 'CLOSED') return Promise.resolve(ended);
      return new Promise((resolve, reject) => waiters.push({ resolve, reject }));
    },
    return() {
      close();
      return Promise.resolve(ended);
    },
    throw(error: unknown) {
      close();
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    },
    end() {
      if (state !== 'OPEN') return;
      state = 'ENDING';
      if (store.size() === 0) close();
    },
    fail(error: Error) {
      if (state === 'CLOSED') return;
      const waiter = waiters.shift();
      if (waiter === undefined) failure = error;
      else waiter.reject(error);
      close();
    },
    [Symbol.asyncIterator]() {
      return mailbox;
    },
  };

  return {
    mailbox,
    isOpen: () => state === 'OPEN',
    handOver(item: Item): boolean {
      const waiter = waiters.shift();
      waiter?.resolve({ done: false, value: item });
      return waiter !== undefined;
    },
  };
}

function ignore(): void {
  // Nothing to release.
}
