import { deleteBackup } from '../../archive/deleteBackup.js';
import { prefixOfFolder } from '../../archive/layout.js';
import { refuseUnlessOurs } from '../../endpoints/prefixMarks.js';
import type { Storage } from '../../storage/storage.js';
import type { WorkerTools } from '../workerTools.js';

/** An attempt's folder at the file endpoint that it was written to. */
export type AttemptFolder = { readonly fileEndpointId: string; readonly folder: string };

/**
 * Deletes an attempt's folder, backup.json first; it returns when the container holds nothing of it. `before` is called
 * when it may be deleted, and nothing is if it fails. Throws what `refuseUnlessOurs` throws of the prefix, and what
 * `deleteBackup` throws.
 */
export async function deleteAttemptFolder(
  tools: WorkerTools,
  { fileEndpointId, folder }: AttemptFolder,
  signal: AbortSignal,
  before: (storage: Storage) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { storage } = await tools.storageOf(fileEndpointId);
  try {
    // Not the endpoint's prefix of today: that may have changed since.
    await refuseUnlessOurs(tools, storage, prefixOfFolder(folder), signal);
    await before(storage);
    await deleteBackup({ storage, folder, signal });
  } finally {
    await storage.close();
  }
}
