import { StowageError } from '../errors.js';
import type { Storage, UnfinishedUpload } from '../storage/storage.js';
import { readBackupDocument } from './backupDocument.js';
import { backupDocumentName } from './layout.js';

/**
 * Removes an attempt's folder. It deletes backup.json first, so that a partially deleted folder is not a backup. Then
 * it deletes the large objects, the rest of their segments, and unfinished uploads. Returns only when nothing is left
 * in the folder. A missing folder is a success. Throws an ENDPOINT_… code, or UNAVAILABLE if the storage still holds an
 * object. In both cases the deletion can be tried again.
 */
export async function deleteBackup(input: {
  readonly storage: Storage;
  /** Ending in `/`. */
  readonly folder: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { storage, folder, signal } = input;
  if (!/[^/]\/$/.test(folder)) throw new Error(`'${folder}' is not the folder of an attempt.`);
  const document = `${folder}${backupDocumentName}`;
  // A listing may lag behind, so the objects that the document names are deleted too.
  const named = await objectsNamed(storage, folder, signal);
  await storage.delete(document, { signal });

  const listed = (await names(storage, folder, signal)).filter((name) => name !== document);
  const isSegment = (name: string) => name.startsWith(`${folder}segments/`);
  const large = [...new Set([...named, ...listed.filter((name) => !isSegment(name))])];
  for (const name of large) await storage.delete(name, { signal });
  for (const name of (await names(storage, folder, signal)).filter(isSegment)) await storage.delete(name, { signal });
  for (const upload of await uploads(storage, folder, signal)) await storage.abortUpload(upload, { signal });

  const left = (await uploads(storage, folder, signal)).map(({ name }) => name);
  for (const name of new Set([document, ...large, ...(await names(storage, folder, signal))])) {
    if ((await storage.head(name, { signal })) !== undefined) left.push(name);
  }
  const [first] = left;
  if (first === undefined) return;
  throw new StowageError('UNAVAILABLE', `The storage still holds '${first}' after it confirmed the deletion.`, {
    help: 'The deletion is tried again. If it happens again, check that no other program writes there.',
    details: { left },
  });
}

async function objectsNamed(storage: Storage, folder: string, signal: AbortSignal): Promise<readonly string[]> {
  try {
    const document = await readBackupDocument(storage, folder, { signal });
    const objects = document?.parts.map(({ objectName }) => objectName) ?? [];
    return objects.filter((name) => name.startsWith(folder));
  } catch (error) {
    // An unreadable document names no objects, but the listed objects are still deleted.
    if (error instanceof StowageError && error.code === 'CHECKSUM') return [];
    throw error;
  }
}

async function uploads(storage: Storage, folder: string, signal: AbortSignal): Promise<readonly UnfinishedUpload[]> {
  const all: UnfinishedUpload[] = [];
  for await (const upload of storage.unfinishedUploads(folder, { signal })) all.push(upload);
  return all;
}

async function names(storage: Storage, folder: string, signal: AbortSignal): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const { name } of storage.list(folder, { signal })) all.push(name);
  return all;
}
