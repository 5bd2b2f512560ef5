import type { TakeBackup, TakenBackup } from '../../archive/archive.js';
import { prefixOfFolder } from '../../archive/layout.js';
import { withinLimits } from '../../archive/limits.js';
import { takeBackup } from '../../archive/takeBackup.js';
import { stepsOf } from '../../engines/pipeline/storedSteps.js';
import { refuseForeignPrefix } from '../../endpoints/installationMarker.js';
import type { Storage } from '../../storage/storage.js';
import type { BackupShape } from '../../backups/backupJob.js';
import { previousDumpBytes } from '../../backups/drift/previousDumpBytes.js';
import { reviewBackup } from '../../backups/drift/reviewBackup.js';
import { timeoutError } from '../../backups/effectiveTimeout.js';
import { enterPhase, recordFailure, recordSuccess } from './attemptEnd.js';
import { backupResult } from './backupResult.js';
import { engineNamed } from './engineNamed.js';
import type { LeaseSignals } from '../heartbeat.js';
import { interruptedBy } from '../interruption.js';
import type { ClaimedJob, RunEnd } from '../jobKind.js';
import { jobError } from './jobError.js';
import { untilAnswered } from '../persist.js';
import { progressReports, type ProgressReports } from './progressReports.js';
import { removeRemains } from '../sweeping/remains.js';
import { inWorkFolder } from './workFolder.js';
import type { WorkerTools } from '../workerTools.js';

/**
 * The time limit for deleting the remains of an attempt. It is shorter when the worker stops. The sweeper deletes the
 * rest.
 */
const cleaningMs = 30_000;
const cleaningMsWhenStopping = 5_000;

/**
 * Runs one attempt of a backup and appends its end. All its tools have ended when it returns. It throws only when the
 * end could not be appended.
 */
export async function runBackup(
  tools: WorkerTools,
  claimed: ClaimedJob<BackupShape>,
  signals: LeaseSignals,
): Promise<RunEnd> {
  const progress = progressReports(tools, claimed.lease, signals.lost);
  try {
    const taken = await attempt(tools, claimed, signals, progress);
    await progress.end();
    return await recordSuccess(tools, claimed, signals, { result: backupResult(taken), keeps: true });
  } catch (error) {
    await progress.end();
    return await endFailed(tools, claimed, signals, error);
  }
}

async function endFailed(
  tools: WorkerTools,
  claimed: ClaimedJob<BackupShape>,
  signals: LeaseSignals,
  thrown: unknown,
): Promise<RunEnd> {
  const isDraining = interruptedBy(signals.signal) === 'DRAINING';
  const failure = jobError(thrown);
  const errorOf = () => (isDraining ? null : failure);
  const end = await recordFailure<BackupShape>(tools, claimed, signals, { thrown, failure, errorOf });
  if (end !== 'LEASE_LOST') await removeNow(tools, claimed, isDraining ? cleaningMsWhenStopping : cleaningMs);
  return end;
}

async function attempt(
  tools: WorkerTools,
  claimed: ClaimedJob<BackupShape>,
  signals: LeaseSignals,
  progress: ProgressReports,
): Promise<TakenBackup> {
  const { request, lease, attempt } = claimed;
  const holder = { lease, lost: signals.lost };
  const opened = untilAnswered(tools, holder, () => tools.serviceOf(request.serviceId));
  // The rejection surfaces where the promise is awaited; this only prevents an unhandled rejection.
  opened.catch(() => undefined);
  const { storage, downloadCommand } = await untilAnswered(tools, holder, () =>
    tools.storageOf(request.fileEndpointId),
  );
  try {
    const service = await opened;
    const previousBytes = await untilAnswered(tools, holder, () =>
      previousDumpBytes(tools.dataSource.manager, request, attempt.startedAt),
    );
    const { stallTimeoutMs } = request;
    const { timeout } = attempt;
    const timed = timeout ? { timeoutMs: timeout.ms, timedOut: () => timeoutError(timeout) } : { timeoutMs: null };
    return await withinLimits({ signal: signals.signal, stallTimeoutMs, ...timed }, (limits) =>
      limits.outside(() =>
        inWorkFolder(tools.workRoot, (workFolder) =>
          takeBackup({
            ...whatToTake(tools, claimed, service),
            ...duringTheAttempt(tools, claimed, signals, progress, storage),
            ...{ storage, downloadCommand, workFolder, previousBytes, signal: limits.signal },
          }),
        ),
      ),
    );
  } finally {
    await storage.close();
  }
}

