import { readBackupDocument } from '../../archive/backupDocument.js';
import { IncompleteRestore } from '../../archive/incompleteRestore.js';
import { withinLimits } from '../../archive/limits.js';
import { restoreBackup } from '../../archive/restoreBackup.js';
import type { RestoreBackup, RestoredBackup, RestorePhase } from '../../archive/archive.js';
import type { Inventory } from '../../engines/inventory.js';
import { StowageError } from '../../errors.js';
import { backupJob, type BackupRequest } from '../../backups/backupJob.js';
import type { BackupResult } from '../../backups/storedBackup.js';
import type { JobError } from '../../jobs/attempt.js';
import { streamOf } from '../../jobs/jobCommands.js';
import { restoreError } from '../../restores/restoreError.js';
import { restoreJob, type RestoreResult, type RestoreShape } from '../../restores/restoreJob.js';
import { endRestoreKeepingTarget } from '../../restores/restoreJobCommands.js';
import type { Storage } from '../../storage/storage.js';
import { enterPhase, recordFailure, recordSuccess } from './attemptEnd.js';
import { engineNamed } from './engineNamed.js';
import type { LeaseSignals } from '../heartbeat.js';
import type { ClaimedJob, RunEnd } from '../jobKind.js';
import { jobError } from './jobError.js';
import { persist, untilAnswered } from '../persist.js';
import { progressReports, type ProgressReports } from './progressReports.js';
import { freeTarget, unreachableTargetMs, type TargetState } from './targetSessions.js';
import { inWorkFolder } from './workFolder.js';
import type { WorkerTools } from '../workerTools.js';

/** Runs one attempt of a restore and appends its end. All its tools have ended when it returns. */
export async function runRestore(
  tools: WorkerTools,
  claimed: ClaimedJob<RestoreShape>,
  signals: LeaseSignals,
): Promise<RunEnd> {
  const progress = progressReports(tools, claimed.lease, signals.lost);
  const target = { touched: false };
  try {
    const { warnings, differences } = await attempt(tools, claimed, signals, progress, () => {
      target.touched = true;
    });
    await progress.end();
    return await recordSuccess(tools, claimed, signals, { result: { warnings, differences }, keeps: false });
  } catch (thrown) {
    await progress.end();
    // This applies also if the end was recorded and only the answer was lost: a session on the target may then belong
    // to the next restore.
    if (thrown instanceof StowageError && thrown.code === 'WORKER_LOST') return 'LEASE_LOST';
    // The server may continue with the statements that it received. So the target stays locked until our sessions there
    // have ended. A cancelled restore does not wait for their end.
    const { jobId } = claimed.lease;
    const left = target.touched ? await freeTarget(tools, { ...claimed.request, jobId }, signals) : 'FREE';
    return left === 'LOCKED' ? 'LEASE_LOST' : await endFailed(tools, claimed, signals, { thrown, left });
  }
}

async function attempt(
  tools: WorkerTools,
  claimed: ClaimedJob<RestoreShape>,
  signals: LeaseSignals,
  progress: ProgressReports,
  onToolStarting: () => void,
): Promise<RestoredBackup> {
  const { lease, metadata, request } = claimed;
  const { lost, signal } = signals;
  const withRetries = <T>(question: () => Promise<T>) => untilAnswered(tools, { lease, lost }, question);
  const source = await withRetries(() => storedBackup(tools, request.backupJobId));
  const target = await withRetries(() => tools.serviceOf(request.targetServiceId));
  const { storage } = await withRetries(() => tools.storageOf(source.request.fileEndpointId));
  const onPhase = async (phase: RestorePhase) => {
    // The claim entered PREFLIGHT.
    if (phase === 'PREFLIGHT') return;
    await progress.sendNow();
    await enterPhase(tools, claimed, signals, phase);
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
        engine: engineNamed(tools.engines, request.engine),
        target: target.connection,
        storage,
        backup,
        workFolder,
        signal,
        stallTimeoutMs,
        onPhase,
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
  throw new StowageError('ENDPOINT_NOT_FOUND', 'The backup of this restore is no longer stored.');
}

/** Reads the backup as the log recorded it. Throws CHECKSUM if the container holds another one. */
async function readBackup(
  storage: Storage,
  result: BackupResult,
  signal: AbortSignal,
): Promise<RestoreBackup['backup']> {
  const document = await readBackupDocument(storage, result.folder, { signal });
  if (document === undefined) {
    throw new StowageError('ENDPOINT_NOT_FOUND', `The container has no backup.json in '${result.folder}'.`, {
      help: 'The backup was deleted or moved there. Restore another backup.',
      details: { folder: result.folder },
    });
  }
  const parts = result.parts.map((part) => {
    const written = document.parts.find(({ objectName }) => objectName === part.objectName);
    if (written?.checksum !== part.checksum || written.storedSizeBytes !== part.storedSizeBytes) {
      throw new StowageError(
        'CHECKSUM',
        `backup.json in '${result.folder}' names other parts than the log of events.`,
        {
          help: 'The backup was replaced in the container. Restore another backup.',
          retriable: false,
        },
      );
    }
    // Only the positions of the segments come from the container. The recorded checksum covers each segment.
    return { ...part, segments: written.segments };
  });
  return { folder: result.folder, parts, inventory: result.inventory as Inventory };
}

async function endFailed(
  tools: WorkerTools,
  claimed: ClaimedJob<RestoreShape>,
  signals: LeaseSignals,
  { thrown, left }: { readonly thrown: unknown; readonly left: Exclude<TargetState, 'LOCKED'> },
): Promise<RunEnd> {
  const failure = readingError(jobError(thrown));
  return await recordFailure<RestoreShape>(tools, claimed, signals, {
    ...{ thrown, failure, confirmation: { targetUnanswered: left === 'UNANSWERED' }, failed: differencesOf(thrown) },
    errorOf(before, isDraining) {
      const touched = before.status === 'RUNNING' && before.toolStarted ? before.databases : undefined;
      if (touched === undefined) return isDraining ? null : failure;
      return restoreError(isDraining ? stopped : failure, { databases: touched, isSilent: left === 'SILENT' });
    },
    async endCancelled(tx, state, at) {
      if (state.status !== 'CANCELLED' || !state.targetLocked) return false;
      const kept = { at, limitMs: unreachableTargetMs };
      await endRestoreKeepingTarget(tx, tools.queue, streamOf(claimed.lease), claimed.request, kept);
      return true;
    },
  });
}

const stopped: JobError = {
  code: 'WORKER_LOST',
  message: 'The worker was stopped in the middle of the restore.',
  hint: null,
  toolOutput: null,
  retriable: true,
};

/** A backup that was stored correctly but reads back differently is damaged, so another attempt cannot help. */
function readingError(failure: JobError): JobError {
  if (failure.code !== 'CHECKSUM') return failure;
  return { ...failure, hint: 'Restore another backup, and check the storage.', retriable: false };
}

function differencesOf(error: unknown): { readonly differences?: RestoreResult['differences'] } {
  return error instanceof IncompleteRestore ? { differences: error.differences } : {};
}
