import { attemptFolder } from '../archive/layout.js';
import { StowageError } from '../errors.js';
import type { EventMetadata } from '../eventSourcing/event.js';
import type { Transaction } from '../eventSourcing/eventStore.js';
import type { JobError } from '../jobs/attempt.js';
import { backupJob, type BackupRequest, type RunningAttempt } from '../backups/backupJob.js';
import { endWithoutBackup } from '../backups/backupJobCommands.js';
import type { ClaimedLease, Lease } from '../postgres/contracts/jobQueue.js';
import { restoreJob, type RestoreRequest } from '../restores/restoreJob.js';
import { endRestore } from '../restores/restoreJobCommands.js';
import { isOutage } from './persist.js';
import { retryDelay } from './retryDelay.js';
import type { WorkerTools } from './workerTools.js';

export type Claimed = ClaimedBackup | ClaimedRestore;
type ClaimedAttempt = {
  readonly lease: Lease;
  readonly metadata: EventMetadata;
  /** `performance.now()` from before the lease was asked for: it ends no later than its length after that. */
  readonly askedAtMs: number;
};
export type ClaimedBackup = ClaimedAttempt & {
  readonly kind: 'BACKUP';
  readonly request: BackupRequest;
  readonly attempt: RunningAttempt;
};
export type ClaimedRestore = ClaimedAttempt & { readonly kind: 'RESTORE'; readonly request: RestoreRequest };

/** A job that could not be started so often in a row is not tried any more. */
const putOffLimit = 3;

/**
 * Takes the next job that is due: lease and the event that the attempt has started, in one transaction. A row of the
 * queue whose job does not wait any more is taken away on the way; a job that cannot be started is put off, so that
 * others go on, and FAILED with INTERNAL in the end. Undefined: there is nothing to do.
 */
export async function claimJob(tools: WorkerTools, engines: readonly string[]): Promise<Claimed | undefined> {
  for (;;) {
    const askedAtMs = performance.now();
    const metadata = { actor: `worker:${tools.workerId}`, correlationId: crypto.randomUUID() };
    let lease: ClaimedLease | undefined;
    // No transaction where there is nothing to do, as most looks find.
    const kinds = await tools.queue.kindsToDo(tools.dataSource.manager, engines);
    if (kinds.length === 0) return undefined;
    try {
      const claimed = await tools.store.transact(metadata, async (tx) => {
        lease = await tools.queue.claim(tx.manager, tools.workerId, engines, tools.times.lease, kinds);
        if (lease === undefined) return undefined;
        if (lease.putOff >= putOffLimit) return failUnstartable(tools, tx, lease);
        return lease.kind === 'BACKUP'
          ? startBackup(tools, tx, lease, askedAtMs)
          : startRestore(tools, tx, lease, askedAtMs);
      });
      if (claimed !== 'OVER') return claimed;
    } catch (error) {
      if (lease === undefined || isOutage(error) || isOutdated(error)) throw error;
      await putOff(tools, lease, error);
    }
  }
}

/** This worker is older than the schema: it can start no job at all, and workers that were updated can. */
function isOutdated(error: unknown): boolean {
  return error instanceof StowageError && error.code === 'UNAVAILABLE' && !error.retriable;
}

async function putOff(tools: WorkerTools, { jobId, putOff: times }: ClaimedLease, error: unknown): Promise<void> {
  const pauseMs = retryDelay(times + 1, tools.times.retry, tools.random());
  tools.log.error({ err: error, jobId, pauseMs }, 'A job could not be started; it is put off so that others go on');
  await tools.dataSource.transaction((manager) => tools.queue.putOff(manager, jobId, pauseMs));
}

async function startBackup(
  tools: WorkerTools,
  tx: Transaction,
  lease: Lease,
  askedAtMs: number,
): Promise<ClaimedBackup | 'OVER'> {
  const job = { id: lease.jobId, projectId: lease.projectId };
  const { state } = await tx.load(backupJob, job.id);
  if (state.status !== 'QUEUED') return dropStale(tools, tx, lease);
  const { request } = state;
  const { prefix, serviceName } = await placeOf(tx, request);
  const startedAt = tools.now().toISOString();
  const attempt = {
    number: lease.attempt,
    worker: tools.workerId,
    startedAt,
    folder: attemptFolder({
      prefix,
      serviceName,
      serviceId: request.serviceId,
      startedAt,
      jobId: job.id,
      attempt: lease.attempt,
    }),
  };
  await tx.execute(backupJob, job, { kind: 'START_ATTEMPT', attempt });
  await tx.execute(backupJob, job, { kind: 'ENTER_PHASE', attempt: attempt.number, phase: 'PREFLIGHT', at: startedAt });
  return { kind: 'BACKUP', lease, metadata: tx.metadata, askedAtMs, request, attempt };
}

