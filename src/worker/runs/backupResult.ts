import type { TakenBackup } from '../../archive/archive.js';
import type { BackupResult } from '../../backups/storedBackup.js';

/** A backup as its event records it. The segments are in backup.json only. */
export function backupResult(taken: TakenBackup): BackupResult {
  const { folder, inventory, warnings, sizeBytes, storedSizeBytes } = taken;
  const parts = taken.parts.map(({ segments: _, ...part }) => part);
  return { folder, parts, inventory, warnings, sizeBytes, storedSizeBytes };
}
