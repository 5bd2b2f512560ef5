import { missingFrom } from '../../archive/isStored.js';
import { StowageError } from '../../errors.js';
import type { Storage } from '../../storage/storage.js';
import type { BackupJobRow } from '../backupJobView.js';

/**
 * Looks for these backups. Answers the first object that the container does not have as it was stored, with its backup;
 * undefined when all are there. Throws what the storage throws.
 */
export async function firstMissing(
  storage: Storage,
  backups: readonly Pick<BackupJobRow, 'id' | 'folder' | 'parts'>[],
  signal: AbortSignal,
): Promise<{ readonly backupId: string; readonly objectName: string } | undefined> {
  for (const { id, folder, parts } of backups) {
    if (folder === null) throw new StowageError('INTERNAL', `Backup ${id} has no folder.`);
    const objectName = await missingFrom(storage, { folder, parts }, signal);
    if (objectName !== undefined) return { backupId: id, objectName };
  }
  return undefined;
}
