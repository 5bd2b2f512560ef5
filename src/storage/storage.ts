import type { CheckStep } from '../check.js';

/**
 * Where the bytes go: one contract, one adapter for each kind of file endpoint. Names are relative to the endpoint's
 * container or root, with `/` between folders. Errors are StowageErrors with an ENDPOINT_… code, CHECKSUM, or the
 * signal's reason.
 */
export interface Storage {
  /** Whether the segments of a large object are objects of their own, which `list` shows below `segmentFolder`. */
  readonly listsSegments: boolean;
  /**
   * Whether another place can take this one's place without an error, as an empty folder does when its disk is not
   * mounted. Such a place is trusted only while the installation's marker lies in it.
   */
  readonly needsMarker: boolean;
  /**
   * Stores a stream of any length under `name`. Nothing is visible under that name before everything was stored and
   * every checksum confirmed. When the source fails or the signal aborts, it throws and nothing is visible at all
   * (segments may be left in `segmentFolder`, and an unfinished upload, for the sweeper). An empty source is stored as an
   * empty object. A chunk is not used any more once the next one is asked for, so a source may read into the same buffer
   * again. An object of that name that is there already, or a segment of it, belongs to another writer: CONFLICT, and it
   * is left as it is.
   */
  put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredObject>;
  /**
   * Stores a small object whole, only if there is none of that name (CONFLICT otherwise) unless `overwrite`.
   * Some storages check this when a request begins: of two calls that overlap both may succeed, and the later one's
   * bytes stay.
   */
  putBytes(
    name: string,
    bytes: Uint8Array,
    options: { signal: AbortSignal; overwrite?: boolean },
  ): Promise<{ etag: string }>;
  /** Reads back what the storage reports that it holds and compares it with what was stored; a difference is CHECKSUM. */
  verify(name: string, stored: StoredObject, options: VerifyOptions): Promise<void>;
  /**
   * The bytes of an object from `start` (default 0). Resumes by itself after a cut connection, only while the object is
   * still the same (`etag`, else CHECKSUM). Ending early is an error, never a short read.
   */
  get(name: string, options: { signal: AbortSignal; etag?: string; start?: number }): AsyncIterable<Uint8Array>;
  /** Undefined: the storage answers and there is no such object. */
  head(name: string, options: { signal: AbortSignal }): Promise<ObjectInfo | undefined>;
  /** Every object whose name begins with the prefix, segments included, in the order of the bytes of their names. */
  list(prefix: string, options: { signal: AbortSignal }): AsyncIterable<ObjectInfo>;
  /** Removes an object, and with a large one its segments that lie beside it. Already gone is success. */
  delete(name: string, options: { signal: AbortSignal }): Promise<void>;
  /**
   * Uploads that were begun and neither completed nor aborted, whose name begins with the prefix, in the order of the
   * bytes of their names. They take room, and `list` does not show them. They may be under way.
   */
  unfinishedUploads(prefix: string, options: { signal: AbortSignal }): AsyncIterable<UnfinishedUpload>;
  /** Discards an unfinished upload and its bytes. Already gone is success. */
  abortUpload(upload: UnfinishedUpload, options: { signal: AbortSignal }): Promise<void>;
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
  /** Called for each answer of the storage. There is one a segment, so a large object takes long without a stall. */
  readonly onAnswer?: () => void;
};

/** A piece of an object that can be checked by itself, in order and without gaps. */
export type StoredSegment = {
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
  /** What the storage itself calls this piece, where it stores the pieces one by one. */
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
  /** Set by `head` for an object whose bytes lie in segments of its own: it may be there while they are not. */
  readonly isLarge?: boolean;
};

export type UnfinishedUpload = {
  /** Of the object that the upload would make, or of the file that it has written so far. */
  readonly name: string;
  /** The storage's own name for the upload: several may be under way for one object. */
  readonly uploadId: string;
  /** What it takes up; 0 where the storage does not report it. */
  readonly sizeBytes: number;
};

/** Opens storages of one kind. `Settings` is the adapter's own, secrets included. */
export interface StorageDriver<Settings> {
  open(settings: Settings): Storage;
  /**
   * Tries everything that a backup needs, step by step, within `timeoutMs` (the step that takes too long is the failing
   * one), and leaves nothing behind. Reports what it finds as steps and never throws it.
   */
  check(settings: Settings, options: CheckOptions): Promise<readonly CheckStep[]>;
}

export type CheckOptions = {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Called in the step CONTAINER, before anything is written. Its error fails that step. */
  readonly mayWrite?: (signal: AbortSignal) => Promise<void>;
};
