import { StowageError } from '../../errors.js';
import { drop } from '../http/httpClient.js';
import type { SegmentTarget, SegmentToStore } from '../segments/segmentedUpload.js';
import { manifestFolder, type PutOptions, type StoredSegment } from '../storage.js';
import { mostSegments, type LargeObjectLimits } from './capabilities.js';
import { bareEtag, largeObjectEtag } from './etags.js';
import { headObject } from './headObject.js';
import type { SwiftConnection, SwiftRequest } from './swiftConnection.js';

/** One line of a manifest, in the form that Swift takes. */
type ManifestLine = { readonly path: string; readonly etag: string; readonly size_bytes: number };

/**
 * A static large object while it is uploaded. Each segment is an object in `segmentFolder`, confirmed by its MD5, and
 * the manifest makes the object visible. Where it would name more segments than the storage takes, it names manifests
 * of segments, in `manifestFolder`. A stream that ends within its first segment becomes a plain object. If another
 * writer has stored an object under one of these names, it throws CONFLICT and does not change that object.
 */
export class LargeObject implements SegmentTarget {
  /** From this point on, the object may exist and be ours. */
  #mayBeVisible = false;

  constructor(
    private readonly connection: SwiftConnection,
    readonly limits: LargeObjectLimits,
    private readonly name: string,
    private readonly segmentFolder: PutOptions['segmentFolder'],
  ) {}

  tooLarge(): StowageError {
    return new StowageError(
      'ENDPOINT_QUOTA',
      `'${this.name}' does not fit into ${this.limits.maxSegments} segments, the limit of ${this.connection.place} for one object.`,
      {
        help:
          this.limits.maxSegments === mostSegments
            ? 'Register the server as several services, each with a part of its databases.'
            : 'Register the server as several services, each with a part of its databases. Or ask the operator of the storage to allow more segments in one manifest (max_manifest_segments).',
        retriable: false,
      },
    );
  }

  storeSegment(segment: SegmentToStore, signal: AbortSignal): Promise<string> {
    const name = this.#segmentName(segment.index);
    return this.#store(name, segment, `store the segment '${name}' in`, signal);
  }

  storeWhole(segment: SegmentToStore, signal: AbortSignal): Promise<string> {
    this.#mayBeVisible = true;
    return this.#store(this.name, segment, `store the object '${this.name}' in`, signal);
  }

  async complete(
    segments: readonly StoredSegment[],
    signal: AbortSignal,
    onAnswer: () => void,
  ): Promise<{ readonly etag: string; readonly manifestBytes: number }> {
    const { maxManifestSegments } = this.limits;
    let lines: readonly ManifestLine[] = segments.map(({ etag = '', sizeBytes }, index) =>
      this.#line(this.#segmentName(index), etag, sizeBytes),
    );
    let manifests = 0;
    let manifestBytes = 0;
    while (lines.length > maxManifestSegments) {
      const shorter: ManifestLine[] = [];
      for (let at = 0; at < lines.length; at += maxManifestSegments) {
        const group = lines.slice(at, at + maxManifestSegments);
        const name = `${manifestFolder(this.segmentFolder)}${numbered(manifests)}`;
        const sizeBytes = sizeOf(group);
        manifests += 1;
        manifestBytes += sizeBytes;
        const etag = await this.#putManifest(name, group, signal);
        onAnswer();
        shorter.push(this.#line(name, etag, sizeBytes));
      }
      lines = shorter;
    }
    this.#mayBeVisible = true;
    return { etag: await this.#putManifest(this.name, lines, signal), manifestBytes };
  }

  async #putManifest(name: string, lines: readonly ManifestLine[], signal: AbortSignal): Promise<string> {
    const etag = largeObjectEtag(lines);
    const bytes = Buffer.from(JSON.stringify(lines));
    const found = await this.#putNew(name, etag, {
      query: { 'multipart-manifest': 'put' },
      headers: { 'content-type': 'application/octet-stream' },
      body: { sizeBytes: bytes.length, pieces: () => [bytes] },
      doing: `store the manifest '${name}' in`,
      signal,
      // The storage reads the headers of everything that the manifest names before it answers.
      headersTimeoutMs: this.connection.tuning.headersTimeoutMs + lines.length * 1000,
    });
    if (found !== '' && found !== etag) throw differs(name, this.connection.place);
    return etag;
  }

  #line(name: string, etag: string, sizeBytes: number): ManifestLine {
    return { path: `/${this.connection.container}/${name}`, etag, size_bytes: sizeBytes };
  }

  /**
   * After a lost answer it is unknown whether the object exists, so it is deleted. The sweeper deletes the segments,
   * and an object that cannot be deleted now. The error that ended the upload is reported.
   */
  async abandon(isAwaited: boolean): Promise<void> {
    if (!this.#mayBeVisible) return;
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
    await removal.catch(() => undefined);
  }

  async #store(name: string, { md5, body }: SegmentToStore, doing: string, signal: AbortSignal): Promise<string> {
    const found = await this.#putNew(name, md5, {
      headers: { etag: md5, 'content-type': 'application/octet-stream' },
      body,
      // 422: the bytes were damaged on the way, so they are sent again.
      alsoPassing: [422],
      doing,
      signal,
    });
    if (found !== md5) throw differs(name, this.connection.place);
    return md5;
  }

  /**
   * Stores an object if no object has that name, and returns the etag that the storage reports. If an object with the
   * etag `own` already exists, an earlier try has stored it and its answer was lost.
   */
  async #putNew(
    name: string,
    own: string,
    request: Omit<SwiftRequest, 'method' | 'target' | 'expected'>,
  ): Promise<string> {
    const etag = await this.connection.send(
      {
        ...request,
        method: 'PUT',
        target: { object: name },
        headers: { ...request.headers, 'if-none-match': '*' },
        expected: [201, 412],
      },
      async (answer) => {
        await drop(answer);
        return answer.status === 201 ? bareEtag(answer.header('etag')) : undefined;
      },
    );
    if (etag !== undefined) return etag;
    const there = await headObject(this.connection, name, request.signal);
    if (there?.etag === own) return own;
    if (name === this.name) this.#mayBeVisible = false;
    throw new StowageError(
      'CONFLICT',
      `An object '${name}' already exists in ${this.connection.place}: another program writes to the same place.`,
      {
        help: 'Search for another Stowage that uses a copy of this installation’s database, and give it its own credentials.',
        retriable: true,
      },
    );
  }

  #segmentName(index: number): string {
    return `${this.segmentFolder}${numbered(index)}`;
  }
}

function numbered(index: number): string {
  return String(index + 1).padStart(8, '0');
}

function sizeOf(lines: readonly ManifestLine[]): number {
  return lines.reduce((sum, { size_bytes: bytes }) => sum + bytes, 0);
}

function differs(name: string, place: string): StowageError {
  return new StowageError(
    'CHECKSUM',
    `The checksum that ${place} confirmed for '${name}' differs from the checksum of the sent bytes.`,
  );
}
