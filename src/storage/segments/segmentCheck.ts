import { createHash, type Hash } from 'node:crypto';
import type { StoredObject } from '../storage.js';

/** How the bytes of a segment compare with its checksum. */
export type SegmentVerdict = 'INCOMPLETE' | 'SAME' | 'DIFFERENT';

/**
 * Compares the bytes of an object, from its beginning, with its recorded checksums, segment by segment. One pass of
 * SHA-256 is enough: a segment is the same if the object is the same up to the end of this segment. Only objects of
 * earlier versions need a second pass, because they have a checksum for each segment alone.
 */
export class SegmentCheck {
  readonly #fromStart = createHash('sha256');
  #alone: Hash | undefined;
  #index = 0;
  #filledBytes = 0;

  constructor(private readonly stored: Pick<StoredObject, 'segments' | 'sha256'>) {
    this.#begin();
  }

  /** The present segment, counted from 0. */
  get index(): number {
    return this.#index;
  }

  /** How many bytes of the present segment are missing. 0: every segment is complete. */
  get missingBytes(): number {
    return (this.stored.segments[this.#index]?.sizeBytes ?? 0) - this.#filledBytes;
  }

  /** Adds bytes of the present segment, at most `missingBytes`. */
  add(piece: Uint8Array): SegmentVerdict {
    this.#fromStart.update(piece);
    this.#alone?.update(piece);
    this.#filledBytes += piece.byteLength;
    if (this.missingBytes > 0) return 'INCOMPLETE';
    const isSame = this.#isSame();
    this.#index += 1;
    this.#begin();
    return isSame ? 'SAME' : 'DIFFERENT';
  }

  /** Whether all bytes were added and are the same. Call it once, after the last byte. */
  isWhole(): boolean {
    return this.missingBytes === 0 && this.#fromStart.digest('hex') === this.stored.sha256;
  }

  #begin(): void {
    this.#filledBytes = 0;
    const segment = this.stored.segments[this.#index];
    this.#alone = segment !== undefined && 'sha256' in segment ? createHash('sha256') : undefined;
  }

  #isSame(): boolean {
    const segment = this.stored.segments[this.#index];
    if (segment === undefined) return false;
    if ('sha256' in segment) return this.#alone?.digest('hex') === segment.sha256;
    return this.#fromStart.copy().digest('hex') === segment.sha256FromStart;
  }
}
