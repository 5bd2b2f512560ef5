import { attemptFolder } from '../archive/layout.js';
import { StowageError } from '../errors.js';
import type { EventMetadata } from '../eventSourcing/event.js';
import type { StreamRef, Transaction } from '../eventSourcing/eventStore.js';
import { backupJob, type BackupRequest, type BackupShape } from '../backups/backupJob.js';
import type { AttemptStart, JobError } from '../jobs/attempt.js';
import type { JobShape } from '../jobs/attemptedJob.js';
import { failAttempt, streamOf } from '../jobs/jobCommands.js';
import type { ClaimedLease, JobKind, Lease } from '../postgres/contracts/jobQueue.js';
import type { RestoreShape } from '../restores/restoreJob.js';
import { handlings } from './handlings.js';
import { isOutage } from './persist.js';
import { retryDelay } from './retryDelay.js';
import type { WorkerTools } from './workerTools.js';

export type Claimed = ClaimedBackup | ClaimedRestore;
export type ClaimedBackup = ClaimedJob<BackupShape> & { readonly kind: 'BACKUP' };
export type ClaimedRestore = ClaimedJob<RestoreShape> & { readonly kind: 'RESTORE' };

export type ClaimedJob<Shape extends JobShape = JobShape> = {
  readonly lease: Lease;
  readonly metadata: EventMetadata;
  /** `performance.now()` from before the lease was requested: the lease ends no later than its length after that. */
  readonly askedAtMs: number;
  readonly request: Shape['request'];
  readonly attempt: Shape['start'];
};

/** A job that could not be started this many times in a row becomes FAILED. */
const putOffLimit = 3;

/**
 * Claims the next due job: takes the lease and appends the start of the attempt, in one transaction. It also removes
 * rows of the queue whose jobs no longer wait. A job that cannot be started is postponed, so that others can run. After
 * several tries it becomes FAILED with INTERNAL. Undefined: no job is due.
 */
export async function claimJob(tools: WorkerTools, engines: readonly string[]): Promise<Claimed | undefined> {
  for (;;) {
    const askedAtMs = performance.now();
    const metadata = { actor: `worker:${tools.workerId}`, correlationId: crypto.randomUUID() };
    let lease: ClaimedLease | undefined;
    // Most polls find nothing to do, and then need no transaction.
    const kinds = await tools.queue.kindsToDo(tools.dataSource.manager, engines);
    if (kinds.length === 0) return undefined;
    try {
      const claimed = await tools.store.transact(metadata, async (tx) => {
        lease = await tools.queue.claim(tx.manager, tools.workerId, engines, tools.times.lease, kinds);
        if (lease === undefined) return undefined;
        if (lease.putOff >= putOffLimit) return failUnstartable(tools, tx, lease);
        return start(tools, tx, lease, askedAtMs);
      });
      if (claimed !== 'OVER') return claimed;
    } catch (error) {
      if (lease === undefined || isOutage(error) || isOutdated(error)) throw error;
      await putOff(tools, lease, error);
    }
  }
}

/** This worker is older than the schema, so it can start no job. Updated workers can. */
function isOutdated(error: unknown): boolean {
  return error instanceof StowageError && error.code === 'UNAVAILABLE' && !error.retriable;
}

async function putOff(tools: WorkerTools, { jobId, putOff: times }: ClaimedLease, error: unknown): Promise<void> {
  const pauseMs = retryDelay(times + 1, tools.times.retry, tools.random());
  tools.log.error({ err: error, jobId, pauseMs }, 'A job could not be started; it is put off so that others go on');
  await tools.dataSource.transaction((manager) => tools.queue.putOff(manager, jobId, pauseMs));
}

