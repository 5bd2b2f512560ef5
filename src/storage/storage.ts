import type { CheckStep } from '../check.js';

/**
 * The place of the stored bytes: one contract, and one adapter for each kind of file endpoint. Names are relative to
 * the endpoint's container or root, with `/` between folders. Errors are StowageErrors with an ENDPOINT_… code,
 * CHECKSUM, or the reason of the signal.
 */
export interface Storage {
  /**
   * Whether the segments of a large object are separate objects, which `list` shows in `segmentFolder`. Objects in its
   * `manifestFolder` hold no bytes of their own.
   */
  readonly listsSegments: boolean;
  /**
   * Whether another place can replace this one without an error. For example, an empty folder replaces it if its disk
   * is not mounted. Such a place is used only if it contains the installation's marker.
   */
  readonly needsMarker: boolean;
  /**
   * Stores a stream of any length under `name`. The object becomes visible only when all bytes are stored and every
   * checksum is confirmed. If the source fails or the signal aborts, it throws and nothing is visible. (Segments may be
   * left in `segmentFolder`, and an unfinished upload, which the sweeper deletes.) An empty source is stored as an
   * empty object. A chunk is no longer used when the next chunk is requested, so a source may reuse its buffer. An
   * existing object of that name, or a segment of it, belongs to another writer: this throws CONFLICT and does not
   * change it.
   */
  put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredObject>;
  /**
   * Stores a small object completely. If an object of that name exists, it throws CONFLICT, unless `overwrite` is set.
   * Some storages check this when a request begins. So two overlapping calls may both succeed, and the later one
   * overwrites the other.
   */
  putBytes(
    name: string,
    bytes: Uint8Array,
    options: { signal: AbortSignal; overwrite?: boolean },
  ): Promise<{ etag: string }>;
  /**
   * Reads the storage's description of the object and compares it with the stored values. Throws CHECKSUM if they
   * differ.
   */
  verify(name: string, stored: StoredObject, options: VerifyOptions): Promise<void>;
  /**
   * The bytes of an object from `start` (default 0). It resumes automatically after a broken connection, if the object
   * has not changed (otherwise it throws CHECKSUM, by `etag`). If the bytes end too early, it throws an error.
   */
  get(name: string, options: { signal: AbortSignal; etag?: string; start?: number }): AsyncIterable<Uint8Array>;
  /** Undefined: the storage answers, and the object does not exist. */
  head(name: string, options: { signal: AbortSignal }): Promise<ObjectInfo | undefined>;
  /** Every object whose name begins with the prefix, segments included, in the order of the bytes of their names. */
  list(prefix: string, options: { signal: AbortSignal }): AsyncIterable<ObjectInfo>;
  /** Removes an object and, for a large one, its separate segments. A missing object is a success. */
  delete(name: string, options: { signal: AbortSignal }): Promise<void>;
  /**
   * Uploads that were started, and that are neither completed nor aborted. Their names begin with the prefix, and they
   * are in the order of the bytes of their names. They take up space, and `list` does not show them. They may still be
   * running.
   */
  unfinishedUploads(prefix: string, options: { signal: AbortSignal }): AsyncIterable<UnfinishedUpload>;
  /** Discards an unfinished upload and its bytes. A missing upload is a success. */
  abortUpload(upload: UnfinishedUpload, options: { signal: AbortSignal }): Promise<void>;
  close(): Promise<void>;
}

export type PutOptions = {
  readonly signal: AbortSignal;
  /** The folder for the segments of a large object, ending in `/`. Storages without segments ignore it. */
  readonly segmentFolder: string;
  /** Called after each confirmed segment, and at least once a second while bytes move. */
  readonly onProgress?: (progress: { storedBytes: number; segments: number }) => void;
  /** Called for each answer of the storage after the last byte was stored. A very large object needs many. */
  readonly onAnswer?: () => void;
};

/** The folder for what names the segments of a very large object, within the folder of these segments. */
export function manifestFolder(segmentFolder: string): string {
  return `${segmentFolder}manifests/`;
}

export type VerifyOptions = {
  readonly signal: AbortSignal;
  /**
   * Called for each answer of the storage. A large object takes long, but each segment has its own answer. So the job
   * does not count as stalled.
   */
  readonly onAnswer?: () => void;
};

/** A piece of an object. Pieces are in order and without gaps, so a reader checks each piece before it passes it on. */
export type StoredSegment = {
  readonly sizeBytes: number;
  /** The storage's own name for this piece, if it stores the pieces one by one. */
  readonly etag?: string;
} & (
  | {
      /** SHA-256 of the object from its beginning to the end of this piece, hex. */
      readonly sha256FromStart: string;
    }
  | {
      /** SHA-256 of this piece alone, hex. Versions before `sha256FromStart` have stored it. */
      readonly sha256: string;
    }
);

export type StoredObject = {
  readonly sizeBytes: number;
  /** Hex, of all stored bytes. */
  readonly sha256: string;
  /** Passed to `get`, to be sure that it reads the same object. */
  readonly etag: string;
  /** At most 32 MiB each, so that a reader can hold and check a segment before it passes the segment on. */
  readonly segments: readonly StoredSegment[];
  /**
   * The sizes in the listing of all objects in its `manifestFolder`. Absent: one manifest, or none, names all segments.
   */
  readonly manifestBytes?: number;
};

export type ObjectInfo = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly etag: string;
  /**
   * Set by `head` for an object whose bytes are in separate segments. The object may exist while its segments do not.
   */
  readonly isLarge?: boolean;
};

export type UnfinishedUpload = {
  /** The name of the object that the upload would create, or of the file that it has written so far. */
  readonly name: string;
  /** The storage's own name for the upload, because one object may have several unfinished uploads. */
  readonly uploadId: string;
  /** The size of its stored bytes. 0 if the storage does not report it. */
  readonly sizeBytes: number;
};

/** Opens storages of one kind. `Settings` is the adapter's own type, including secrets. */
export interface StorageDriver<Settings> {
  open(settings: Settings): Storage;
  /**
   * Tests everything that a backup needs, step by step, within `timeoutMs`, and removes everything that it created. The
   * step that runs when the time is over fails. Problems are reported as steps and never thrown.
   */
  check(settings: Settings, options: CheckOptions): Promise<readonly CheckStep[]>;
}

export type CheckOptions = {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Called in the step CONTAINER, before anything is written. Its error fails that step. */
  readonly mayWrite?: (signal: AbortSignal) => Promise<void>;
};
