import { createHash } from 'node:crypto';
import type { StoredSegment } from '../storage.js';

/** Computes the SHA-256 of the whole stream and of each piece of `segmentBytes`, for a storage without segments. */
export class SegmentDigests {
  readonly #whole = createHash('sha256');
  readonly #segments: StoredSegment[] = [];
  #current = createHash('sha256');
  #filledBytes = 0;
  #sizeBytes = 0;

  constructor(private readonly segmentBytes: number) {}

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get completeSegments(): number {
    return this.#segments.length;
  }

  update(chunk: Uint8Array): void {
    this.#whole.update(chunk);
    this.#sizeBytes += chunk.byteLength;
    for (let at = 0; at < chunk.byteLength;) {
      const piece = chunk.subarray(at, at + this.segmentBytes - this.#filledBytes);
      this.#current.update(piece);
      this.#filledBytes += piece.byteLength;
      at += piece.byteLength;
      if (this.#filledBytes === this.segmentBytes) this.#finishSegment();
    }
  }

  /** Call it once, after the last byte. */
  finish(): { sizeBytes: number; sha256: string; segments: readonly StoredSegment[] } {
    if (this.#filledBytes > 0) this.#finishSegment();
    return { sizeBytes: this.#sizeBytes, sha256: this.#whole.digest('hex'), segments: this.#segments };
  }

  #finishSegment(): void {
    this.#segments.push({ sizeBytes: this.#filledBytes, sha256: this.#current.digest('hex') });
    this.#current = createHash('sha256');
    this.#filledBytes = 0;
  }
}
