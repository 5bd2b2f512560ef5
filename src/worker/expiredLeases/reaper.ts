import type { JobError } from '../../jobs/attempt.js';
import { failAttempt } from '../../jobs/jobCommands.js';
import type { Transaction } from '../../eventSourcing/eventStore.js';
import type { Lease } from '../../postgres/contracts/jobQueue.js';
import { restoreJob } from '../../restores/restoreJob.js';
import { handlings } from '../handlings.js';
import { mayBeStored } from './mayBeStored.js';
import { atEachTarget, endSessions, unreachableTargetMs } from '../runs/targetSessions.js';
import { wakeWorkers } from '../wakeWorkers.js';
import type { WorkerTools } from '../workerTools.js';

const workerLost: JobError = {
  code: 'WORKER_LOST',
  message: 'The worker that ran this attempt was lost: its lease ran out.',
  hint: 'It is tried again by itself where that is safe. If workers are lost again and again, look into their logs.',
  toolOutput: null,
  retriable: true,
};

/**
 * Ends the attempts of expired leases: their jobs wait for another attempt, or are FAILED with WORKER_LOST.
 * `reapLostRestores` ends restores whose tool had started, and `createAdoptions` ends backups that may be complete in
 * the container. Returns the number of attempts ended.
 */
export async function reapExpiredLeases(tools: WorkerTools, signal: AbortSignal): Promise<number> {
  let ended = 0;
  for (const lease of await tools.queue.expired()) {
    if (signal.aborted) break;
    const isOthers =
      lease.kind === 'BACKUP' ? await mayBeStored(tools, lease) : await mayHaveTouchedTarget(tools, lease);
    if (isOthers === false && (await endLost(tools, lease))) ended += 1;
  }
  if (ended > 0) await wakeWorkers(tools);
  return ended;
}

/**
 * The same for restores whose tool had started. Each ends only after our sessions on its target have ended, so that
 * nothing else writes there in the meantime. A target that does not answer delays the others only for a short time.
 * Returns the number of attempts ended.
 */
export async function reapLostRestores(tools: WorkerTools, signal: AbortSignal): Promise<number> {
  const leases: Lease[] = [];
  for (const lease of await tools.queue.expired()) if (await mayHaveTouchedTarget(tools, lease)) leases.push(lease);
  let ended = 0;
  await atEachTarget(tools, leases, signal, async (lease) => {
    if ((await targetIsFree(tools, lease, signal)) && (await endLost(tools, lease))) ended += 1;
  });
  if (ended > 0) await wakeWorkers(tools);
  return ended;
}

/**
 * Ends the attempt of an expired lease as lost: the job waits for another attempt or is over. False: the lease no
 * longer exists, another reaper holds it, or the end could not be appended (the log has the reason).
 */
export async function endLost(tools: WorkerTools, lease: Lease): Promise<boolean> {
  const metadata = { actor: `worker:${tools.workerId}`, correlationId: crypto.randomUUID() };
  try {
    const isEnded = await tools.store.transact(metadata, async (tx) => {
      if (!(await tools.queue.takeExpired(tx.manager, lease))) return false;
      await endAttempt(tools, tx, lease);
      return true;
    });
    if (isEnded) await tools.telemetry.clear(lease.jobId);
    return isEnded;
  } catch (error) {
    tools.log.error({ err: error, jobId: lease.jobId }, 'A lease that ran out could not be ended; it is tried again');
    return false;
  }
}

/**
 * Whether the job is a restore whose tool had started, so that the server may still be committing what it received.
 * Undefined: the events of the restore cannot be read now. Other leases are still ended.
 */
async function mayHaveTouchedTarget(tools: WorkerTools, lease: Lease): Promise<boolean | undefined> {
  if (lease.kind === 'BACKUP') return false;
  try {
    const { state } = await tools.store.load(restoreJob, lease.jobId);
    return state.status === 'RUNNING' && state.toolStarted;
  } catch (error) {
    tools.log.error({ err: error, jobId: lease.jobId }, 'A restore that was lost could not be looked at');
    return undefined;
  }
}

async function endAttempt(tools: WorkerTools, tx: Transaction, lease: Lease): Promise<void> {
  const handling = handlings[lease.kind];
  const { state } = await tx.load(handling.decider, lease.jobId);
  const at = tools.now();
  if (state.status === 'QUEUED') return tools.queue.requeue(tx.manager, lease, at);
  if (state.status !== 'RUNNING') return tools.queue.remove(tx.manager, lease.jobId);
  const error = handling.errorOf(workerLost, state);
  const lost = { attempt: state.current.number, outcome: 'WORKER_LOST', error, at, retryAt: at } as const;
  await failAttempt(tx, tools.queue, handling, lease, lost);
}

/** Whether our sessions can no longer write to the target of a lost restore. */
async function targetIsFree(tools: WorkerTools, lease: Lease, signal: AbortSignal): Promise<boolean> {
  try {
    const { state } = await tools.store.load(restoreJob, lease.jobId);
    if (state.status !== 'RUNNING' || !state.toolStarted) return true;
    return await endSessions(tools, { ...state.request, jobId: lease.jobId }, signal);
  } catch (error) {
    tools.log.warn({ err: error, jobId: lease.jobId }, 'The sessions of a lost restore could not be ended');
    return tools.now().getTime() - lease.expiresAt.getTime() > unreachableTargetMs;
  }
}
