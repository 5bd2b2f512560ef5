import { BackupJobTable } from '../../backups/backupJobView.js';
import type { Lease } from '../../postgres/contracts/jobQueue.js';
import type { WorkerTools } from '../workerTools.js';

/**
 * Whether the container may hold the complete backup of an expired attempt. backup.json is written after VERIFYING was
 * entered. After a request to cancel the result is false.
 */
export async function mayBeStored({ dataSource }: WorkerTools, { jobId, attempt }: Lease): Promise<boolean> {
  const row = await dataSource.manager.findOneBy(BackupJobTable, { id: jobId, attempt });
  return row?.status === 'RUNNING' && row.phase === 'VERIFYING' && row.cancelRequestedBy === null;
}
