import { setTimeout as delay } from 'node:timers/promises';
import { StowageError } from '../errors.js';
import type { EventMetadata } from '../eventSourcing/event.js';
import type { Transaction } from '../eventSourcing/eventStore.js';
import type { Lease } from '../postgres/contracts/jobQueue.js';
import { interruptedBy } from './interruption.js';
import type { WorkerTools } from './workerTools.js';

const pauseMs = 1_000;

/**
 * Appends what the holder of a lease has to say, in a transaction that is fenced by the lease. While PostgreSQL does not
 * answer it is tried again: a dump of hours must not be lost to a restart of the database. It ends when the lease does.
 * @throws WORKER_LOST when the lease is another's by now, or `signal` says that it is lost
 */
export async function persist<T>(
  tools: WorkerTools,
  run: { readonly lease: Lease; readonly metadata: EventMetadata; readonly signal: AbortSignal },
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  for (;;) {
    if (interruptedBy(run.signal) === 'LEASE_LOST') {
      throw new StowageError('WORKER_LOST', `The lease on job ${run.lease.jobId} was lost.`);
    }
    try {
      return await tools.store.transact(run.metadata, async (tx) => {
        await tools.queue.fence(tx.manager, run.lease);
        return await work(tx);
      });
    } catch (error) {
      if (error instanceof StowageError && error.code !== 'UNAVAILABLE') throw error;
      if (!isConnectionFailure(error)) throw error;
      tools.log.warn({ err: error, jobId: run.lease.jobId }, 'PostgreSQL does not answer; what happened is kept');
      await delay(pauseMs);
    }
  }
}

/** SQLSTATE classes 08 (connection), 53 (resources), 57P (shutdown), or an error of the socket below. */
function isConnectionFailure(error: unknown): boolean {
  if (error instanceof StowageError) return true;
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (
    /^(08|53|57P)/.test(code) ||
    /^E[A-Z]+$/.test(code) ||
    /connection (terminated|closed|timeout)|timeout expired|not queryable/i.test(error.message)
  );
}
