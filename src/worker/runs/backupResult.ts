import type { TakenBackup } from '../../archive/archive.js';
import type { BackupResult } from '../../backups/storedBackup.js';

/** A backup as the log of events keeps it. Its segments stand in backup.json alone. */
export function backupResult(taken: TakenBackup): BackupResult {
  const { folder, inventory, warnings, sizeBytes, storedSizeBytes } = taken;
  const parts = taken.parts.map(({ segments: _, ...part }) => part);
  return { folder, parts, inventory, warnings, sizeBytes, storedSizeBytes };
}
