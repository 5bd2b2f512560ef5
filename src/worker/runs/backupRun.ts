import type { BackupPhase, TakenBackup } from '../../archive/archive.js';
import { prefixOfFolder } from '../../archive/layout.js';
import { withinLimits } from '../../archive/limits.js';
import { takeBackup } from '../../archive/takeBackup.js';
import { refuseForeignPrefix } from '../../endpoints/installationMarker.js';
import { attemptsThatCount, type JobError } from '../../jobs/attempt.js';
import { backupJob } from '../../backups/backupJob.js';
import { endWithoutBackup } from '../../backups/backupJobCommands.js';
import { backupResult } from './backupResult.js';
import type { ClaimedBackup } from '../claim.js';
import { engineOf } from './engineOf.js';
import type { Hold } from '../heartbeat.js';
import { interruptedBy } from '../interruption.js';
import { jobError } from './jobError.js';
import { persist, persistEnd, untilAnswered, type RecordedEnd } from '../persist.js';
import { progressReports, type ProgressReports } from './progressReports.js';
import { removeRemains } from '../sweeping/remains.js';
import { retryDelay } from '../retryDelay.js';
import { wakeWorkers } from '../wakeWorkers.js';
import { inWorkFolder } from './workFolder.js';
import type { WorkerTools } from '../workerTools.js';

/** How a run ended, for the worker; the events say it to everybody else. */
export type BackupRunEnd = RecordedEnd | 'LEASE_LOST';

/** How long the remains of an attempt may take to delete before they are left to lie; less when the worker stops. */
const cleaningMs = 30_000;
const cleaningMsWhenStopping = 5_000;

/**
 * Runs one attempt of a backup and appends how it ended. No tool of it runs any more when it returns. It never rejects
 * for what happened to the backup; it throws when the end could not be appended.
 */
export async function runBackup(tools: WorkerTools, claimed: ClaimedBackup, hold: Hold): Promise<BackupRunEnd> {
  const progress = progressReports(tools, claimed.lease, hold.lost);
  try {
    const taken = await attempt(tools, claimed, hold, progress);
    await progress.end();
    return await succeed(tools, claimed, hold, taken);
  } catch (error) {
    await progress.end();
    return await endOtherwise(tools, claimed, hold, error);
  }
}

async function attempt(
  tools: WorkerTools,
  claimed: ClaimedBackup,
  hold: Hold,
  progress: ProgressReports,
): Promise<TakenBackup> {
  const { request, lease, attempt } = claimed;
  const engine = engineOf(tools.engines, request.engine);
  const asking = { lease, lost: hold.lost };
  const opened = untilAnswered(tools, asking, () => tools.serviceOf(request.serviceId));
  // Told where it is awaited.
  opened.catch(() => undefined);
  const { storage, downloadCommand } = await untilAnswered(tools, asking, () =>
    tools.storageOf(request.fileEndpointId),
  );
  try {
    const service = await opened;
    const { stallTimeoutMs, timeoutMs } = request;
    return await withinLimits({ signal: hold.signal, stallTimeoutMs, timeoutMs }, (limits) => {
      const { signal } = limits;
      const take = (workFolder: string) =>
        takeBackup({
          engine,
          connection: service.connection,
          connectionNow: async () => (await tools.serviceOf(request.serviceId)).connection,
          storage,
          folder: attempt.folder,
          description: {
            installationId: tools.installationId,
            projectId: lease.projectId,
            serviceId: request.serviceId,
            serviceName: service.name,
            planId: request.planId,
            jobId: lease.jobId,
            batchId: request.batchId,
            attempt: attempt.number,
            trigger: request.trigger,
            startedAt: attempt.startedAt,
          },
          downloadCommand,
          workFolder,
          signal,
          stallTimeoutMs,
          lockPatienceMs: (request.yieldToLocks ?? true) ? tools.lockPatienceMs : null,
          // That of the whole attempt runs already.
          timeoutMs: null,
          now: tools.now,
          onPhase: async (phase) => {
            // PREFLIGHT was entered with the claim.
            if (phase === 'PREFLIGHT') return;
            await progress.tellNow();
            await enterPhase(tools, claimed, hold, phase);
          },
          mayStore: (either) =>
            refuseForeignPrefix(storage, prefixOfFolder(attempt.folder), tools.installationId, either),
          onProgress: progress.report,
        });
      return limits.outside(() => inWorkFolder(tools.workRoot, take));
    });
  } finally {
    await storage.close();
  }
}

