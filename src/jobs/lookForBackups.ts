import { backupDocumentName } from '../archive/layout.js';
import { StowageError } from '../errors.js';
import type { Storage } from '../storage/storage.js';
import type { BackupJobRow } from './backupJobView.js';

/**
 * Looks (HEAD) for backup.json and every part of these backups, of the size that was stored. Answers the first object
 * that the container does not have, with its backup; undefined when all are there. Throws what the storage throws.
 */
export async function firstMissing(
  storage: Storage,
  backups: readonly Pick<BackupJobRow, 'id' | 'folder' | 'parts'>[],
  signal: AbortSignal,
): Promise<{ readonly backupId: string; readonly objectName: string } | undefined> {
  for (const { id, folder, parts } of backups) {
    if (folder === null) throw new StowageError('INTERNAL', `Backup ${id} has no folder.`);
    const document = `${folder}${backupDocumentName}`;
    if ((await storage.head(document, { signal })) === undefined) return { backupId: id, objectName: document };
    for (const { objectName, storedSizeBytes } of parts) {
      const info = await storage.head(objectName, { signal });
      if (info?.sizeBytes !== storedSizeBytes) return { backupId: id, objectName };
    }
  }
  return undefined;
}
