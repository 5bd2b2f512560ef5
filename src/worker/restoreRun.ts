import { readBackupDocument } from '../archive/backupDocument.js';
import { restoreBackup } from '../archive/restoreBackup.js';
import type { RestoreBackup, RestoredBackup, RestorePhase } from '../archive/archive.js';
import { StowageError } from '../errors.js';
import { backupJob, type BackupRequest, type BackupResult } from '../jobs/backupJob.js';
import { restoreJob, type RestoreError } from '../restores/restoreJob.js';
import { endRestore } from '../restores/restoreJobCommands.js';
import type { Storage } from '../storage/storage.js';
import type { ClaimedRestore } from './claim.js';
import { engineOf } from './engineOf.js';
import { interruptedBy } from './interruption.js';
import { jobError } from './jobError.js';
import { persist } from './persist.js';
import { progressReports } from './progressReports.js';
import { retryDelay } from './retryDelay.js';
import { inWorkFolder } from './workFolder.js';
import type { WorkerTools } from './workerTools.js';

export type RestoreRunEnd = 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'HANDED_BACK' | 'LEASE_LOST';

/** How long ending what a killed restore left on the server may take. */
const sessionsMs = 30_000;

/** Runs one attempt of a restore and appends how it ended. No tool of it runs any more when it returns. */
export async function runRestore(
  tools: WorkerTools,
  claimed: ClaimedRestore,
  signal: AbortSignal,
): Promise<RestoreRunEnd> {
  const progress = progressReports(tools, claimed.lease);
  const run = { toolStarted: false };
  try {
    const restored = await attempt(tools, claimed, signal, progress.report, () => {
      run.toolStarted = true;
    });
    await progress.end();
    await succeed(tools, claimed, signal, restored);
    return 'SUCCEEDED';
  } catch (error) {
    await progress.end();
    // The server may go on with what it was sent: the target stays ours until our sessions there are ended.
    if (run.toolStarted) await endSessions(tools, claimed);
    return await endOtherwise(tools, claimed, { signal, error, ...run });
  }
}

