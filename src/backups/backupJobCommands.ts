import type { StreamRef, Transaction } from '../eventSourcing/eventStore.js';
import { enqueueJob, type JobHandling } from '../jobs/jobCommands.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import {
  backupJob,
  type BackupJobCommand,
  type BackupJobEvent,
  type BackupRequest,
  type BackupShape,
} from './backupJob.js';
import type { DeletionReason } from './storedBackup.js';

/**
 * Commands on backup jobs, each within the caller's transaction. They write the events, the place in the queue, and the
 * reservations. Reservations prevent the removal of service and file endpoint while the job or its bytes need them.
 */

export const backupHandling: JobHandling<BackupShape, BackupJobEvent> = {
  name: 'BACKUP',
  // A SKIPPED job never was in the queue, so the shared commands never get one.
  decider: backupJob as JobHandling<BackupShape, BackupJobEvent>['decider'],
  priorityOf({ trigger, standsFor }) {
    const counts = trigger === 'RETRY' ? standsFor : trigger;
    return counts === 'MANUAL' || counts === 'SAFETY' ? 'BY_HAND' : 'SCHEDULED';
  },
  async release(tx, job, { serviceId, fileEndpointId }) {
    await tx.reservations.release(serviceId, job.id);
    await tx.reservations.release(fileEndpointId, job.id);
  },
  errorOf: (failure) => failure,
};

/** Queues a job under an id that the caller has generated. Idempotent. */
export async function queueBackup(
  tx: Transaction,
  queue: JobQueue,
  job: StreamRef,
  request: BackupRequest,
): Promise<void> {
  const { version } = await tx.load(backupJob, job.id);
  if (version > 0) return;
  const { serviceId, fileEndpointId } = request;
  await tx.reservations.useAll([serviceId, fileEndpointId], job.id);
  await enqueueJob(tx, queue, backupHandling, job, { request, serviceId });
}

/** Records a tick that was skipped because the destination's earlier job had not ended. */
export async function skipBackup(
  tx: Transaction,
  job: StreamRef,
  request: BackupRequest,
  skippedFor: string,
): Promise<void> {
  await tx.execute(backupJob, job, { kind: 'SKIP', request, skippedFor });
}

/** Reserves the bytes for a reader, for example a restore. Nothing deletes them until the reader releases them. */
export async function reserveBackup(tx: Transaction, job: StreamRef, readerId: string, at: Date): Promise<void> {
  await tx.execute(backupJob, job, { kind: 'RESERVE', readerId, at: at.toISOString() });
}

export async function releaseBackup(tx: Transaction, job: StreamRef, readerId: string, at: Date): Promise<void> {
  await tx.execute(backupJob, job, { kind: 'RELEASE', readerId, at: at.toISOString() });
}

/** Decides that the bytes are deleted. The worker that deletes them in the container calls `confirmDeletion`. */
export async function decideDeletion(
  tx: Transaction,
  job: StreamRef,
  decision: { readonly reason: DeletionReason; readonly by: string; readonly at: Date },
  expectedVersion?: number,
): Promise<void> {
  const command: BackupJobCommand = { kind: 'DECIDE_DELETION', ...decision, at: decision.at.toISOString() };
  await tx.execute(backupJob, job, command, expectedVersion);
}

/** Records that the container has confirmed the deletion of the bytes. */
export async function confirmDeletion(tx: Transaction, job: StreamRef, at: Date): Promise<void> {
  const { state } = await tx.execute(backupJob, job, { kind: 'CONFIRM_DELETION', at: at.toISOString() });
  if (state.status !== 'SUCCEEDED' || state.availability !== 'DELETED') return;
  await backupHandling.release(tx, job, state.request, at);
}

/**
 * Locks one destination until the transaction ends. A destination is a plan with one of its endpoints, or the manual
 * backups of a service at an endpoint. Every decision to delete takes this lock first. Otherwise two decisions at the
 * same time could each rely on the backup that the other deletes.
 */
export async function lockDestination(tx: Transaction, planOrServiceId: string, fileEndpointId: string): Promise<void> {
  await tx.manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `destination:${planOrServiceId}:${fileEndpointId}`,
  ]);
}
