import type { EntityManager } from 'typeorm';
import { BackupJobTable } from '../backupJobView.js';

/**
 * Whether listed backups, jobs that may become some, or what an attempt has left and the container has not confirmed to be
 * gone lie at a file endpoint: it must not point elsewhere then, where nothing of them is to be found.
 */
export function holdsBackups(manager: EntityManager, fileEndpointId: string): Promise<boolean> {
  return manager
    .createQueryBuilder(BackupJobTable, 'job')
    .where('job.file_endpoint_id = :fileEndpointId', { fileEndpointId })
    .andWhere(
      `(job.availability IN ('STORED', 'DELETING', 'MISSING') OR job.status IN ('QUEUED', 'RUNNING')
        OR job.attempts_with_remains <> '[]')`,
    )
    .getExists();
}

/**
 * Of each prefix below which a file endpoint has backups (it may have had several), the folder of the newest that is
 * STORED and was not missed there.
 */
export async function newestBackupFolders(manager: EntityManager, fileEndpointId: string): Promise<readonly string[]> {
  const rows: { folder: string }[] = await manager.query(
    `SELECT DISTINCT ON (prefix) folder FROM (
       SELECT folder, started_at, regexp_replace(folder, '([^/]*/){4}$', '') AS prefix FROM backup_jobs
       WHERE file_endpoint_id = $1 AND availability = 'STORED' AND absent_since IS NULL
     ) AS backup
     ORDER BY prefix, started_at DESC`,
    [fileEndpointId],
  );
  return rows.map(({ folder }) => folder);
}
