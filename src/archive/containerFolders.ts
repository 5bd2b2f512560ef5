import type { Storage, UnfinishedUpload } from '../storage/storage.js';
import {
  backupDocumentName,
  folderOfObject,
  installationMarker,
  installationMarkerName,
  isManifestOfSegments,
} from './layout.js';

/** An entry below a prefix: the folder of an attempt as a whole, or a single object outside of such folders. */
export type FoundInContainer = FoundFolder | FoundObject;

export type FoundFolder = {
  readonly kind: 'FOLDER';
  /** Ending in `/`. */
  readonly name: string;
  readonly jobShortId: string;
  readonly attempt: number;
  readonly objects: number;
  /** Uploads that were never finished, or are still running. No listing shows them. */
  readonly uploads: readonly UnfinishedUpload[];
  /** The folder has a backup.json that is not empty. */
  readonly hasDocument: boolean;
  /** The sizes of the parts in the listing. A large object has the size of its segments, even if they are missing. */
  readonly partsBytes: number;
  readonly segmentsBytes: number;
  /** The sum of the listed sizes of all manifests. A manifest is listed with the size of the segments that it names. */
  readonly manifestBytes: number;
  /** All bytes, each counted once. */
  readonly sizeBytes: number;
};

export type FoundObject = { readonly kind: 'OBJECT'; readonly name: string; readonly sizeBytes: number };

/**
 * The entries in the order of names. A folder below the prefix that has a marker of its own belongs to another endpoint
 * or installation, and is omitted. Only the sums of one folder are in memory at a time. Throws what the listing throws.
 */
export async function* foldersBelow(
  storage: Storage,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<FoundInContainer, void, undefined> {
  const ours = installationMarker(prefix);
  let othersPlace: string | undefined;
  let folder: FoundFolder | undefined;
  for await (const { name, sizeBytes, upload } of entriesBelow(storage, prefix, signal)) {
    if (name === ours || (othersPlace !== undefined && name.startsWith(othersPlace))) continue;
    if (name.endsWith(`/${installationMarkerName}`)) {
      othersPlace = name.slice(0, -installationMarkerName.length);
      continue;
    }
    const place = folderOfObject(prefix, name);
    if (folder !== undefined && folder.name !== place?.folder) {
      yield folder;
      folder = undefined;
    }
    if (place === undefined) yield { kind: 'OBJECT', name, sizeBytes };
    else if (upload !== undefined) folder = withUpload(folder ?? emptyFolder(place), upload);
    else folder = withObject(folder ?? emptyFolder(place), name.slice(place.folder.length), sizeBytes);
  }
  if (folder !== undefined) yield folder;
}

type Entry = { readonly name: string; readonly sizeBytes: number; readonly upload?: UnfinishedUpload };

/** Yields objects and unfinished uploads together, in the order of the bytes of their names. */
async function* entriesBelow(storage: Storage, prefix: string, signal: AbortSignal): AsyncGenerator<Entry> {
  const uploads = storage.unfinishedUploads(prefix, { signal })[Symbol.asyncIterator]();
  try {
    let next = await uploads.next();
    for await (const object of storage.list(prefix, { signal })) {
      for (; next.done !== true && isBefore(next.value.name, object.name); next = await uploads.next()) {
        yield { ...next.value, upload: next.value };
      }
      yield object;
    }
    for (; next.done !== true; next = await uploads.next()) yield { ...next.value, upload: next.value };
  } finally {
    await uploads.return?.();
  }
}

/** Object storages list names in the order of their bytes. */
export function isBefore(one: string, other: string): boolean {
  return Buffer.compare(Buffer.from(one), Buffer.from(other)) < 0;
}

function emptyFolder(place: { folder: string; jobShortId: string; attempt: number }): FoundFolder {
  const { folder: name, jobShortId, attempt } = place;
  const sums = {
    objects: 0,
    uploads: [],
    hasDocument: false,
    partsBytes: 0,
    segmentsBytes: 0,
    manifestBytes: 0,
    sizeBytes: 0,
  };
  return { kind: 'FOLDER', name, jobShortId, attempt, ...sums };
}

function withUpload(folder: FoundFolder, upload: UnfinishedUpload): FoundFolder {
  const sizeBytes = folder.sizeBytes + upload.sizeBytes;
  return { ...folder, uploads: [...folder.uploads, upload], sizeBytes };
}

function withObject(folder: FoundFolder, name: string, bytes: number): FoundFolder {
  if (isManifestOfSegments(name)) {
    return { ...folder, objects: folder.objects + 1, manifestBytes: folder.manifestBytes + bytes };
  }
  const isSegment = name.startsWith('segments/');
  const isDocument = name === backupDocumentName;
  const partsBytes = folder.partsBytes + (isSegment || isDocument ? 0 : bytes);
  const segmentsBytes = folder.segmentsBytes + (isSegment ? bytes : 0);
  const otherBytes = folder.sizeBytes - Math.max(folder.partsBytes, folder.segmentsBytes) + (isDocument ? bytes : 0);
  return {
    ...folder,
    objects: folder.objects + 1,
    hasDocument: folder.hasDocument || (isDocument && bytes > 0),
    partsBytes,
    segmentsBytes,
    sizeBytes: Math.max(partsBytes, segmentsBytes) + otherBytes,
  };
}
