import { StowageError } from '../errors.js';
import type { Transaction } from '../eventSourcing/eventStore.js';
import type { AttemptStart, JobError } from '../jobs/attempt.js';
import { failAttempt, streamOf } from '../jobs/jobCommands.js';
import type { ClaimedLease, Lease } from '../postgres/contracts/jobQueue.js';
import type { ClaimedJob, JobKind } from './jobKind.js';
import { isOutage } from './persist.js';
import { retryDelay } from './retryDelay.js';
import { metadataOf, type WorkerTools } from './workerTools.js';

/** A job that could not be started this many times in a row becomes FAILED. */
const putOffLimit = 3;

/**
 * Claims the next due job: takes the lease and appends the start of the attempt, in one transaction. It also removes
 * rows of the queue whose jobs no longer wait. A job that cannot be started is postponed, so that others can run. After
 * several tries it becomes FAILED with INTERNAL. Undefined: no job is due.
 */
export async function claimJob(
  tools: WorkerTools,
  kinds: readonly JobKind[],
  engines: readonly string[],
): Promise<ClaimedJob | undefined> {
  const names = kinds.map(({ name }) => name);
  for (;;) {
    const askedAtMs = performance.now();
    let lease: ClaimedLease | undefined;
    // Most polls find nothing to do, and then need no transaction.
    const toDo = await tools.queue.kindsToDo(tools.dataSource.manager, engines, names);
    if (toDo.length === 0) return undefined;
    try {
      const claimed = await tools.store.transact(metadataOf(tools), async (tx) => {
        const { workerId, times, projectShare } = tools;
        lease = await tools.queue.claim(tx.manager, workerId, engines, times.lease, toDo, projectShare);
        const kind = kinds.find(({ name }) => name === lease?.kind);
        if (lease === undefined || kind === undefined) return undefined;
        if (lease.putOff >= putOffLimit) return failUnstartable(tools, tx, kind, lease);
        return start(tools, tx, kind, lease, askedAtMs);
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
  tools.log.error(
    { err: error, jobId, pauseMs },
    'A job could not be started; it is postponed so that others continue',
  );
  await tools.dataSource.transaction((manager) => tools.queue.putOff(manager, jobId, pauseMs));
}

async function start(
  tools: WorkerTools,
  tx: Transaction,
  kind: JobKind,
  lease: Lease,
  askedAtMs: number,
): Promise<ClaimedJob | 'OVER'> {
  const { decider } = kind;
  const job = streamOf(lease);
  const { state } = await tx.load(decider, job.id);
  if (state.status !== 'QUEUED') return dropStale(tools, tx, lease);
  const { request } = state;
  const attempt = await kind.startOf(tx, job, request, startOf(tools, lease), tools);
  const preflight = { attempt: attempt.number, phase: 'PREFLIGHT', at: attempt.startedAt };
  await tx.execute(decider, job, { kind: 'START_ATTEMPT', attempt });
  await tx.execute(decider, job, { kind: 'ENTER_PHASE', ...preflight });
  return { kind, lease, metadata: tx.metadata, askedAtMs, request, attempt };
}

function startOf(tools: WorkerTools, { attempt }: Lease): AttemptStart {
  return { number: attempt, worker: tools.workerId, startedAt: tools.now().toISOString() };
}

async function dropStale(tools: WorkerTools, tx: Transaction, lease: Lease): Promise<'OVER'> {
  await tools.queue.remove(tx.manager, lease.jobId);
  return 'OVER';
}

/** Ends a job with an attempt that never wrote anything. It does not read the data that made the start fail. */
async function failUnstartable(tools: WorkerTools, tx: Transaction, kind: JobKind, lease: Lease): Promise<'OVER'> {
  const job = streamOf(lease);
  const { state } = await tx.load(kind.decider, job.id);
  if (state.status !== 'QUEUED') return dropStale(tools, tx, lease);
  const attempt = await kind.startOf(null, job, state.request, startOf(tools, lease), tools);
  await tx.execute(kind.decider, job, { kind: 'START_ATTEMPT', attempt });
  const at = tools.now();
  const failure = { attempt: attempt.number, outcome: 'FAILED', error: unstartable, at, retryAt: at } as const;
  await failAttempt(tx, tools.queue, kind, lease, failure);
  await kind.afterUnstartable?.(tx, job, attempt.number, at);
  return 'OVER';
}

const unstartable: JobError = {
  code: 'INTERNAL',
  message: 'No worker could start this job; the log of the workers has the details.',
  hint: 'Report it with the id of the job and the log of the workers at that time.',
  toolOutput: null,
  retriable: false,
};
