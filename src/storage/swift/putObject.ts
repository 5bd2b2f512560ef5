import { createHash } from 'node:crypto';
import { StowageError } from '../../errors.js';
import { interruptible } from '../interruptible.js';
import { ProgressTeller } from '../progress.js';
import type { PutOptions, StoredObject, StoredSegment } from '../storage.js';
import { drop, type HttpBody } from './httpClient.js';
import type { LargeObjectLimits } from './capabilities.js';
import { bareEtag, largeObjectEtag } from './etags.js';
import { headObject } from './headObject.js';
import { Segment } from './segment.js';
import type { Reservation, SegmentMemory } from './segmentMemory.js';
import type { SwiftConnection, SwiftRequest } from './swiftConnection.js';

/**
 * Stores a stream as a static large object: segments while it flows, each confirmed by its MD5, and the manifest, which
 * makes the object visible, when all are there. A stream that ends within its first segment becomes a plain object.
 * What somebody else has stored under one of these names is CONFLICT, and is left as it is.
 */
export async function putObject(
  connection: SwiftConnection,
  memory: SegmentMemory,
  limits: LargeObjectLimits,
  object: { readonly name: string; readonly source: AsyncIterable<Uint8Array>; readonly options: PutOptions },
): Promise<StoredObject> {
  const { tuning } = connection;
  const largest = Math.min(Math.max(tuning.smallSegmentBytes, tuning.largeSegmentBytes), limits.maxSegmentBytes);
  const reservation = memory.reserve(largest);
  const upload = new Upload(connection, reservation, limits, object.name, object.options);
  try {
    return await upload.run(object.source);
  } finally {
    reservation.end();
  }
}

class Upload {
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  readonly #sha256 = createHash('sha256');
  readonly #underWay = new Set<Promise<void>>();
  readonly #confirmed: StoredSegment[] = [];
  readonly #sentOfSegment = new Map<number, number>();
  readonly #progress: ProgressTeller;
  #confirmedBytes = 0;
  /** From here on the object may be there, and be ours. */
  #mayBeVisible = false;

  constructor(
    private readonly connection: SwiftConnection,
    private readonly memory: Reservation,
    private readonly limits: LargeObjectLimits,
    private readonly name: string,
    private readonly options: PutOptions,
  ) {
    this.#signal = AbortSignal.any([options.signal, this.#failure.signal]);
    this.#progress = new ProgressTeller(options.onProgress);
  }

  async run(source: AsyncIterable<Uint8Array>): Promise<StoredObject> {
    let last: Segment;
    try {
      last = await this.#sendAllButTheLast(source);
    } catch (error) {
      this.#failure.abort(error);
      await Promise.all(this.#underWay);
      throw error;
    }
    try {
      const sha256 = this.#sha256.digest('hex');
      if (last.index === 0 && !last.isFull) return await this.#storePlain(last, sha256);
      if (last.sizeBytes > 0) this.#start(last);
      await Promise.all(this.#underWay);
      this.#signal.throwIfAborted();
      return await this.#storeManifest(sha256);
    } catch (error) {
      this.#failure.abort(error);
      await Promise.all(this.#underWay);
      if (this.#mayBeVisible) await this.#makeInvisible();
      throw error;
    }
  }

  /** Answers the segment that the stream's end left: not sent yet, perhaps empty, full only if it is the only one. */
  async #sendAllButTheLast(source: AsyncIterable<Uint8Array>): Promise<Segment> {
    let segment = this.#newSegment(0);
    try {
      for await (const chunk of interruptible(source, this.#signal)) {
        this.#sha256.update(chunk);
        for (let at = 0; at < chunk.byteLength;) {
          if (segment.isFull) {
            await this.#waitForRoom();
            this.#start(segment);
            segment = this.#newSegment(segment.index + 1);
          }
          at += await segment.fill(chunk.subarray(at), this.#signal);
        }
      }
      return segment;
    } catch (error) {
      segment.free();
      throw error;
    }
  }

  #newSegment(index: number): Segment {
    if (index >= this.limits.maxSegments) {
      throw new StowageError(
        'ENDPOINT_QUOTA',
        `'${this.name}' is larger than ${this.limits.maxSegments} segments hold, the most that ${this.connection.place} takes for one object.`,
        {
          help: 'Register the server as several services with a part of its databases each, or have the cluster take more segments for one object (max_manifest_segments).',
          retriable: false,
        },
      );
    }
    const { smallSegments, smallSegmentBytes, largeSegmentBytes } = this.connection.tuning;
    const wanted = index < smallSegments ? smallSegmentBytes : largeSegmentBytes;
    return new Segment(index, Math.min(wanted, this.limits.maxSegmentBytes), this.memory);
  }

  async #waitForRoom(): Promise<void> {
    while (this.#underWay.size >= this.connection.tuning.concurrency) await Promise.race(this.#underWay);
    this.#signal.throwIfAborted();
  }

  /** Sends a segment beside what else happens. Its failure ends the whole upload through the signal. */
  #start(segment: Segment): void {
    const sending = this.#sendSegment(segment)
      .catch((error: unknown) => this.#failure.abort(error))
      .finally(() => {
        segment.free();
        this.#underWay.delete(sending);
      });
    this.#underWay.add(sending);
  }

  async #sendSegment(segment: Segment): Promise<void> {
    const { md5, sha256 } = segment.digests();
    const name = this.#segmentName(segment.index);
    await this.#store(name, segment.body(this.#countSent(segment)), md5, `store the segment '${name}' in`);
    this.#confirmed[segment.index] = { sizeBytes: segment.sizeBytes, sha256, etag: md5 };
    this.#sentOfSegment.delete(segment.index);
    this.#confirmedBytes += segment.sizeBytes;
    this.#progress.confirmed(this.#confirmedBytes + this.#sentBytes());
  }

  async #storePlain(segment: Segment, sha256: string): Promise<StoredObject> {
    const { sizeBytes } = segment;
    const { md5 } = segment.digests();
    this.#mayBeVisible = true;
    try {
      await this.#store(this.name, segment.body(this.#countSent(segment)), md5, `store the object '${this.name}' in`);
    } finally {
      segment.free();
    }
    if (sizeBytes > 0) this.#progress.confirmed(sizeBytes);
    const segments = sizeBytes === 0 ? [] : [{ sizeBytes, sha256, etag: md5 }];
    return { sizeBytes, sha256, etag: md5, segments };
  }

  async #storeManifest(sha256: string): Promise<StoredObject> {
    const segments = this.#confirmed;
    const manifest = segments.map((segment, index) => ({
      path: `/${this.connection.container}/${this.#segmentName(index)}`,
      etag: segment.etag,
      size_bytes: segment.sizeBytes,
    }));
    const etag = largeObjectEtag(segments);
    const bytes = Buffer.from(JSON.stringify(manifest));
    this.#mayBeVisible = true;
    const found = await this.#putNew(this.name, etag, {
      query: { 'multipart-manifest': 'put' },
      headers: { 'content-type': 'application/octet-stream' },
      body: { sizeBytes: bytes.length, pieces: () => [bytes] },
      doing: `store the manifest of '${this.name}' in`,
      // The storage looks at every segment before it answers.
      headersTimeoutMs: this.connection.tuning.headersTimeoutMs + segments.length * 1000,
    });
    if (found !== '' && found !== etag) throw differs(this.name, this.connection.place);
    return { sizeBytes: this.#confirmedBytes, sha256, etag, segments };
  }

