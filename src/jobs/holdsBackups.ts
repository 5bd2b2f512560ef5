import type { EntityManager } from 'typeorm';
import { BackupJobTable } from './backupJobView.js';

/** Whether backups that are listed lie at a file endpoint, or jobs are under way that may leave some there. */
export async function holdsBackups(manager: EntityManager, fileEndpointId: string): Promise<boolean> {
  return await manager
    .createQueryBuilder(BackupJobTable, 'job')
    .where('job.file_endpoint_id = :fileEndpointId', { fileEndpointId })
    .andWhere("(job.status IN ('QUEUED', 'RUNNING') OR job.availability IN ('STORED', 'DELETING'))")
    .getExists();
}
