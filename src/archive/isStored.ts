import { StowageError } from '../errors.js';
import { manifestFolder, type Storage } from '../storage/storage.js';
import type { ArchivePart } from './archive.js';
import { readBackupDocument } from './backupDocument.js';
import { backupDocumentName, segmentFolder } from './layout.js';

/** The parts of a backup as they were stored. */
export type StoredFolder = {
  /** Ending in `/`. */
  readonly folder: string;
  readonly parts: readonly Pick<ArchivePart, 'name' | 'objectName' | 'storedSizeBytes' | 'manifestBytes'>[];
};

/**
 * Whether the complete backup is in the container. Throws what the storage throws. In this case the result is unknown.
 */
export async function isStored(storage: Storage, backup: StoredFolder, signal: AbortSignal): Promise<boolean> {
  return (await missingFrom(storage, backup, signal)) === undefined;
}

/**
 * The first object of a backup that the container does not hold with its stored size: backup.json, a part, or a part
 * with incomplete segments. (Segments may be missing while the object that names them exists.) Undefined: everything
 * exists. Reads no data. Throws what the storage throws. In this case the result is unknown.
 */
export async function missingFrom(
  storage: Storage,
  { folder, parts }: StoredFolder,
  signal: AbortSignal,
): Promise<string | undefined> {
  const document = `${folder}${backupDocumentName}`;
  const info = await storage.head(document, { signal });
  // An empty document describes no backup.
  if (info === undefined || info.sizeBytes === 0) return document;
  for (const part of parts) {
    const { objectName } = part;
    const found = await storage.head(objectName, { signal });
    if (found?.sizeBytes !== part.storedSizeBytes) return objectName;
    if (found.isLarge !== true) continue;
    const listed = await bytesIn(storage, segmentFolder(folder, part), signal);
    const isWhole = listed.segments === found.sizeBytes && listed.manifests === (part.manifestBytes ?? 0);
    if (!isWhole && !(await answers(storage, folder, objectName, signal))) return objectName;
  }
  return undefined;
}

async function bytesIn(storage: Storage, folder: string, signal: AbortSignal) {
  const bytes = { segments: 0, manifests: 0 };
  for await (const { name, sizeBytes } of storage.list(folder, { signal })) {
    bytes[name.startsWith(manifestFolder(folder)) ? 'manifests' : 'segments'] += sizeBytes;
  }
  return bytes;
}

/** Checks segment by segment, because a listing may lag behind. */
async function answers(storage: Storage, folder: string, objectName: string, signal: AbortSignal): Promise<boolean> {
  try {
    const document = await readBackupDocument(storage, folder, { signal });
    const part = document?.parts.find((each) => each.objectName === objectName);
    if (part === undefined) return false;
    const { storedSizeBytes: sizeBytes, checksum, etag, segments } = part;
    await storage.verify(objectName, { sizeBytes, sha256: checksum, etag, segments }, { signal });
    return true;
  } catch (error) {
    if (error instanceof StowageError && error.code === 'CHECKSUM') return false;
    throw error;
  }
}
