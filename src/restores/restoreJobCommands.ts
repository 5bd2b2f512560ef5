import type { StreamRef, Transaction } from '../eventSourcing/eventStore.js';
import { releaseBackup, reserveBackup } from '../backups/backupJobCommands.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import { restoreJob, type KnownRestoreJob, type RestoreRequest } from './restoreJob.js';

/** What others do to a restore job, each within the caller's transaction. */

/** Queues a restore and reserves the backup it will read. `backup` is not STORED: CONFLICT. */
export async function queueRestore(
  tx: Transaction,
  queue: JobQueue,
  job: StreamRef,
  request: RestoreRequest,
): Promise<void> {
  const queuedAt = new Date(request.queuedAt);
  await reserveBackup(tx, { id: request.backupJobId, projectId: job.projectId }, job.id, queuedAt);
  await tx.execute(restoreJob, job, { kind: 'QUEUE', request });
  await tx.reservations.use(request.targetServiceId, job.id);
  await queue.enqueue(tx.manager, {
    jobId: job.id,
    kind: 'RESTORE',
    projectId: job.projectId,
    serviceId: request.targetServiceId,
    engine: request.engine,
    dueAt: queuedAt,
    queuedAt,
  });
}

/** From QUEUED it ends at once; a RUNNING one is asked to end, and whoever holds its lease ends it. Returns which. */
export async function cancelRestore(
  tx: Transaction,
  queue: JobQueue,
  job: StreamRef,
  by: string,
  at: Date,
): Promise<KnownRestoreJob['status']> {
  await queue.holder(tx.manager, job.id);
  const { state: before } = await tx.load(restoreJob, job.id);
  const { state } = await tx.execute(restoreJob, job, { kind: 'REQUEST_CANCEL', by, at: at.toISOString() });
  if (before.status === 'QUEUED') await endRestore(tx, queue, job, before.request, at);
  return state.status === 'NONE' ? 'CANCELLED' : state.status;
}

/** The job is over: it leaves the queue, lets go of the backup and of the target. */
export async function endRestore(
  tx: Transaction,
  queue: JobQueue,
  job: StreamRef,
  request: RestoreRequest,
  at: Date,
): Promise<void> {
  await queue.remove(tx.manager, job.id);
  await releaseBackup(tx, { id: request.backupJobId, projectId: job.projectId }, job.id, at);
  await tx.reservations.release(request.targetServiceId, job.id);
}

/**
 * A restore is cancelled whose target has not confirmed that our sessions there are ended: it lets go of the backup, and
 * of the target only with `letTargetGo`, due after `limitMs` at the latest.
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

/** The target of a cancelled restore is free for others. False: it was so already. */
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
