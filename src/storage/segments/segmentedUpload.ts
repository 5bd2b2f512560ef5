import { createHash } from 'node:crypto';
import { interruptible } from '../interruptible.js';
import { ProgressReporter } from '../progressReporter.js';
import type { PutOptions, StoredObject, StoredSegment } from '../storage.js';
import type { HttpBody } from '../http/httpClient.js';
import { Segment } from './segment.js';
import type { Reservation, SegmentMemory } from './segmentMemory.js';

export type SegmentSizes = {
  /** The first `smallSegments` segments have this size, the later ones `largeSegmentBytes`. */
  readonly smallSegmentBytes: number;
  readonly largeSegmentBytes: number;
  readonly smallSegments: number;
  /** The number of segments that are sent at the same time. */
  readonly concurrency: number;
};

/** A segment that is ready to be sent: a full one, or the last one. */
export type SegmentToStore = {
  /** Counts from 0. */
  readonly index: number;
  readonly sizeBytes: number;
  /** Hex. */
  readonly md5: string;
  readonly body: HttpBody;
};

/**
 * The actions of a storage for the segments of one upload. Each method resolves when the storage has confirmed the
 * bytes.
 */
export interface SegmentTarget {
  readonly limits: { readonly maxSegments: number; readonly maxSegmentBytes: number };
  /** Returns the error for a stream that needs more than `maxSegments` segments. */
  tooLarge(): Error;
  /** Returns the etag of the segment. */
  storeSegment(segment: SegmentToStore, signal: AbortSignal): Promise<string>;
  /** Stores a stream that ended within its first segment as a plain object. Returns its etag. */
  storeWhole(segment: SegmentToStore, signal: AbortSignal): Promise<string>;
  /**
   * Makes the object of all segments visible. Call `onAnswer` for each answer of the storage if this needs several.
   * `manifestBytes`: see StoredObject; 0 if there are none.
   */
  complete(
    segments: readonly StoredSegment[],
    signal: AbortSignal,
    onAnswer: () => void,
  ): Promise<{ readonly etag: string; readonly manifestBytes: number }>;
  /**
   * Called once after a failure, when no segment is being sent any more. After it no object may stay visible.
   * `isAwaited`: the caller has aborted and waits, so this must be quick. Never throws.
   */
  abandon(isAwaited: boolean): Promise<void>;
}

/**
 * Stores a stream as segments while it flows, several at a time. The object becomes visible when every segment is
 * confirmed. `memory` limits the memory for a stream of any length. Throws the error of the source, the target or the
 * signal, after `abandon`.
 */
