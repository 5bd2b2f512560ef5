import { readBackupDocument } from '../../archive/backupDocument.js';
import { IncompleteRestore } from '../../archive/incompleteRestore.js';
import { withinLimits } from '../../archive/limits.js';
import { restoreBackup } from '../../archive/restoreBackup.js';
import type { RestoreBackup, RestoredBackup, RestorePhase } from '../../archive/archive.js';
import type { Inventory } from '../../engines/inventory.js';
import { StowageError } from '../../errors.js';
import { backupJob, type BackupRequest } from '../../backups/backupJob.js';
import type { BackupResult } from '../../backups/storedBackup.js';
import { attemptsThatCount, type JobError } from '../../jobs/attempt.js';
import { leftOnTarget, silentTarget } from '../../restores/leftOnTarget.js';
import { restoreJob, type RestoreResult } from '../../restores/restoreJob.js';
import { endRestore, endRestoreKeepingTarget } from '../../restores/restoreJobCommands.js';
import type { Storage } from '../../storage/storage.js';
import type { ClaimedRestore } from '../claim.js';
import { engineOf } from './engineOf.js';
import type { Hold } from '../heartbeat.js';
import { interruptedBy } from '../interruption.js';
import { jobError } from './jobError.js';
import { persist, persistEnd, untilAnswered, type RecordedEnd } from '../persist.js';
import { progressReports, type ProgressReports } from './progressReports.js';
import { retryDelay } from '../retryDelay.js';
import { freeTarget, unreachableTargetMs, type TargetState } from './targetSessions.js';
import { wakeWorkers } from '../wakeWorkers.js';
import { inWorkFolder } from './workFolder.js';
import type { WorkerTools } from '../workerTools.js';

export type RestoreRunEnd = RecordedEnd | 'LEASE_LOST';

/** Runs one attempt of a restore and appends how it ended. No tool of it runs any more when it returns. */
export async function runRestore(tools: WorkerTools, claimed: ClaimedRestore, hold: Hold): Promise<RestoreRunEnd> {
  const progress = progressReports(tools, claimed.lease, hold.lost);
  const target = { touched: false };
  try {
    const restored = await attempt(tools, claimed, hold, progress, () => {
      target.touched = true;
    });
    await progress.end();
    return await succeed(tools, claimed, hold, restored);
  } catch (error) {
    await progress.end();
    // Also when an end was recorded whose answer was lost: what runs on the target by now may be the next restore's.
    if (error instanceof StowageError && error.code === 'WORKER_LOST') return 'LEASE_LOST';
    // The server may go on with what it was sent: the target stays locked until our sessions there are ended, which a
    // cancelled restore does not wait for.
    const { jobId } = claimed.lease;
    const left = target.touched ? await freeTarget(tools, { ...claimed.request, jobId }, hold) : 'FREE';
    return left === 'LOCKED' ? 'LEASE_LOST' : await endOtherwise(tools, claimed, hold, { error, left });
  }
}

async function attempt(
  tools: WorkerTools,
  claimed: ClaimedRestore,
  hold: Hold,
  progress: ProgressReports,
  onToolStarting: () => void,
): Promise<RestoredBackup> {
  const { lease, metadata, request } = claimed;
  const { lost, signal } = hold;
  const ask = <T>(question: () => Promise<T>) => untilAnswered(tools, { lease, lost }, question);
  const source = await ask(() => storedBackup(tools, request.backupJobId));
  const target = await ask(() => tools.serviceOf(request.targetServiceId));
  const { storage } = await ask(() => tools.storageOf(source.request.fileEndpointId));
  const enterPhase = async (phase: RestorePhase) => {
    await progress.tellNow();
    const at = tools.now().toISOString();
    await persist(tools, { lease, metadata, lost }, (tx) =>
      tx.execute(restoreJob, streamOf(lease), { kind: 'ENTER_PHASE', attempt: lease.attempt, phase, at }),
    );
  };
  try {
    const { stallTimeoutMs } = request;
    const backup = await withinLimits({ signal, stallTimeoutMs, timeoutMs: null }, (limits) =>
      readBackup(storage, source.result, limits.signal),
    );
    const databases = backup.inventory.databases.map(({ name }) => name);
    return await inWorkFolder(tools.workRoot, (workFolder) =>
      restoreBackup({
        restoreId: lease.jobId,
        engine: engineOf(tools.engines, request.engine),
        target: target.connection,
        storage,
        backup,
        workFolder,
        signal,
        stallTimeoutMs,
        onPhase: enterPhase,
        onProgress: progress.report,
        onToolStarting: async () => {
          onToolStarting();
          const at = tools.now().toISOString();
          await persist(tools, { lease, metadata, lost }, (tx) =>
            tx.execute(restoreJob, streamOf(lease), { kind: 'START_TOOL', attempt: lease.attempt, databases, at }),
          );
        },
      }),
    );
  } finally {
    await storage.close();
  }
}

async function storedBackup(
  tools: WorkerTools,
  backupJobId: string,
): Promise<{ readonly request: BackupRequest; readonly result: BackupResult }> {
  const { state } = await tools.store.load(backupJob, backupJobId);
  if (state.status === 'SUCCEEDED' && state.availability === 'STORED') return state;
  throw new StowageError('ENDPOINT_NOT_FOUND', 'The backup that was to be restored is not stored any more.');
}

