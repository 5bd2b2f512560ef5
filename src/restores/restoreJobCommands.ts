import type { StreamRef, Transaction } from '../eventSourcing/eventStore.js';
import { releaseBackup, reserveBackup } from '../backups/backupJobCommands.js';
import { enqueueJob, type JobHandling } from '../jobs/jobCommands.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import { restoreError } from './restoreError.js';
import { restoreJob, type RestoreJobEvent, type RestoreRequest, type RestoreShape } from './restoreJob.js';

/** Commands on restore jobs, each within the caller's transaction. */

export const restoreHandling: JobHandling<RestoreShape, RestoreJobEvent> = {
  name: 'RESTORE',
  decider: restoreJob,
  priorityOf: () => 'RESTORE',
  async release(tx, job, { backupJobId, targetServiceId }, at) {
    await releaseBackup(tx, { id: backupJobId, projectId: job.projectId }, job.id, at);
    await tx.reservations.release(targetServiceId, job.id);
  },
  errorOf: (failure, { toolStarted, databases }) => (toolStarted ? restoreError(failure, { databases }) : failure),
};

/** Queues a restore and reserves the backup that it will read. Throws CONFLICT for a backup that is not STORED. */
export async function queueRestore(
  tx: Transaction,
  queue: JobQueue,
  job: StreamRef,
  request: RestoreRequest,
): Promise<void> {
  const { backupJobId, targetServiceId: serviceId, queuedAt } = request;
  await reserveBackup(tx, { id: backupJobId, projectId: job.projectId }, job.id, new Date(queuedAt));
  await tx.reservations.use(serviceId, job.id);
  await enqueueJob(tx, queue, restoreHandling, job, { request, serviceId });
}

/**
 * Ends a cancelled restore whose target has not confirmed that our sessions there have ended. The backup is released.
 * The target stays locked until `letTargetGo`, which is due after `limitMs` at the latest.
 */
export async function endRestoreKeepingTarget(
  tx: Transaction,
  queue: JobQueue,
  job: StreamRef,
  request: RestoreRequest,
  { at, limitMs }: { readonly at: Date; readonly limitMs: number },
): Promise<void> {
  await queue.removeKeeping(tx.manager, job.id, limitMs);
  await releaseBackup(tx, { id: request.backupJobId, projectId: job.projectId }, job.id, at);
}

/** Unlocks the target of a cancelled restore. False: it was already unlocked. */
export async function letTargetGo(
  tx: Transaction,
  queue: JobQueue,
  job: StreamRef,
  request: Pick<RestoreRequest, 'targetServiceId'>,
  { at, sessionsEnded }: { readonly at: Date; readonly sessionsEnded: boolean },
): Promise<boolean> {
  if (!(await queue.letGo(tx.manager, job.id))) return false;
  await tx.execute(restoreJob, job, { kind: 'FREE_TARGET', sessionsEnded, at: at.toISOString() });
  await tx.reservations.release(request.targetServiceId, job.id);
  return true;
}