async function attempt(
  tools: WorkerTools,
  claimed: ClaimedRestore,
  signal: AbortSignal,
  onProgress: RestoreBackup['onProgress'],
  onToolStarted: () => void,
): Promise<RestoredBackup> {
  const { lease, metadata, request } = claimed;
  const source = await storedBackup(tools, request.backupJobId);
  const target = await tools.serviceOf(request.targetServiceId);
  const { storage } = await tools.storageOf(source.request.fileEndpointId);
  const enterPhase = async (phase: RestorePhase) => {
    const at = tools.now().toISOString();
    await persist(tools, { lease, metadata, signal }, (tx) =>
      tx.execute(restoreJob, streamOf(lease), { kind: 'ENTER_PHASE', attempt: lease.attempt, phase, at }),
    );
  };
  try {
    const backup = await readBackup(storage, source.result, signal);
    return await inWorkFolder(tools.workRoot, (workFolder) =>
      restoreBackup({
        engine: engineOf(tools.engines, request.engine),
        target: target.connection,
        storage,
        backup,
        workFolder,
        signal,
        stallTimeoutMs: request.stallTimeoutMs,
        onPhase: enterPhase,
        onProgress,
        onToolStarting: async () => {
          const at = tools.now().toISOString();
          await persist(tools, { lease, metadata, signal }, (tx) =>
            tx.execute(restoreJob, streamOf(lease), { kind: 'START_TOOL', attempt: lease.attempt, at }),
          );
          onToolStarted();
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

/** What the container says of the backup, which must be what the log says of it. */
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
  const known = new Map(result.parts.map((part) => [part.objectName, part.checksum]));
  const same =
    document.parts.length === known.size &&
    document.parts.every((part) => known.get(part.objectName) === part.checksum);
  if (!same) {
    throw new StowageError('CHECKSUM', `backup.json in '${result.folder}' names other checksums than were recorded.`, {
      help: 'The backup was replaced in the container. Restore another one.',
      retriable: false,
    });
  }
  return { folder: result.folder, parts: document.parts, inventory: document.inventory };
}

async function succeed(
  tools: WorkerTools,
  { lease, metadata, request }: ClaimedRestore,
  signal: AbortSignal,
  restored: RestoredBackup,
): Promise<void> {
  const now = tools.now();
  await persist(tools, { lease, metadata, signal }, async (tx) => {
    await tx.execute(restoreJob, streamOf(lease), {
      kind: 'SUCCEED',
      attempt: lease.attempt,
      result: { warnings: restored.warnings, differences: restored.differences },
      at: now.toISOString(),
    });
    await endRestore(tx, tools.queue, streamOf(lease), request, now);
  });
}

async function endOtherwise(
  tools: WorkerTools,
  { lease, metadata, request }: ClaimedRestore,
  run: { readonly signal: AbortSignal; readonly error: unknown; readonly toolStarted: boolean },
): Promise<RestoreRunEnd> {
  const { signal, error, toolStarted } = run;
  const interruption = interruptedBy(signal);
  const failure = jobError(error);
  if (interruption === 'LEASE_LOST' || failure.code === 'WORKER_LOST') return 'LEASE_LOST';
  if (interruption === undefined && failure.code === 'INTERNAL') {
    tools.log.error({ err: error, jobId: lease.jobId }, 'A restore failed for a reason that is ours');
  }
  const now = tools.now();
  const at = now.toISOString();
  const handBack = interruption === 'DRAINING' && !toolStarted;
  return await persist(tools, { lease, metadata, signal }, async (tx) => {
    if (interruption === 'CANCELLED') {
      await tx.execute(restoreJob, streamOf(lease), { kind: 'CONFIRM_CANCEL', attempt: lease.attempt, at });
      await endRestore(tx, tools.queue, streamOf(lease), request, now);
      return 'CANCELLED';
    }
    const retryAt = new Date(now.getTime() + (handBack ? 0 : retryDelay(1, tools.random())));
    const { state } = await tx.execute(restoreJob, streamOf(lease), {
      kind: 'FAIL_ATTEMPT',
      attempt: lease.attempt,
      outcome: handBack ? 'HANDED_BACK' : 'FAILED',
      error: handBack ? null : restoreError(interruption === 'DRAINING' ? stopped : failure, toolStarted),
      at,
      retryAt: retryAt.toISOString(),
    });
    if (state.status === 'QUEUED') await tools.queue.requeue(tx.manager, lease, retryAt);
    else await endRestore(tx, tools.queue, streamOf(lease), request, now);
    return handBack ? 'HANDED_BACK' : 'FAILED';
  });
}

const stopped: RestoreError = {
  code: 'WORKER_LOST',
  message: 'The worker was stopped in the middle of the restore.',
  hint: null,
  toolOutput: null,
  retriable: true,
};

/** After the tool has started the target may hold a part of the data, and the error says so. */
export function restoreError(failure: RestoreError, toolStarted: boolean): RestoreError {
  if (!toolStarted) return failure;
  const hint = 'The target may hold a part of the data. Drop the databases that were restored, then restore again.';
  return { ...failure, hint: failure.hint === null ? hint : `${failure.hint} ${hint}`, retriable: false };
}

async function endSessions(tools: WorkerTools, { lease, request }: ClaimedRestore): Promise<void> {
  try {
    const target = await tools.serviceOf(request.targetServiceId);
    const ended = await inWorkFolder(tools.workRoot, (workFolder) =>
      engineOf(tools.engines, request.engine).endOurSessions(target.connection, {
        workFolder,
        signal: AbortSignal.timeout(sessionsMs),
      }),
    );
    if (!ended) tools.log.warn({ jobId: lease.jobId }, 'Sessions of a restore are left on the target');
  } catch (error) {
    tools.log.warn({ err: error, jobId: lease.jobId }, 'The sessions of a restore could not be ended');
  }
}

function streamOf(lease: { readonly jobId: string; readonly projectId: string }) {
  return { id: lease.jobId, projectId: lease.projectId };
}
