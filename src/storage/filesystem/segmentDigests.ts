import { createHash } from 'node:crypto';
import type { StoredSegment } from '../storage.js';

/** Computes SHA-256 of the stream, at its end and at the end of each piece of `segmentBytes`, for a storage without segments. */
export class SegmentDigests {
  readonly #fromStart = createHash('sha256');
  readonly #segments: StoredSegment[] = [];
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
    this.#sizeBytes += chunk.byteLength;
    for (let at = 0; at < chunk.byteLength;) {
      const piece = chunk.subarray(at, at + this.segmentBytes - this.#filledBytes);
      this.#fromStart.update(piece);
      this.#filledBytes += piece.byteLength;
      at += piece.byteLength;
      if (this.#filledBytes === this.segmentBytes) this.#finishSegment();
    }
  }

  /** Call it once, after the last byte. */
  finish(): { sizeBytes: number; sha256: string; segments: readonly StoredSegment[] } {
    if (this.#filledBytes > 0) this.#finishSegment();
    return { sizeBytes: this.#sizeBytes, sha256: this.#fromStart.digest('hex'), segments: this.#segments };
  }

  #finishSegment(): void {
    this.#segments.push({ sizeBytes: this.#filledBytes, sha256FromStart: this.#fromStart.copy().digest('hex') });
    this.#filledBytes = 0;
  }
}