async function start(tools: WorkerTools, tx: Transaction, lease: Lease, askedAtMs: number): Promise<Claimed | 'OVER'> {
  const { decider } = handlings[lease.kind];
  const job = streamOf(lease);
  const { state } = await tx.load(decider, job.id);
  if (state.status !== 'QUEUED') return dropStale(tools, tx, lease);
  const { request } = state;
  const attempt = await starts[lease.kind](tx, job, request, startOf(tools, lease));
  const preflight = { attempt: attempt.number, phase: 'PREFLIGHT', at: attempt.startedAt };
  await tx.execute(decider, job, { kind: 'START_ATTEMPT', attempt });
  await tx.execute(decider, job, { kind: 'ENTER_PHASE', ...preflight });
  // The kind of the lease is the kind of the decider, so it is also the kind of request and attempt.
  return { kind: lease.kind, lease, metadata: tx.metadata, askedAtMs, request, attempt } as Claimed;
}

function startOf(tools: WorkerTools, { attempt }: Lease): AttemptStart {
  return { number: attempt, worker: tools.workerId, startedAt: tools.now().toISOString() };
}

async function dropStale(tools: WorkerTools, tx: Transaction, lease: Lease): Promise<'OVER'> {
  await tools.queue.remove(tx.manager, lease.jobId);
  return 'OVER';
}

/** Ends a job with an attempt that never wrote anything. It does not read the data that made the start fail. */
async function failUnstartable(tools: WorkerTools, tx: Transaction, lease: Lease): Promise<'OVER'> {
  const handling = handlings[lease.kind];
  const job = streamOf(lease);
  const { state } = await tx.load(handling.decider, job.id);
  if (state.status !== 'QUEUED') return dropStale(tools, tx, lease);
  const attempt = await starts[lease.kind](null, job, state.request, startOf(tools, lease));
  await tx.execute(handling.decider, job, { kind: 'START_ATTEMPT', attempt });
  const at = tools.now();
  const failure = { attempt: attempt.number, outcome: 'FAILED', error: unstartable, at, retryAt: at } as const;
  await failAttempt(tx, tools.queue, handling, lease, failure);
  if (lease.kind === 'BACKUP') {
    const nothingStored = { attempt: attempt.number, at: at.toISOString() };
    await tx.execute(backupJob, job, { kind: 'CONFIRM_REMAINS_GONE', ...nothingStored });
  }
  return 'OVER';
}

/**
 * Adds the data that each kind of job records at the start of an attempt. `tx` null: the job cannot be started, so
 * nothing is read. Throws when the attempt cannot be started.
 */
type Starts<Shape extends JobShape> = (
  tx: Transaction | null,
  job: StreamRef,
  request: Shape['request'],
  attempt: AttemptStart,
) => Promise<Shape['start']>;

const startBackup: Starts<BackupShape> = async (tx, job, request, attempt) => {
  const { serviceId } = request;
  const place = tx === null ? { prefix: '', serviceName: 'service' } : await placeOf(tx, request);
  const { number, startedAt } = attempt;
  return { ...attempt, folder: attemptFolder({ ...place, serviceId, startedAt, jobId: job.id, attempt: number }) };
};

const startRestore: Starts<RestoreShape> = (_tx, _job, _request, attempt) => Promise.resolve(attempt);

/** The kind of the lease equals the kind of the request in its stream. */
const starts = { BACKUP: startBackup, RESTORE: startRestore } as unknown as Readonly<Record<JobKind, Starts<JobShape>>>;

async function placeOf({ manager }: Transaction, { serviceId, fileEndpointId }: BackupRequest) {
  const [place] = await manager.query<{ prefix: string; name: string }[]>(
    `SELECT endpoint.prefix, service.name FROM services service, file_endpoints endpoint
     WHERE service.id = $1 AND endpoint.id = $2`,
    [serviceId, fileEndpointId],
  );
  if (place === undefined) throw new Error(`Service ${serviceId} or file endpoint ${fileEndpointId} is unknown.`);
  return { prefix: place.prefix, serviceName: place.name };
}

const unstartable: JobError = {
  code: 'INTERNAL',
  message: 'No worker could start this job; the log of the workers has the details.',
  hint: 'Report it with the id of the job and the log of the workers at that time.',
  toolOutput: null,
  retriable: false,
};
