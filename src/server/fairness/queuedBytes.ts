/** The most bytes that may wait to be read by clients. */
export type QueueLimits = { readonly ofViewer: number; readonly inTotal: number };

/** Counts the bytes that were produced and that clients have not read yet, for each viewer and in total. */
export class QueuedBytes {
  readonly #limits: QueueLimits;
  readonly #ofViewers = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  #total = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** Whether more may be produced for this viewer. */
  hasRoom(viewerKey: string): boolean {
    return (this.#ofViewers.get(viewerKey) ?? 0) < this.#limits.ofViewer && this.#total < this.#limits.inTotal;
  }

  /** Returns the function that takes the bytes out of the count. It is idempotent. */
  add(viewerKey: string, bytes: number): () => void {
    this.#change(viewerKey, bytes);
    let isCounted = true;
    return () => {
      if (!isCounted) return;
      isCounted = false;
      this.#change(viewerKey, -bytes);
      for (const listener of this.#listeners) listener();
    };
  }

  /** Calls the listener whenever bytes were read. Returns the function that ends this. */
  onLess(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #change(viewerKey: string, bytes: number): void {
    this.#total += bytes;
    const queued = (this.#ofViewers.get(viewerKey) ?? 0) + bytes;
    if (queued > 0) this.#ofViewers.set(viewerKey, queued);
    else this.#ofViewers.delete(viewerKey);
  }
}
