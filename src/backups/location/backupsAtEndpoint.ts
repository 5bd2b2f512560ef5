import type { EntityManager } from 'typeorm';
import { BackupJobTable } from '../backupJobView.js';

/**
 * Whether a file endpoint holds listed backups, jobs that may become backups, or remains of attempts whose removal the
 * container has not confirmed. Such an endpoint must keep its address, because they could not be found elsewhere.
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
 * The folder of the newest backup that is STORED and was not missed in the container. There is one for each prefix
 * below which the file endpoint has backups, because it may have had several prefixes.
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
