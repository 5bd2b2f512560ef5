import type { EntityManager } from 'typeorm';
import { BackupJobTable } from './backupJobView.js';

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
