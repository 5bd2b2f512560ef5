import type { BatchLoadFn } from 'dataloader';
import DataLoader from 'dataloader';

/**
 * The loaders of one request or of one subscription event. They batch reads, so that a list of jobs reads its services in
 * one query. Every event gets new loaders, because old ones would return outdated values.
 */
export class Loaders {
  readonly #loaders = new Map<unknown, unknown>();

  /**
   * The loader of a batch function. The function is also the key of the loader, so pass the same function each time (a
   * field or a constant, and no arrow function at the call). It gets at most 500 keys and returns the values in their
   * order, null if missing.
   */
  of<Key, Value>(batch: BatchLoadFn<Key, Value>): DataLoader<Key, Value> {
    const known = this.#loaders.get(batch) as DataLoader<Key, Value> | undefined;
    if (known !== undefined) return known;
    const made = new DataLoader<Key, Value>(batch, { maxBatchSize: 500 });
    this.#loaders.set(batch, made);
    return made;
  }
}
