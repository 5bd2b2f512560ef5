import type { PutOptions } from './storage.js';

/** Calls `onProgress` after each confirmed segment, and twice a second while bytes move. The figures never decrease. */
export class ProgressReporter {
  #storedBytes = 0;
  #segments = 0;
  #reportedAt = 0;

  constructor(
    private readonly onProgress: PutOptions['onProgress'],
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The bytes that were sent to the storage so far. A segment that is sent again does not count twice. */
  moved(storedBytes: number): void {
    this.#storedBytes = Math.max(this.#storedBytes, storedBytes);
    if (this.now() - this.#reportedAt >= 500) this.#report();
  }

  confirmed(storedBytes: number): void {
    this.#storedBytes = Math.max(this.#storedBytes, storedBytes);
    this.#segments += 1;
    this.#report();
  }

  #report(): void {
    this.#reportedAt = this.now();
    this.onProgress?.({ storedBytes: this.#storedBytes, segments: this.#segments });
  }
}