/** The backup as the log recorded it; where the container says otherwise it is not that backup. */
async function readBackup(
  storage: Storage,
  result: BackupResult,
  signal: AbortSignal,
): Promise<RestoreBackup['backup']> {
  const document = await readBackupDocument(storage, result.folder, { signal });
  if (document === undefined) {
    throw new StowageError('ENDPOINT_NOT_FOUND', `The container has no backup.json in '${result.folder}'.`, {
      help: 'Somebody deleted or moved the backup there. Restore another one.',
      details: { folder: result.folder },
    });
  }
  const parts = result.parts.map((part) => {
    const written = document.parts.find(({ objectName }) => objectName === part.objectName);
    if (written?.checksum !== part.checksum || written.storedSizeBytes !== part.storedSizeBytes) {
      throw new StowageError('CHECKSUM', `backup.json in '${result.folder}' names other parts than were recorded.`, {
        help: 'The backup was replaced in the container. Restore another one.',
        retriable: false,
      });
    }
    // Only where the segments lie is the container's to say: each is hashed into the recorded checksum.
    return { ...part, segments: written.segments };
  });
  return { folder: result.folder, parts, inventory: result.inventory as Inventory };
}

async function succeed(
  tools: WorkerTools,
  { lease, metadata, request }: ClaimedRestore,
  { lost }: Hold,
  restored: RestoredBackup,
): Promise<RestoreRunEnd> {
  const now = tools.now();
  return await persistEnd(tools, { lease, metadata, lost }, async (tx) => {
    await tx.execute(restoreJob, streamOf(lease), {
      kind: 'SUCCEED',
      attempt: lease.attempt,
      result: { warnings: restored.warnings, differences: restored.differences },
      at: now.toISOString(),
    });
    await endRestore(tx, tools.queue, streamOf(lease), request, now);
    return 'SUCCEEDED';
  });
}

async function endOtherwise(
  tools: WorkerTools,
  { lease, metadata, request }: ClaimedRestore,
  { lost, signal }: Hold,
  { error, left }: { readonly error: unknown; readonly left: Exclude<TargetState, 'LOCKED'> },
): Promise<RestoreRunEnd> {
  const interruption = interruptedBy(signal);
  const failure = readingError(jobError(error));
  if (lost.aborted || failure.code === 'WORKER_LOST') return 'LEASE_LOST';
  if (interruption === undefined && failure.code === 'INTERNAL') {
    tools.log.error({ err: error, jobId: lease.jobId }, 'A restore failed for a reason that is ours');
  }
  const now = tools.now();
  const at = now.toISOString();
  const end = await persistEnd(tools, { lease, metadata, lost }, async (tx) => {
    if (interruption === 'CANCELLED') {
      const targetUnanswered = left === 'UNANSWERED';
      const confirm = { kind: 'CONFIRM_CANCEL', attempt: lease.attempt, targetUnanswered, at } as const;
      const { state } = await tx.execute(restoreJob, streamOf(lease), confirm);
      if (state.status === 'CANCELLED' && state.targetLocked) {
        const kept = { at: now, limitMs: unreachableTargetMs };
        await endRestoreKeepingTarget(tx, tools.queue, streamOf(lease), request, kept);
      } else await endRestore(tx, tools.queue, streamOf(lease), request, now);
      return 'CANCELLED';
    }
    const { state: before } = await tx.load(restoreJob, lease.jobId);
    const touched = before.status === 'RUNNING' && before.toolStarted ? { ...before, left } : null;
    const handBack = interruption === 'DRAINING' && touched === null;
    const failures = before.status === 'NONE' ? 1 : attemptsThatCount(before.attempts);
    const delayMs = handBack ? 0 : retryDelay(failures, tools.times.retry, tools.random());
    const retryAt = new Date(now.getTime() + delayMs);
    const { state } = await tx.execute(restoreJob, streamOf(lease), {
      kind: 'FAIL_ATTEMPT',
      attempt: lease.attempt,
      outcome: handBack ? 'HANDED_BACK' : 'FAILED',
      error: handBack ? null : restoreError(interruption === 'DRAINING' ? stopped : failure, touched),
      ...differencesOf(error),
      at,
      retryAt: retryAt.toISOString(),
    });
    if (state.status === 'QUEUED') await tools.queue.requeue(tx.manager, lease, retryAt);
    else await endRestore(tx, tools.queue, streamOf(lease), request, now);
    if (state.status === 'CANCELLED') return 'CANCELLED';
    return handBack ? 'HANDED_BACK' : 'FAILED';
  });
  await wakeWorkers(tools);
  return end;
}

const stopped: JobError = {
  code: 'WORKER_LOST',
  message: 'The worker was stopped in the middle of the restore.',
  hint: null,
  toolOutput: null,
  retriable: true,
};

/** What was stored well and reads back otherwise is damaged for good. */
function readingError(failure: JobError): JobError {
  if (failure.code !== 'CHECKSUM') return failure;
  return { ...failure, hint: 'Restore another backup, and check the storage.', retriable: false };
}

/**
 * After the tool has started the target may hold a part of the data, and the error says so, and what to do there.
 * `touched` null: it had not.
 */
export function restoreError(
  failure: JobError,
  touched: { readonly databases: readonly string[]; readonly left?: TargetState } | null,
): JobError {
  if (touched === null) return failure;
  // It found another restore at work: no statement of it ran, and what is there is the other's.
  if (failure.code === 'TARGET_EXISTS') return { ...failure, retriable: false };
  const hints = [failure.hint, touched.left === 'SILENT' ? silentTarget : null, leftOnTarget(touched.databases)];
  return { ...failure, hint: hints.filter((hint) => hint !== null).join(' '), retriable: false };
}

function differencesOf(error: unknown): { readonly differences?: RestoreResult['differences'] } {
  return error instanceof IncompleteRestore ? { differences: error.differences } : {};
}

function streamOf(lease: { readonly jobId: string; readonly projectId: string }) {
  return { id: lease.jobId, projectId: lease.projectId };
}
