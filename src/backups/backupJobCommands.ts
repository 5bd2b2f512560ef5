import type { StreamRef, Transaction } from '../eventSourcing/eventStore.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import { backupJob, type BackupJobCommand, type BackupRequest, type KnownBackupJob } from './backupJob.js';
import type { DeletionReason } from './storedBackup.js';

/**
 * What others do to a backup job, each within the caller's transaction: the events, the place in the queue, and what
 * keeps service and file endpoint from being removed while the job or its bytes need them.
 */

/** Queues a job under an id of the caller's making. A job of that id is there already: nothing changes. */
export async function queueBackup(
  tx: Transaction,
  queue: JobQueue,
  job: StreamRef,
  request: BackupRequest,
): Promise<void> {
  const { version } = await tx.load(backupJob, job.id);
  if (version > 0) return;
  await tx.execute(backupJob, job, { kind: 'QUEUE', request });
  await tx.reservations.useAll([request.serviceId, request.fileEndpointId], job.id);
  const { serviceId, engine } = request;
  const queuedAt = new Date(request.queuedAt);
  await queue.enqueue(tx.manager, {
    jobId: job.id,
    kind: 'BACKUP',
    projectId: job.projectId,
    serviceId,
    engine,
    dueAt: queuedAt,
    queuedAt,
  });
}

/** Records a tick that found the destination's earlier job still active. */
export async function skipBackup(
  tx: Transaction,
  job: StreamRef,
  request: BackupRequest,
  skippedFor: string,
): Promise<void> {
  await tx.execute(backupJob, job, { kind: 'SKIP', request, skippedFor });
}

/** From QUEUED it ends at once; a RUNNING one is asked to end, and whoever holds its lease ends it. Returns which. */
export async function cancelBackup(
  tx: Transaction,
  queue: JobQueue,
  job: StreamRef,
  by: string,
  at: Date,
): Promise<KnownBackupJob['status']> {
  // Locks the row of the queue first: cancelling and claiming exclude each other.
  await queue.holder(tx.manager, job.id);
  const command: BackupJobCommand = { kind: 'REQUEST_CANCEL', by, at: at.toISOString() };
  const { state } = await tx.execute(backupJob, job, command);
  if (state.status === 'CANCELLED') await endWithoutBackup(tx, queue, job.id, state.request);
  return state.status === 'NONE' ? 'CANCELLED' : state.status;
}

/** The job is over and nothing of it is listed: it leaves the queue and needs neither service nor endpoint any more. */
export async function endWithoutBackup(
  tx: Transaction,
  queue: JobQueue,
  jobId: string,
  request: Pick<BackupRequest, 'serviceId' | 'fileEndpointId'>,
): Promise<void> {
  await queue.remove(tx.manager, jobId);
  await tx.reservations.release(request.serviceId, jobId);
  await tx.reservations.release(request.fileEndpointId, jobId);
}

/** A restore (or another reader) relies on the bytes from here on: nothing deletes them before it lets go. */
export async function reserveBackup(tx: Transaction, job: StreamRef, readerId: string, at: Date): Promise<void> {
  await tx.execute(backupJob, job, { kind: 'RESERVE', readerId, at: at.toISOString() });
}

export async function releaseBackup(tx: Transaction, job: StreamRef, readerId: string, at: Date): Promise<void> {
  await tx.execute(backupJob, job, { kind: 'RELEASE', readerId, at: at.toISOString() });
}

/** From here on the bytes are to go; whoever deletes them in the container confirms it with `confirmDeletion`. */
export async function decideDeletion(
  tx: Transaction,
  job: StreamRef,
  decision: { readonly reason: DeletionReason; readonly by: string; readonly at: Date },
  expectedVersion?: number,
): Promise<void> {
  const command: BackupJobCommand = { kind: 'DECIDE_DELETION', ...decision, at: decision.at.toISOString() };
  await tx.execute(backupJob, job, command, expectedVersion);
}

/** The container has confirmed that the bytes are gone. */
export async function confirmDeletion(tx: Transaction, job: StreamRef, at: Date): Promise<void> {
  const { state } = await tx.execute(backupJob, job, { kind: 'CONFIRM_DELETION', at: at.toISOString() });
  if (state.status !== 'SUCCEEDED' || state.availability !== 'DELETED') return;
  await tx.reservations.release(state.request.serviceId, job.id);
  await tx.reservations.release(state.request.fileEndpointId, job.id);
}

/**
 * Locks one destination (a plan with one of its endpoints, or the backups by hand of a service there) until the
 * transaction ends. Every decision to delete takes it first, so that two of them cannot each rely on the other's victim.
 */
export async function lockDestination(tx: Transaction, planOrServiceId: string, fileEndpointId: string): Promise<void> {
  await tx.manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `destination:${planOrServiceId}:${fileEndpointId}`,
  ]);
}