  async #store(name: string, body: HttpBody, md5: string, doing: string): Promise<void> {
    const found = await this.#putNew(name, md5, {
      headers: { etag: md5, 'content-type': 'application/octet-stream' },
      body,
      // What was damaged on the way is sent again.
      alsoPassing: [422],
      doing,
    });
    if (found !== md5) throw differs(name, this.connection.place);
  }

  /**
   * Puts an object where there is none, and answers the etag that the storage gives it. One that is there already and
   * has the etag `own` is of a try whose answer was lost.
   */
  async #putNew(
    name: string,
    own: string,
    request: Omit<SwiftRequest, 'method' | 'target' | 'signal' | 'expected'>,
  ): Promise<string> {
    const etag = await this.connection.send(
      {
        ...request,
        method: 'PUT',
        target: { object: name },
        headers: { ...request.headers, 'if-none-match': '*' },
        signal: this.#signal,
        expected: [201, 412],
      },
      async (answer) => {
        await drop(answer);
        return answer.status === 201 ? bareEtag(answer.header('etag')) : undefined;
      },
    );
    if (etag !== undefined) return etag;
    const there = await headObject(this.connection, name, this.#signal);
    if (there?.etag === own) return own;
    if (name === this.name) this.#mayBeVisible = false;
    throw new StowageError(
      'CONFLICT',
      `There is an object '${name}' in ${this.connection.place} already: somebody else writes to the same place.`,
      {
        help: 'Look for another Stowage that runs on a copy of the database of this one, and give it credentials of its own.',
        retriable: true,
      },
    );
  }

  /**
   * After a lost answer nobody knows whether the object is there. Segments stay, for the sweeper. Who has asked for the
   * end does not wait long for it.
   */
  async #makeInvisible(): Promise<void> {
    const isAwaited = this.options.signal.aborted;
    const removal = this.connection.send(
      {
        method: 'DELETE',
        target: { object: this.name },
        signal: AbortSignal.timeout(isAwaited ? 500 : 10_000),
        expected: [204, 404],
        doing: `remove the object '${this.name}' from`,
        attempts: isAwaited ? 1 : 3,
      },
      drop,
    );
    // The failure that brought us here is the one to tell; the sweeper finds what this could not remove.
    await removal.catch(() => undefined);
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

  #segmentName(index: number): string {
    return `${this.options.segmentFolder}${String(index + 1).padStart(8, '0')}`;
  }
}

function differs(name: string, place: string): StowageError {
  return new StowageError('CHECKSUM', `What ${place} confirmed for '${name}' is not what was sent.`);
}
