import type { PutOptions } from './storage.js';

/** Tells `onProgress` after each confirmed segment, and twice a second while bytes move; never a smaller figure. */
export class ProgressTeller {
  #storedBytes = 0;
  #segments = 0;
  #toldAt = 0;

  constructor(
    private readonly onProgress: PutOptions['onProgress'],
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** `storedBytes`: what was handed to the storage so far. A segment that is sent again does not count twice. */
  moved(storedBytes: number): void {
    this.#storedBytes = Math.max(this.#storedBytes, storedBytes);
    if (this.now() - this.#toldAt >= 500) this.#tell();
  }

  confirmed(storedBytes: number): void {
    this.#storedBytes = Math.max(this.#storedBytes, storedBytes);
    this.#segments += 1;
    this.#tell();
  }

  #tell(): void {
    this.#toldAt = this.now();
    this.onProgress?.({ storedBytes: this.#storedBytes, segments: this.#segments });
  }
}
