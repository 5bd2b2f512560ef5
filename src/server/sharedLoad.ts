import { AsyncResource } from 'node:async_hooks';

/** How many rows one statement reads. Each statement's rows are parsed at once. */
const mostRows = 200;

type Waiter<Row> = { readonly resolve: (row: Row | null) => void; readonly reject: (error: unknown) => void };

/** The ids that one statement will read, with those who wait for them. */
type Batch<Row> = { readonly waiters: Map<string, Waiter<Row>[]>; readonly run: () => Promise<void> };

/**
 * Loads rows for all subscriptions of a process. One statement runs at a time. All rows that are requested meanwhile are read
 * by the next statements, and each id is read once. So a change that concerns a thousand subscriptions costs one read, and
 * the other connections to the database stay free for others. A statement begins after the request, so its result is never
 * older than the change.
 */
export function sharedLoad<Row>(
  read: (ids: readonly string[]) => Promise<readonly (Row | null)[]>,
): (id: string) => Promise<Row | null> {
  const waiting: Batch<Row>[] = [];
  let isRunning = false;

  async function settle(waiters: Batch<Row>['waiters']): Promise<void> {
    const ids = [...waiters.keys()];
    try {
      const rows = await read(ids);
      for (const [index, id] of ids.entries())
        for (const { resolve } of waiters.get(id) ?? []) resolve(rows[index] ?? null);
    } catch (error) {
      for (const all of waiters.values()) for (const { reject } of all) reject(error);
    }
  }

  async function runAll(): Promise<void> {
    isRunning = true;
    // Requests of this iteration of the event loop are read together.
    await new Promise(setImmediate);
    for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) await batch.run();
    isRunning = false;
  }

  /** The statement waits for the database as long as the first request of its batch does, and not as the batch before it. */
  function newBatch(): Batch<Row> {
    const waiters: Batch<Row>['waiters'] = new Map();
    return { waiters, run: AsyncResource.bind(() => settle(waiters)) };
  }

  return (id) =>
    new Promise((resolve, reject) => {
      let batch = waiting.find(({ waiters }) => waiters.has(id)) ?? waiting.at(-1);
      if (batch === undefined || (batch.waiters.size >= mostRows && !batch.waiters.has(id))) {
        batch = newBatch();
        waiting.push(batch);
      }
      const waiters = batch.waiters.get(id) ?? [];
      waiters.push({ resolve, reject });
      batch.waiters.set(id, waiters);
      if (!isRunning) void runAll();
    });
}
