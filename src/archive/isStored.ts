import type { Storage } from '../storage/storage.js';
import { backupDocumentName, segmentFolder } from './layout.js';

/** As a backup was stored. */
export type StoredFolder = {
  /** Ending in `/`. */
  readonly folder: string;
  readonly parts: readonly { readonly name: string; readonly objectName: string; readonly storedSizeBytes: number }[];
};

/**
 * Looks whether all of a backup is in the container, with the sizes that were stored: backup.json, every part, and the
 * segments of the large ones, which may be gone while the object that names them is there. It reads no bytes. Throws
 * what the storage throws: then nothing is known.
 */
export async function isStored(
  storage: Storage,
  { folder, parts }: StoredFolder,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await storage.head(`${folder}${backupDocumentName}`, { signal })) === undefined) return false;
  for (const part of parts) {
    const found = await storage.head(part.objectName, { signal });
    if (found?.sizeBytes !== part.storedSizeBytes) return false;
    if (found.isLarge && (await bytesBelow(storage, segmentFolder(folder, part), signal)) !== found.sizeBytes)
      return false;
  }
  return true;
}

async function bytesBelow(storage: Storage, prefix: string, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for await (const { sizeBytes } of storage.list(prefix, { signal })) bytes += sizeBytes;
  return bytes;
}