export async function uploadInSegments(
  target: SegmentTarget,
  memory: SegmentMemory,
  sizes: SegmentSizes,
  source: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<StoredObject> {
  const largest = Math.min(Math.max(sizes.smallSegmentBytes, sizes.largeSegmentBytes), target.limits.maxSegmentBytes);
  const reservation = memory.reserve(largest);
  try {
    return await new Upload(target, reservation, sizes, options).run(source);
  } finally {
    reservation.end();
  }
}

class Upload {
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  /** Of all bytes so far. It is the checksum of the object, and of each segment from the beginning of the object. */
  readonly #sha256 = createHash('sha256');
  readonly #underWay = new Set<Promise<void>>();
  readonly #confirmed: StoredSegment[] = [];
  readonly #sentOfSegment = new Map<number, number>();
  readonly #progress: ProgressReporter;
  #confirmedBytes = 0;

  constructor(
    private readonly target: SegmentTarget,
    private readonly memory: Reservation,
    private readonly sizes: SegmentSizes,
    private readonly options: PutOptions,
  ) {
    this.#signal = AbortSignal.any([options.signal, this.#failure.signal]);
    this.#progress = new ProgressReporter(options.onProgress);
  }

  async run(source: AsyncIterable<Uint8Array>): Promise<StoredObject> {
    try {
      const last = await this.#sendAllButTheLast(source);
      const sha256 = this.#sha256.copy().digest('hex');
      if (last.index === 0 && !last.isFull) return await this.#storeWhole(last, sha256);
      if (last.sizeBytes > 0) this.#start(last);
      await Promise.all(this.#underWay);
      this.#signal.throwIfAborted();
      const segments = this.#confirmed;
      const { onAnswer = () => undefined } = this.options;
      const { etag, manifestBytes } = await this.target.complete(segments, this.#signal, onAnswer);
      return {
        sizeBytes: this.#confirmedBytes,
        sha256,
        etag,
        segments,
        ...(manifestBytes === 0 ? {} : { manifestBytes }),
      };
    } catch (error) {
      this.#failure.abort(error);
      await Promise.all(this.#underWay);
      await this.target.abandon(this.options.signal.aborted);
      throw error;
    }
  }

  /**
   * Returns the segment at the end of the stream. It is not sent yet, may be empty, and is full only if it is the only
   * one.
   */
  async #sendAllButTheLast(source: AsyncIterable<Uint8Array>): Promise<Segment> {
    let segment = this.#newSegment(0);
    try {
      for await (const chunk of interruptible(source, this.#signal)) {
        for (let at = 0; at < chunk.byteLength;) {
          if (segment.isFull) {
            await this.#waitForRoom();
            this.#start(segment);
            segment = this.#newSegment(segment.index + 1);
          }
          const filledBytes = await segment.fill(chunk.subarray(at), this.#signal);
          this.#sha256.update(chunk.subarray(at, at + filledBytes));
          at += filledBytes;
        }
      }
      return segment;
    } catch (error) {
      segment.free();
      throw error;
    }
  }

  #newSegment(index: number): Segment {
    const { maxSegments, maxSegmentBytes } = this.target.limits;
    if (index >= maxSegments) throw this.target.tooLarge();
    const { smallSegments, smallSegmentBytes, largeSegmentBytes } = this.sizes;
    const wanted = index < smallSegments ? smallSegmentBytes : largeSegmentBytes;
    return new Segment(index, Math.min(wanted, maxSegmentBytes), this.memory);
  }

  async #waitForRoom(): Promise<void> {
    while (this.#underWay.size >= this.sizes.concurrency) await Promise.race(this.#underWay);
    this.#signal.throwIfAborted();
  }

  /**
   * Sends a segment in the background. Its failure ends the whole upload through the signal. Call it before a byte of the
   * next segment is added.
   */
  #start(segment: Segment): void {
    const sending = this.#sendSegment(segment, this.#sha256.copy().digest('hex'))
      .catch((error: unknown) => this.#failure.abort(error))
      .finally(() => {
        segment.free();
        this.#underWay.delete(sending);
      });
    this.#underWay.add(sending);
  }

  async #sendSegment(segment: Segment, sha256FromStart: string): Promise<void> {
    const { index, sizeBytes } = segment;
    const md5 = segment.md5();
    const body = segment.body(this.#countSent(segment));
    const etag = await this.target.storeSegment({ index, sizeBytes, md5, body }, this.#signal);
    this.#confirmed[index] = { sizeBytes, sha256FromStart, etag };
    this.#sentOfSegment.delete(index);
    this.#confirmedBytes += sizeBytes;
    this.#progress.confirmed(this.#confirmedBytes + this.#sentBytes());
  }

  async #storeWhole(segment: Segment, sha256: string): Promise<StoredObject> {
    const { index, sizeBytes } = segment;
    const md5 = segment.md5();
    const body = segment.body(this.#countSent(segment));
    try {
      const etag = await this.target.storeWhole({ index, sizeBytes, md5, body }, this.#signal);
      if (sizeBytes > 0) this.#progress.confirmed(sizeBytes);
      const segments = sizeBytes === 0 ? [] : [{ sizeBytes, sha256FromStart: sha256, etag }];
      return { sizeBytes, sha256, etag, segments };
    } finally {
      segment.free();
    }
  }

  #countSent(segment: Segment): (sentBytes: number) => void {
    return (sentBytes) => {
      this.#sentOfSegment.set(segment.index, sentBytes);
      this.#progress.moved(this.#confirmedBytes + this.#sentBytes());
    };
  }

  #sentBytes(): number {
    return [...this.#sentOfSegment.values()].reduce((sum, sent) => sum + sent, 0);
  }
}