/** What the request of the job says about its backup. */
function whatToTake(
  tools: WorkerTools,
  claimed: ClaimedJob<BackupShape>,
  service: Awaited<ReturnType<WorkerTools['serviceOf']>>,
) {
  const { request, attempt } = claimed;
  return {
    engine: engineNamed(tools.engines, request.engine),
    connection: service.connection,
    connectionNow: async () => (await tools.serviceOf(request.serviceId)).connection,
    folder: attempt.folder,
    description: descriptionOf(tools, claimed, service.name),
    includeUsers: request.includeUsers ?? 'NONE',
    steps: stepsOf(request.compression ?? 'BALANCED'),
    stallTimeoutMs: request.stallTimeoutMs,
    lockPatienceMs: (request.yieldToLocks ?? true) ? tools.lockPatienceMs : null,
    // The timeout of the whole attempt runs already.
    timeoutMs: null,
    now: tools.now,
  } satisfies Partial<TakeBackup>;
}

/** How the attempt reports its phases and progress, and what it checks while it holds the lease. */
function duringTheAttempt(
  tools: WorkerTools,
  claimed: ClaimedJob<BackupShape>,
  signals: LeaseSignals,
  progress: ProgressReports,
  storage: Storage,
) {
  const { request, lease, attempt } = claimed;
  return {
    onPhase: async (phase) => {
      // PREFLIGHT was entered with the claim.
      if (phase === 'PREFLIGHT') return;
      await progress.sendNow();
      await enterPhase(tools, claimed, signals, phase);
    },
    mayStore: (either) => refuseForeignPrefix(storage, prefixOfFolder(attempt.folder), tools.installationId, either),
    review: (inventory) =>
      untilAnswered(tools, { lease, lost: signals.lost }, () =>
        reviewBackup(tools.dataSource.manager, { request, startedAt: attempt.startedAt }, inventory),
      ),
    onProgress: progress.report,
  } satisfies Partial<TakeBackup>;
}

/** The description of the backup in its backup.json. */
function descriptionOf(
  { installationId }: WorkerTools,
  { request, lease, attempt }: ClaimedJob<BackupShape>,
  serviceName: string,
) {
  return {
    installationId,
    projectId: lease.projectId,
    serviceId: request.serviceId,
    serviceName,
    planId: request.planId,
    jobId: lease.jobId,
    batchId: request.batchId,
    attempt: attempt.number,
    trigger: request.trigger,
    startedAt: attempt.startedAt,
  };
}

/**
 * Deletes the objects that a failed attempt uploaded. If the container does not answer, the sweeper deletes it later.
 */
async function removeNow(
  tools: WorkerTools,
  { request, attempt, lease }: ClaimedJob<BackupShape>,
  limitMs: number,
): Promise<void> {
  const { jobId, projectId } = lease;
  const { batchId, fileEndpointId } = request;
  const ended = { ...attempt, outcome: null, finishedAt: null };
  try {
    const remains = { jobId, projectId, batchId, fileEndpointId, attempt: ended };
    await removeRemains(tools, remains, AbortSignal.timeout(limitMs));
  } catch (error) {
    tools.log.warn({ err: error, jobId, folder: attempt.folder }, 'The sweeper will delete the remains of an attempt');
  }
}
