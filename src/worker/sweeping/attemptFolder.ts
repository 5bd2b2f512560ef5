import { deleteBackup } from '../../archive/deleteBackup.js';
import { prefixOfFolder } from '../../archive/layout.js';
import { refuseUnlessOurs } from '../../endpoints/prefixMarks.js';
import type { Storage } from '../../storage/storage.js';
import type { WorkerTools } from '../workerTools.js';

/** An attempt's folder at the file endpoint that it was written to. */
export type AttemptFolder = { readonly fileEndpointId: string; readonly folder: string };

/**
 * Deletes an attempt's folder, backup.json first. Returns when the container contains no object of it. `before` is
 * called first, and nothing is deleted if it throws. Throws what `refuseUnlessOurs` and `deleteBackup` throw.
 */
export async function deleteAttemptFolder(
  tools: WorkerTools,
  { fileEndpointId, folder }: AttemptFolder,
  signal: AbortSignal,
  before: (storage: Storage) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { storage } = await tools.storageOf(fileEndpointId);
  try {
    // The folder's own prefix is used, because the prefix of the endpoint may have changed since.
    await refuseUnlessOurs(tools, storage, prefixOfFolder(folder), signal);
    await before(storage);
    await deleteBackup({ storage, folder, signal });
  } finally {
    await storage.close();
  }
}
