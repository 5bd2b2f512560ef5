import type { JobError } from '../../jobs/attempt.js';
import { failAttempt, type JobHandling } from '../../jobs/jobCommands.js';
import type { Transaction } from '../../eventSourcing/eventStore.js';
import type { Lease } from '../../postgres/contracts/jobQueue.js';
import type { JobKind } from '../jobKind.js';
import { wakeWorkers } from '../wakeWorkers.js';
import { metadataOf, type WorkerTools } from '../workerTools.js';

const workerLost: JobError = {
  code: 'WORKER_LOST',
  message: 'The worker that ran this attempt was lost: its lease has expired.',
  hint: 'It is retried automatically if that is safe. If workers are lost repeatedly, read their logs.',
  toolOutput: null,
  retriable: true,
};

/**
 * Ends the attempts of expired leases: their jobs wait for another attempt, or are FAILED with WORKER_LOST. It does not
 * end attempts that their kind ends in a separate round, and attempts of a kind that only a newer program knows.
 * Returns the number of attempts ended.
 */
export async function reapExpiredLeases(
  tools: WorkerTools,
  kinds: readonly JobKind[],
  signal: AbortSignal,
): Promise<number> {
  let ended = 0;
  for (const lease of await tools.queue.expired()) {
    if (signal.aborted) break;
    const kind = kinds.find(({ name }) => name === lease.kind);
    if (kind === undefined || (await isForRound(tools, kind, lease)) !== false) continue;
    if (await endLost(tools, kind, lease)) ended += 1;
  }
  if (ended > 0) await wakeWorkers(tools);
  return ended;
}

/** The expired leases that this kind ends in its own round. */
export async function leasesForRound(tools: WorkerTools, kind: JobKind): Promise<readonly Lease[]> {
  const leases: Lease[] = [];
  for (const lease of await tools.queue.expired()) {
    if (lease.kind === kind.name && (await isForRound(tools, kind, lease)) === true) leases.push(lease);
  }
  return leases;
}

/** Undefined: the job cannot be read now. The other leases are still ended. */
async function isForRound(tools: WorkerTools, kind: JobKind, lease: Lease): Promise<boolean | undefined> {
  try {
    return (await kind.lostAttempts?.isForRound(tools, lease)) ?? false;
  } catch (error) {
    tools.log.error({ err: error, jobId: lease.jobId }, 'A job whose worker was lost could not be read');
    return undefined;
  }
}

/**
 * Ends the attempt of an expired lease as lost: the job waits for another attempt or is over. False: the lease no
 * longer exists, another reaper holds it, or the end could not be appended (the log has the reason).
 */
export async function endLost(tools: WorkerTools, handling: JobHandling, lease: Lease): Promise<boolean> {
  try {
    const reportingWorkers = (await tools.workers.list()).filter(({ isLost }) => !isLost).map(({ id }) => id);
    const isEnded = await tools.store.transact(metadataOf(tools), async (tx) => {
      if (!(await tools.queue.takeExpired(tx.manager, lease))) return false;
      await endAttempt(tools, tx, handling, { lease, reportingWorkers });
      return true;
    });
    if (isEnded) await tools.telemetry.clear(lease.jobId);
    return isEnded;
  } catch (error) {
    tools.log.error({ err: error, jobId: lease.jobId }, 'An expired lease could not be ended; it is tried again');
    return false;
  }
}

async function endAttempt(
  tools: WorkerTools,
  tx: Transaction,
  handling: JobHandling,
  { lease, reportingWorkers }: { readonly lease: Lease; readonly reportingWorkers: readonly string[] },
): Promise<void> {
  const { state } = await tx.load(handling.decider, lease.jobId);
  const at = tools.now();
  if (state.status === 'QUEUED') return tools.queue.requeue(tx.manager, lease, at);
  if (state.status !== 'RUNNING') return tools.queue.remove(tx.manager, lease.jobId);
  const error = handling.errorOf(workerLost, state);
  const lost = { attempt: state.current.number, outcome: 'WORKER_LOST', error, at, retryAt: at } as const;
  await failAttempt(tx, tools.queue, handling, lease, { ...lost, reportingWorkers });
}
