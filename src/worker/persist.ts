import { setTimeout as delay } from 'node:timers/promises';
import { StowageError } from '../errors.js';
import type { EventMetadata } from '../eventSourcing/event.js';
import type { EventStore, Transaction } from '../eventSourcing/eventStore.js';
import type { AttemptOutcome, AttemptRecord } from '../jobs/attempt.js';
import { backupJob } from '../backups/backupJob.js';
import type { Lease } from '../postgres/contracts/jobQueue.js';
import { restoreJob } from '../restores/restoreJob.js';
import { LeaseLost } from './heartbeat.js';
import { unlessAborted } from './unlessAborted.js';
import type { WorkerTools } from './workerTools.js';

const pauseMs = 1_000;
/** Where a renewal is refused PostgreSQL answers: what it was asked before is answered as well. */
const answerMs = 5_000;

type Asking = Pick<WorkerTools, 'store' | 'queue' | 'log'>;

/** Who speaks: the holder of a lease, for as long as it is not lost. */
export type Speaker = { readonly lease: Lease; readonly metadata: EventMetadata; readonly lost: AbortSignal };

/** How a worker can end its own attempt. */
export type RecordedEnd = Exclude<AttemptOutcome, 'WORKER_LOST'>;

/**
 * Appends what the holder of a lease has to say, in a transaction that is fenced by the lease.
 * @throws WORKER_LOST when the lease is another's by now, or may be
 */
export async function persist<T>(tools: Asking, speaker: Speaker, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return untilAnswered(tools, speaker, () =>
    tools.store.transact(speaker.metadata, async (tx) => {
      await tools.queue.fence(tx.manager, speaker.lease);
      return await work(tx);
    }),
  );
}

/**
 * Appends how the attempt ended, and answers it. A connection may die just as that is committed: the question is asked
 * again then, and refused, for the lease went with the answer. So the log is looked at before the lease is taken for lost.
 * @throws WORKER_LOST when the lease is another's by now, or may be, and nobody has said how the attempt ended
 */
export async function persistEnd(
  tools: Asking,
  speaker: Speaker,
  work: (tx: Transaction) => Promise<RecordedEnd>,
): Promise<RecordedEnd> {
  try {
    return await persist(tools, speaker, work);
  } catch (error) {
    const isRefused = error instanceof LeaseLost ? error.isRefused : isWorkerLost(error);
    const recorded = isRefused ? await recordedEnd(tools.store, speaker.lease) : undefined;
    if (recorded === undefined) throw error;
    return recorded;
  }
}

/** How the log says that the attempt ended; undefined where it does not, or says that the worker was lost. */
async function recordedEnd(store: EventStore, { kind, jobId, attempt }: Lease): Promise<RecordedEnd | undefined> {
  const attempts = async (): Promise<readonly (AttemptRecord & { readonly adoptedBy?: string })[]> => {
    const { state } = kind === 'BACKUP' ? await store.load(backupJob, jobId) : await store.load(restoreJob, jobId);
    return state.status === 'NONE' ? [] : state.attempts;
  };
  // Where PostgreSQL does not answer, the lease is taken for lost.
  const known = await unlessAborted(AbortSignal.timeout(answerMs), attempts).catch(() => []);
  const ended = known.find(({ number }) => number === attempt);
  if (ended === undefined || ended.outcome === 'WORKER_LOST' || ended.adoptedBy !== undefined) return undefined;
  return ended.outcome ?? undefined;
}

function isWorkerLost(error: unknown): boolean {
  return error instanceof StowageError && error.code === 'WORKER_LOST';
}

/**
 * Asks PostgreSQL, again and again while it does not answer: a dump of hours must not be lost to a restart of the
 * database. It ends when the lease does.
 * @throws WORKER_LOST when the lease is lost, also while the answer is on its way
 */
export async function untilAnswered<T>(
  tools: Pick<Asking, 'log'>,
  { lease, lost }: Pick<Speaker, 'lease' | 'lost'>,
  ask: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await unlessLost(lost, ask);
    } catch (error) {
      if (!isOutage(error)) throw error;
      tools.log.warn({ err: error, jobId: lease.jobId }, 'PostgreSQL does not answer; it is asked again');
    }
    await unlessAborted(lost, () => delay(pauseMs, undefined, { signal: lost }));
  }
}

/**
 * A renewal that waited for what is being said is refused when that was the end of the attempt: the lease went with it.
 * So the answer that is on its way then counts, and where the lease was really lost it says so itself.
 */
async function unlessLost<T>(lost: AbortSignal, ask: () => Promise<T>): Promise<T> {
  let answer: Promise<T> | undefined;
  try {
    return await unlessAborted(lost, () => (answer = ask()));
  } catch (error) {
    const onItsWay = answer;
    if (onItsWay === undefined || !(error instanceof LeaseLost && error.isRefused)) throw error;
    const limit = AbortSignal.timeout(answerMs);
    return await unlessAborted(limit, () => onItsWay).catch((failure: unknown) => {
      throw limit.aborted ? error : failure;
    });
  }
}

/**
 * SQLSTATE classes 08 (connection), 53 (resources), 57P (shutdown), 25P03 (a transaction that lay still for too long), or
 * an error of the socket below.
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
