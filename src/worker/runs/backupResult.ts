import type { TakenBackup } from '../../archive/archive.js';
import type { BackupResult } from '../../backups/storedBackup.js';

/** A backup in the form that its event records. Only backup.json describes the segments. */
export function backupResult(taken: TakenBackup): BackupResult {
  const { folder, inventory, warnings, sizeBytes, storedSizeBytes, changes } = taken;
  const parts = taken.parts.map(({ segments: _, ...part }) => part);
  return {
    ...{ folder, parts, inventory, warnings, sizeBytes, storedSizeBytes },
    ...(changes === undefined ? {} : { changes }),
  };
}
