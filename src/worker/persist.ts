import { setTimeout as delay } from 'node:timers/promises';
import { StowageError } from '../errors.js';
import type { EventMetadata } from '../eventSourcing/event.js';
import type { EventStore, Transaction } from '../eventSourcing/eventStore.js';
import type { AttemptOutcome } from '../jobs/attempt.js';
import type { JobHandling } from '../jobs/jobCommands.js';
import type { Lease } from '../postgres/contracts/jobQueue.js';
import { LeaseLost } from './heartbeat.js';
import { unlessAborted } from '../unlessAborted.js';
import type { WorkerTools } from './workerTools.js';

const pauseMs = 1_000;
/** PostgreSQL has just answered by refusing a renewal. So it also answers an earlier request within this time. */
const answerMs = 5_000;

type PersistTools = Pick<WorkerTools, 'store' | 'queue' | 'log'>;

/** The identity of a lease holder, valid until the lease is lost. */
export type LeaseHolder = { readonly lease: Lease; readonly metadata: EventMetadata; readonly lost: AbortSignal };

/** The ways in which a worker can end its own attempt. */
export type RecordedEnd = Exclude<AttemptOutcome, 'WORKER_LOST'>;

/**
 * Appends events of the holder of a lease, in a transaction that is fenced by the lease.
 * @throws WORKER_LOST when another worker holds the lease, or may hold it
 */
export async function persist<T>(
  tools: PersistTools,
  holder: LeaseHolder,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  return untilAnswered(tools, holder, () =>
    tools.store.transact(holder.metadata, async (tx) => {
      await tools.queue.fence(tx.manager, holder.lease);
      return await work(tx);
    }),
  );
}

/**
 * Appends the end of an attempt and returns it. A connection may break during the commit. The repeated append is then
 * refused, because the first one released the lease. So the log is checked before the lease counts as lost.
 * @throws WORKER_LOST when another worker holds the lease, or may hold it, and the log has no end of the attempt
 */
export async function persistEnd(
  tools: PersistTools,
  { kind, ...holder }: LeaseHolder & { readonly kind: Pick<JobHandling, 'decider'> },
  work: (tx: Transaction) => Promise<RecordedEnd>,
): Promise<RecordedEnd> {
  try {
    return await persist(tools, holder, work);
  } catch (error) {
    const isRefused = error instanceof LeaseLost ? error.isRefused : isWorkerLost(error);
    const recorded = isRefused ? await recordedEnd(tools.store, kind, holder.lease) : undefined;
    if (recorded === undefined) throw error;
    return recorded;
  }
}

/** The end of the attempt in the log. Undefined: the attempt has no end, or the worker was recorded as lost. */
async function recordedEnd(
  store: EventStore,
  { decider }: Pick<JobHandling, 'decider'>,
  { jobId, attempt }: Lease,
): Promise<RecordedEnd | undefined> {
  const attempts = async () => {
    const { state } = await store.load(decider, jobId);
    return state.status === 'NONE' ? [] : state.attempts;
  };
  // While PostgreSQL does not answer, the lease counts as lost.
  const known = await unlessAborted(AbortSignal.timeout(answerMs), attempts).catch(() => []);
  const ended = known.find(({ number }) => number === attempt);
  if (ended === undefined || ended.outcome === 'WORKER_LOST' || ended.adoptedBy !== undefined) return undefined;
  return ended.outcome ?? undefined;
}

function isWorkerLost(error: unknown): boolean {
  return error instanceof StowageError && error.code === 'WORKER_LOST';
}

/**
 * Repeats a request while PostgreSQL does not answer, until the lease is lost: a dump of hours must survive a restart
 * of the database.
 * @throws WORKER_LOST when the lease is lost, also while a request is pending
 */
export async function untilAnswered<T>(
  tools: Pick<PersistTools, 'log'>,
  { lease, lost }: Pick<LeaseHolder, 'lease' | 'lost'>,
  request: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await untilLost(lost, request);
    } catch (error) {
      if (!isOutage(error)) throw error;
      tools.log.warn({ err: error, jobId: lease.jobId }, 'PostgreSQL does not answer; the request is repeated');
    }
    await unlessAborted(lost, () => delay(pauseMs, undefined, { signal: lost }));
  }
}

/**
 * Rejects when the lease is lost, with one exception: a renewal that waited for the append of the attempt's end is
 * refused, because that append has released the lease. In this case the result of the pending append counts. If the
 * lease was really lost, the append is refused too.
 */
async function untilLost<T>(lost: AbortSignal, request: () => Promise<T>): Promise<T> {
  let answer: Promise<T> | undefined;
  try {
    return await unlessAborted(lost, () => (answer = request()));
  } catch (error) {
    const pending = answer;
    if (pending === undefined || !(error instanceof LeaseLost && error.isRefused)) throw error;
    const limit = AbortSignal.timeout(answerMs);
    return await unlessAborted(limit, () => pending).catch((failure: unknown) => {
      throw limit.aborted ? error : failure;
    });
  }
}

/**
 * SQLSTATE classes 08 (connection), 53 (resources), 57P (shutdown), 25P03 (a transaction that was idle for too long),
 * or an error of the socket.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof StowageError) return error.code === 'UNAVAILABLE' && error.retriable;
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (
    /^(08...|25P03|53...|57P..|ECONN[A-Z]+|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN)$/.test(code) ||
    /connection (terminated|closed|timeout)|timeout exceeded|not queryable/i.test(error.message)
  );
}
