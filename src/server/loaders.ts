import type { BatchLoadFn } from 'dataloader';
import DataLoader from 'dataloader';

/**
 * One request's, or one subscription event's, memory of what it has read, so that a list of jobs asks for its services
 * in one query. A new one is made for every event: an old one would answer what was true before.
 */
export class Loaders {
  readonly #loaders = new Map<unknown, unknown>();

  /**
   * The loader of a batch function, which is also its key: pass the same function each time (a field or constant, not
   * an arrow written at the call). It gets at most 500 keys and answers in their order, null for what is not there.
   */
  of<Key, Value>(batch: BatchLoadFn<Key, Value>): DataLoader<Key, Value> {
    const known = this.#loaders.get(batch) as DataLoader<Key, Value> | undefined;
    if (known !== undefined) return known;
    const made = new DataLoader<Key, Value>(batch, { maxBatchSize: 500 });
    this.#loaders.set(batch, made);
    return made;
  }
}
