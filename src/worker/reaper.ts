import type { JobError } from '../jobs/attempt.js';
import { backupJob } from '../jobs/backupJob.js';
import { endWithoutBackup } from '../jobs/backupJobCommands.js';
import type { Transaction } from '../eventSourcing/eventStore.js';
import type { Lease } from '../postgres/contracts/jobQueue.js';
import { restoreJob } from '../restores/restoreJob.js';
import { endRestore } from '../restores/restoreJobCommands.js';
import { restoreError } from './restoreRun.js';
import { endSessions, unreachableTargetMs } from './targetSessions.js';
import { wakeWorkers } from './wakeWorkers.js';
import type { WorkerTools } from './workerTools.js';

const atOnce = 20;

const workerLost: JobError = {
  code: 'WORKER_LOST',
  message: 'The worker that ran this attempt was lost: its lease ran out.',
  hint: 'Nothing is to be done; a backup is tried again by itself.',
  toolOutput: null,
  retriable: true,
};

/**
 * Turns leases that ran out into honest ends: another attempt, or FAILED with WORKER_LOST. A restore whose tool had
 * started ends only after our sessions on its target have, so that nothing else writes there in the meantime.
 * Returns how many were ended.
 */
export async function reapExpiredLeases(tools: WorkerTools, signal: AbortSignal): Promise<number> {
  const metadata = { actor: `worker:${tools.workerId}`, correlationId: crypto.randomUUID() };
  const expired = await tools.dataSource.transaction((manager) => tools.queue.expired(manager, atOnce));
  let ended = 0;
  for (const lease of expired) {
    if (signal.aborted) break;
    try {
      if (lease.kind === 'RESTORE' && !(await targetIsFree(tools, lease, signal))) continue;
      const isEnded = await tools.store.transact(metadata, async (tx) => {
        const still = await tools.queue.expired(tx.manager, atOnce);
        if (!still.some((each) => each.jobId === lease.jobId && each.attempt === lease.attempt)) return false;
        await (lease.kind === 'BACKUP' ? endBackup(tools, tx, lease) : endRestoreAttempt(tools, tx, lease));
        return true;
      });
      if (!isEnded) continue;
      ended += 1;
      await tools.telemetry.clear(lease.jobId);
    } catch (error) {
      tools.log.error({ err: error, jobId: lease.jobId }, 'A lease that ran out could not be ended; it is tried again');
    }
  }
  if (ended > 0) await wakeWorkers(tools);
  return ended;
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
    error: restoreError(workerLost, state.toolStarted),
    at: at.toISOString(),
    retryAt: at.toISOString(),
  });
  if (after.state.status === 'QUEUED') return tools.queue.requeue(tx.manager, lease, at);
  await endRestore(tx, tools.queue, job, state.request, at);
}

/** Whether nothing of ours can write to the target of a lost restore any more. */
async function targetIsFree(tools: WorkerTools, lease: Lease, signal: AbortSignal): Promise<boolean> {
  const { state } = await tools.store.load(restoreJob, lease.jobId);
  if (state.status !== 'RUNNING' || !state.toolStarted) return true;
  try {
    return await endSessions(tools, state.request, signal);
  } catch (error) {
    tools.log.warn({ err: error, jobId: lease.jobId }, 'The sessions of a lost restore could not be ended');
    return tools.now().getTime() - lease.expiresAt.getTime() > unreachableTargetMs;
  }
}
