import type { JobError } from '../../jobs/attempt.js';
import { backupJob } from '../../backups/backupJob.js';
import { endWithoutBackup } from '../../backups/backupJobCommands.js';
import type { Transaction } from '../../eventSourcing/eventStore.js';
import type { Lease } from '../../postgres/contracts/jobQueue.js';
import { restoreJob } from '../../restores/restoreJob.js';
import { endRestore } from '../../restores/restoreJobCommands.js';
import { mayBeStored } from './mayBeStored.js';
import { restoreError } from '../runs/restoreRun.js';
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
 * Turns leases that ran out into honest ends: another attempt, or FAILED with WORKER_LOST. Restores whose tool had
 * started are left to `reapLostRestores`, backups that may be complete in the container to `createAdoptions`. Returns how
 * many were ended.
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
 * The same for restores whose tool had started: each ends only after our sessions on its target have, so that nothing
 * else writes there in the meantime. Targets that do not answer keep no other waiting for long. Returns how many were
 * ended.
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
 * Ends the attempt of a lease that ran out as lost: the job waits for another one or is over. False: the lease is no
 * longer there, another reaper is at it, or it could not be said (the log has why).
 */
export async function endLost(tools: WorkerTools, lease: Lease): Promise<boolean> {
  const metadata = { actor: `worker:${tools.workerId}`, correlationId: crypto.randomUUID() };
  try {
    const isEnded = await tools.store.transact(metadata, async (tx) => {
      if (!(await tools.queue.takeExpired(tx.manager, lease))) return false;
      await (lease.kind === 'BACKUP' ? endBackup(tools, tx, lease) : endRestoreAttempt(tools, tx, lease));
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
 * Whether it is a restore that had come so far that the server may still be committing what it was sent. Undefined: its
 * events cannot be read now, which keeps no other lease from its end.
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

async function endBackup(tools: WorkerTools, tx: Transaction, lease: Lease): Promise<void> {
  const job = { id: lease.jobId, projectId: lease.projectId };
  const { state } = await tx.load(backupJob, job.id);
  if (state.status === 'QUEUED') return tools.queue.requeue(tx.manager, lease, tools.now());
  if (state.status !== 'RUNNING') return tools.queue.remove(tx.manager, lease.jobId);
  const at = tools.now();
  const after = await tx.execute(backupJob, job, {
    kind: 'FAIL_ATTEMPT',
    attempt: state.current.number,
    outcome: 'WORKER_LOST',
    error: workerLost,
    at: at.toISOString(),
    retryAt: at.toISOString(),
  });
  if (after.state.status === 'QUEUED') return tools.queue.requeue(tx.manager, lease, at);
  await endWithoutBackup(tx, tools.queue, lease.jobId, state.request);
}

async function endRestoreAttempt(tools: WorkerTools, tx: Transaction, lease: Lease): Promise<void> {
  const job = { id: lease.jobId, projectId: lease.projectId };
  const { state } = await tx.load(restoreJob, job.id);
  if (state.status === 'QUEUED') return tools.queue.requeue(tx.manager, lease, tools.now());
  if (state.status !== 'RUNNING') return tools.queue.remove(tx.manager, lease.jobId);
  const at = tools.now();
  const after = await tx.execute(restoreJob, job, {
    kind: 'FAIL_ATTEMPT',
    attempt: state.current.number,
    outcome: 'WORKER_LOST',
    error: restoreError(workerLost, state.toolStarted ? state : null),
    at: at.toISOString(),
    retryAt: at.toISOString(),
  });
  if (after.state.status === 'QUEUED') return tools.queue.requeue(tx.manager, lease, at);
  await endRestore(tx, tools.queue, job, state.request, at);
}

/** Whether nothing of ours can write to the target of a lost restore any more. */
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
