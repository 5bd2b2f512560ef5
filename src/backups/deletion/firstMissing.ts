import { missingFrom } from '../../archive/isStored.js';
import { StowageError } from '../../errors.js';
import type { Storage } from '../../storage/storage.js';
import type { BackupJobRow } from '../backupJobView.js';

/**
 * Checks in the container that these backups are stored. Returns the first object that is missing or changed, with its
 * backup. Undefined: all objects are stored. Throws what the storage throws.
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