/** Throws where service or file endpoint are unknown. */
async function placeOf(
  { manager }: Transaction,
  { serviceId, fileEndpointId }: BackupRequest,
): Promise<{ readonly prefix: string; readonly serviceName: string }> {
  const [place] = await manager.query<{ prefix: string; name: string }[]>(
    `SELECT endpoint.prefix, service.name FROM services service, file_endpoints endpoint
     WHERE service.id = $1 AND endpoint.id = $2`,
    [serviceId, fileEndpointId],
  );
  if (place === undefined) throw new Error(`Service ${serviceId} or file endpoint ${fileEndpointId} is unknown.`);
  return { prefix: place.prefix, serviceName: place.name };
}

async function startRestore(
  tools: WorkerTools,
  tx: Transaction,
  lease: Lease,
  askedAtMs: number,
): Promise<ClaimedRestore | 'OVER'> {
  const job = { id: lease.jobId, projectId: lease.projectId };
  const { state } = await tx.load(restoreJob, job.id);
  if (state.status !== 'QUEUED') return dropStale(tools, tx, lease);
  const attempt = { number: lease.attempt, worker: tools.workerId, startedAt: tools.now().toISOString() };
  await tx.execute(restoreJob, job, { kind: 'START_ATTEMPT', attempt });
  return { kind: 'RESTORE', lease, metadata: tx.metadata, askedAtMs, request: state.request };
}

async function dropStale(tools: WorkerTools, tx: Transaction, lease: Lease): Promise<'OVER'> {
  await tools.queue.remove(tx.manager, lease.jobId);
  return 'OVER';
}

/** Ends a job with an attempt that never wrote anything. What stood in the way of its start is not asked for again. */
async function failUnstartable(tools: WorkerTools, tx: Transaction, lease: Lease): Promise<'OVER'> {
  const job = { id: lease.jobId, projectId: lease.projectId };
  const at = tools.now();
  const attempt = { number: lease.attempt, worker: tools.workerId, startedAt: at.toISOString() };
  const failure = {
    ...({ kind: 'FAIL_ATTEMPT', attempt: lease.attempt, outcome: 'FAILED' } as const),
    ...{ error: unstartable, at: at.toISOString(), retryAt: at.toISOString() },
  };
  if (lease.kind === 'BACKUP') {
    const { state } = await tx.load(backupJob, job.id);
    if (state.status !== 'QUEUED') return dropStale(tools, tx, lease);
    const { startedAt, number } = attempt;
    const { serviceId } = state.request;
    const place = { prefix: '', serviceName: 'service', serviceId, startedAt, jobId: job.id, attempt: number };
    const folder = attemptFolder(place);
    await tx.execute(backupJob, job, { kind: 'START_ATTEMPT', attempt: { ...attempt, folder } });
    await tx.execute(backupJob, job, failure);
    await tx.execute(backupJob, job, { kind: 'CONFIRM_REMAINS_GONE', attempt: number, at: at.toISOString() });
    await endWithoutBackup(tx, tools.queue, job.id, state.request);
  } else {
    const { state } = await tx.load(restoreJob, job.id);
    if (state.status !== 'QUEUED') return dropStale(tools, tx, lease);
    await tx.execute(restoreJob, job, { kind: 'START_ATTEMPT', attempt });
    await tx.execute(restoreJob, job, failure);
    await endRestore(tx, tools.queue, job, state.request, at);
  }
  return 'OVER';
}

const unstartable: JobError = {
  code: 'INTERNAL',
  message: 'No worker could start this job; the log of the workers has the details.',
  hint: 'Report it with the id of the job and the log of the workers at that time.',
  toolOutput: null,
  retriable: false,
};
