import { readBackupDocument } from '../../archive/backupDocument.js';
import { StowageError } from '../../errors.js';
import { backupJob, type Attempt } from '../../backups/backupJob.js';
import type { BackupJobRow } from '../../backups/backupJobView.js';
import type { Storage } from '../../storage/storage.js';
import { deleteAttemptFolder } from './attemptFolder.js';
import { metadataOf, type WorkerTools } from '../workerTools.js';

/** The objects that a failed, cancelled or lost attempt may have left in the container. */
export type Remains = {
  readonly jobId: string;
  readonly projectId: string;
  readonly batchId: string;
  readonly fileEndpointId: string;
  readonly attempt: Pick<Attempt, 'number' | 'folder' | 'outcome' | 'finishedAt'>;
};

/** The remains of every attempt of the job whose folder is not confirmed to be empty. */
export function remainsOf(row: BackupJobRow): readonly Remains[] {
  const { id: jobId, projectId, batchId, fileEndpointId } = row;
  return row.attempts
    .filter(({ number }) => row.attemptsWithRemains.includes(number))
    .map((attempt) => ({ jobId, projectId, batchId, fileEndpointId, attempt }));
}

/**
 * Deletes the remains of an attempt, and records an event once the container has confirmed this. A process may have
 * ended after it stored a complete backup.json and before it recorded the success. An event voids such an attempt
 * first. A lost worker may still be sending its last bytes, so during the first lease the remains are deleted without
 * the event, and checked again later. Returns whether the event was recorded.
 */
export async function removeRemains(tools: WorkerTools, remains: Remains, signal: AbortSignal): Promise<boolean> {
  const { attempt, fileEndpointId } = remains;
  await deleteAttemptFolder(tools, { fileEndpointId, folder: attempt.folder }, signal, async (storage) => {
    if (await isBackup(storage, attempt.folder, signal)) await record(tools, remains, 'VOID_ATTEMPT');
  });
  if (mayStillBeWriting(tools, attempt)) return false;
  await record(tools, remains, 'CONFIRM_REMAINS_GONE');
  return true;
}

/** A folder with a complete backup.json is a backup, also for a person who has only the container. */
async function isBackup(storage: Storage, folder: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await readBackupDocument(storage, folder, { signal })) !== undefined;
  } catch (error) {
    if (error instanceof StowageError && error.code === 'CHECKSUM') return false;
    throw error;
  }
}

function mayStillBeWriting(tools: WorkerTools, { outcome, finishedAt }: Remains['attempt']): boolean {
  if (outcome !== 'WORKER_LOST' || finishedAt === null) return false;
  return Math.abs(tools.now().getTime() - Date.parse(finishedAt)) < tools.times.lease;
}

async function record(
  tools: WorkerTools,
  { jobId: id, projectId, batchId, attempt }: Remains,
  kind: 'VOID_ATTEMPT' | 'CONFIRM_REMAINS_GONE',
): Promise<void> {
  await tools.store.transact(metadataOf(tools, batchId), (tx) =>
    tx.execute(backupJob, { id, projectId }, { kind, attempt: attempt.number, at: tools.now().toISOString() }),
  );
}
