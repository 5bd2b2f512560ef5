import type { ObjectInfo, PutOptions, Storage, StoredObject, VerifyOptions } from '../storage.js';
import { largeObjectLimits, type LargeObjectLimits } from './capabilities.js';
import { ensureContainer } from './container.js';
import { deleteObject } from './deleteObject.js';
import { getObject } from './getObject.js';
import { headObject } from './headObject.js';
import { listObjects } from './listObjects.js';
import { putBytes } from './putBytes.js';
import { LargeObject } from './largeObject.js';
import type { SegmentMemory } from '../segments/segmentMemory.js';
import { uploadInSegments } from '../segments/segmentedUpload.js';
import type { SwiftConnection } from './swiftConnection.js';
import { verifyObject } from './verifyObject.js';

/** A Swift container as a storage. It does not connect before the first call. */
export class SwiftStorage implements Storage {
  readonly listsSegments = true;
  readonly needsMarker = false;
  #limits: LargeObjectLimits | undefined;
  #containerIsThere = false;

  constructor(
    private readonly connection: SwiftConnection,
    private readonly memory: SegmentMemory,
  ) {}

  async put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredObject> {
    await this.#prepare(options.signal);
    this.#limits ??= await largeObjectLimits(this.connection, options.signal);
    const object = new LargeObject(this.connection, this.#limits, name, options.segmentFolder);
    return uploadInSegments(object, this.memory, this.connection.tuning, source, options);
  }

  async putBytes(
    name: string,
    bytes: Uint8Array,
    options: { signal: AbortSignal; overwrite?: boolean },
  ): Promise<{ etag: string }> {
    await this.#prepare(options.signal);
    return putBytes(this.connection, name, bytes, options);
  }

  verify(name: string, stored: StoredObject, options: VerifyOptions): Promise<void> {
    return verifyObject(this.connection, name, stored, options);
  }

  get(name: string, options: { signal: AbortSignal; etag?: string; start?: number }): AsyncIterable<Uint8Array> {
    return getObject(this.connection, name, options);
  }

  async head(name: string, { signal }: { signal: AbortSignal }): Promise<ObjectInfo | undefined> {
    const found = await headObject(this.connection, name, signal);
    if (found === undefined) return undefined;
    const { sizeBytes, etag, isLarge } = found;
    return { name, sizeBytes, etag, ...(isLarge ? { isLarge } : {}) };
  }

  list(prefix: string, { signal }: { signal: AbortSignal }): AsyncIterable<ObjectInfo> {
    return listObjects(this.connection, prefix, signal);
  }

  delete(name: string, { signal }: { signal: AbortSignal }): Promise<void> {
    return deleteObject(this.connection, name, signal);
  }

  /** Lists no uploads: before its manifest is written, an upload consists only of segments, which `list` shows. */
  async *unfinishedUploads(): AsyncGenerator<never, void, undefined> {
    // There is nothing to list.
  }

  abortUpload(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    if (this.#containerIsThere || this.connection.settings.createContainer !== true) return;
    await ensureContainer(this.connection, signal);
    this.#containerIsThere = true;
  }
}