async function enterPhase(
  tools: WorkerTools,
  { lease, metadata }: ClaimedBackup,
  { lost }: Hold,
  phase: BackupPhase,
): Promise<void> {
  const at = tools.now().toISOString();
  await persist(tools, { lease, metadata, lost }, (tx) =>
    tx.execute(backupJob, streamOf(lease), { kind: 'ENTER_PHASE', attempt: lease.attempt, phase, at }),
  );
}

async function succeed(
  tools: WorkerTools,
  { lease, metadata }: ClaimedBackup,
  { lost }: Hold,
  taken: TakenBackup,
): Promise<BackupRunEnd> {
  const at = tools.now().toISOString();
  const result = backupResult(taken);
  return await persistEnd(tools, { lease, metadata, lost }, async (tx) => {
    await tx.execute(backupJob, streamOf(lease), { kind: 'SUCCEED', attempt: lease.attempt, result, at });
    await tools.queue.remove(tx.manager, lease.jobId);
    return 'SUCCEEDED';
  });
}

async function endOtherwise(
  tools: WorkerTools,
  claimed: ClaimedBackup,
  hold: Hold,
  error: unknown,
): Promise<BackupRunEnd> {
  const interruption = interruptedBy(hold.signal);
  const failure = jobError(error);
  if (hold.lost.aborted || failure.code === 'WORKER_LOST') return 'LEASE_LOST';
  if (interruption === undefined && failure.code === 'INTERNAL') {
    tools.log.error({ err: error, jobId: claimed.lease.jobId }, 'A backup failed for a reason that is ours');
  }
  const end =
    interruption === 'CANCELLED'
      ? await confirmCancel(tools, claimed, hold)
      : await failAttempt(tools, claimed, hold, interruption === 'DRAINING' ? null : failure);
  await wakeWorkers(tools);
  await removeNow(tools, claimed, interruption === 'DRAINING' ? cleaningMsWhenStopping : cleaningMs);
  return end;
}

async function confirmCancel(
  tools: WorkerTools,
  { lease, metadata, request }: ClaimedBackup,
  { lost }: Hold,
): Promise<BackupRunEnd> {
  const at = tools.now().toISOString();
  return await persistEnd(tools, { lease, metadata, lost }, async (tx) => {
    await tx.execute(backupJob, streamOf(lease), { kind: 'CONFIRM_CANCEL', attempt: lease.attempt, at });
    await endWithoutBackup(tx, tools.queue, lease.jobId, request);
    return 'CANCELLED';
  });
}

/** `error` null: this worker hands the job back, to be claimed again at once. */
async function failAttempt(
  tools: WorkerTools,
  { lease, metadata, request }: ClaimedBackup,
  { lost }: Hold,
  error: JobError | null,
): Promise<BackupRunEnd> {
  const now = tools.now();
  return await persistEnd(tools, { lease, metadata, lost }, async (tx) => {
    const { state: before } = await tx.load(backupJob, lease.jobId);
    const failures = before.status === 'NONE' ? 1 : attemptsThatCount(before.attempts);
    const delayMs = error === null ? 0 : retryDelay(failures, tools.times.retry, tools.random());
    const retryAt = new Date(now.getTime() + delayMs);
    const { state } = await tx.execute(backupJob, streamOf(lease), {
      kind: 'FAIL_ATTEMPT',
      attempt: lease.attempt,
      outcome: error === null ? 'HANDED_BACK' : 'FAILED',
      error,
      at: now.toISOString(),
      retryAt: retryAt.toISOString(),
    });
    if (state.status === 'QUEUED') await tools.queue.requeue(tx.manager, lease, retryAt);
    else await endWithoutBackup(tx, tools.queue, lease.jobId, request);
    if (state.status === 'CANCELLED') return 'CANCELLED';
    return error === null ? 'HANDED_BACK' : 'FAILED';
  });
}

/** What an attempt uploaded before it ended otherwise: deleted now where the container answers, else by the sweeper. */
async function removeNow(
  tools: WorkerTools,
  { request, attempt, lease }: ClaimedBackup,
  limitMs: number,
): Promise<void> {
  const { jobId, projectId } = lease;
  const { batchId, fileEndpointId } = request;
  const ended = { ...attempt, outcome: null, finishedAt: null };
  try {
    const remains = { jobId, projectId, batchId, fileEndpointId, attempt: ended };
    await removeRemains(tools, remains, AbortSignal.timeout(limitMs));
  } catch (error) {
    tools.log.warn({ err: error, jobId, folder: attempt.folder }, 'The remains of an attempt are left to the sweeper');
  }
}

function streamOf(lease: { readonly jobId: string; readonly projectId: string }) {
  return { id: lease.jobId, projectId: lease.projectId };
}
