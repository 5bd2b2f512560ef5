import type { CheckStep } from '../check.js';

/**
 * Where the bytes go: one contract, an adapter a kind of File Endpoint. Names are relative to the endpoint's container
 * or root, with `/` between folders. Errors are StowageErrors with an ENDPOINT_… code, CHECKSUM, or the signal's reason.
 */
export interface Storage {
  readonly kind: 'SWIFT' | 'FILESYSTEM' | 'S3';
  /**
   * Stores a stream of any length under `name`. Nothing is visible under that name before everything was stored and
   * every checksum confirmed; when the source fails or the signal aborts, it throws and nothing is visible at all
   * (segments may be left in `segmentFolder`, for the sweeper). An empty source is stored as an empty object. A chunk is not
   * used any more once the next one is asked for, so a source may read into the same buffer again. An object of that
   * name that is there already, or a segment of it, is another writer's: CONFLICT, and it is left as it is.
   */
  put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredObject>;
  /**
   * Stores a small object whole, only if there is none of that name (CONFLICT otherwise) unless `overwrite`.
   * Swift looks when a request begins: two calls that overlap may both succeed there, and the later one's bytes stay.
   */
  putBytes(
    name: string,
    bytes: Uint8Array,
    options: { signal: AbortSignal; overwrite?: boolean },
  ): Promise<{ etag: string }>;
  /** Reads back what the storage says it holds and compares it with what was stored; a difference is CHECKSUM. */
  verify(name: string, stored: StoredObject, options: VerifyOptions): Promise<void>;
  /**
   * The bytes of an object from `start` (default 0). Resumes by itself where a connection is cut, only while the
   * object is still the same (`etag`, else CHECKSUM). Ending early is an error, never a short read.
   */
  get(name: string, options: { signal: AbortSignal; etag?: string; start?: number }): AsyncIterable<Uint8Array>;
  /** Undefined: the storage answers and there is no such object. */
  head(name: string, options: { signal: AbortSignal }): Promise<ObjectInfo | undefined>;
  /** Every object whose name begins with the prefix, segments included, in name order. */
  list(prefix: string, options: { signal: AbortSignal }): AsyncIterable<ObjectInfo>;
  /** Removes an object, and where it is a large one its segments that lie beside it. Already gone is success. */
  delete(name: string, options: { signal: AbortSignal }): Promise<void>;
  close(): Promise<void>;
}

export type PutOptions = {
  readonly signal: AbortSignal;
  /** Folder for the segments of a large object, ending in `/`. Storages without segments ignore it. */
  readonly segmentFolder: string;
  /** Called after each confirmed segment, and at least once a second while bytes move. */
  readonly onProgress?: (progress: { storedBytes: number; segments: number }) => void;
};

export type VerifyOptions = {
  readonly signal: AbortSignal;
  /** Called for each answer of the storage: there is one a segment, so a large object takes long without a stall. */
  readonly onAnswer?: () => void;
};

/** A piece of an object that can be checked by itself, in order and without gaps. */
export type StoredSegment = {
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
  /** What the storage itself calls this piece, where it stores the pieces one by one: for Swift the MD5, hex. */
  readonly etag?: string;
};

export type StoredObject = {
  readonly sizeBytes: number;
  /** Hex, of all stored bytes. */
  readonly sha256: string;
  /** What `get` takes to be sure that it reads the same object. */
  readonly etag: string;
  /** At most 32 MiB each, so that a reader can hold and check one before passing it on. */
  readonly segments: readonly StoredSegment[];
};

export type ObjectInfo = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly etag: string;
  /** Said by `head` of an object whose bytes lie in segments of its own: it may be there while they are not. */
  readonly isLarge?: boolean;
};

/** Opens storages of one kind. `Settings` is the adapter's own, secrets included. */
export interface StorageDriver<Settings> {
  open(settings: Settings): Storage;
  /**
   * Tries everything a backup will need, step by step by name, within `timeoutMs` (the step that takes too long is the
   * failing one), and leaves nothing behind. Never throws for what it finds.
   */
  check(settings: Settings, options: CheckOptions): Promise<readonly CheckStep[]>;
}

export type CheckOptions = {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Asked in the step CONTAINER, before anything is written: what it throws fails that step. */
  readonly mayWrite?: (signal: AbortSignal) => Promise<void>;
};
