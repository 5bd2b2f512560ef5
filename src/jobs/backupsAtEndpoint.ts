import type { EntityManager } from 'typeorm';
import { BackupJobTable } from './backupJobView.js';

/** Whether listed backups, or jobs that may become some, lie at a file endpoint: it must not point elsewhere then. */
export function holdsBackups(manager: EntityManager, fileEndpointId: string): Promise<boolean> {
  return manager
    .createQueryBuilder(BackupJobTable, 'job')
    .where('job.file_endpoint_id = :fileEndpointId', { fileEndpointId })
    .andWhere("(job.availability IN ('STORED', 'DELETING', 'MISSING') OR job.status IN ('QUEUED', 'RUNNING'))")
    .getExists();
}
