import { findBackup, type FoundBackup } from '../../archive/findBackup.js';
import { prefixOfFolder } from '../../archive/layout.js';
import { withinLimits, type Limits } from '../../archive/limits.js';
import { refuseForeignPrefix } from '../../endpoints/installationMarker.js';
import { backupJob, type BackupRequest, type BackupShape, type KnownBackupJob } from '../../backups/backupJob.js';
import { backupHandling } from '../../backups/backupJobCommands.js';
import { endJob, streamOf } from '../../jobs/jobCommands.js';
import type { Lease } from '../../postgres/contracts/jobQueue.js';
import { inRandomOrder } from '../inRandomOrder.js';
import type { LostAttempts } from '../jobKind.js';
import { backupResult } from '../runs/backupResult.js';
import { mayBeStored } from './mayBeStored.js';
import { endLost } from './reaper.js';
import { unlessAborted } from '../../unlessAborted.js';
import { wakeWorkers } from '../wakeWorkers.js';
import { whileLocked } from '../whileLocked.js';
import { metadataOf, type WorkerTools } from '../workerTools.js';

/** Each check holds a connection to PostgreSQL. */
const checksAtOnce = 2;
/** A container that does not respond for this long counts as not answering. */
const silenceMs = 60_000;
/** The limit of one check, which requests every segment or reads every byte of a folder. */
const checkMs = 2 * 3_600_000;

/**
 * Adopts backups of lost workers. A worker that dies between writing backup.json and appending the event leaves a
 * complete backup without a record. Ending its attempt as lost would take the backup again, or make the job FAILED. So
 * the folder of the attempt is checked first: a complete backup becomes the success of that attempt, with the times of
 * its backup.json. Every other attempt is ended as lost, also when the container has not answered for `times.adopt`.
 * The append is fenced by the expired lease: the lost worker can no longer append, and if several processes check one
 * backup, only one of them appends.
 */
export const adoptions: LostAttempts<BackupShape> = { round: 'adopt', isForRound: mayBeStored, createRound };

function createRound(tools: WorkerTools) {
  /** When this process first checked the backup of an attempt. The key is the attempt. */
  const since = new Map<string, number>();

  async function endStored(lease: Lease, signal: AbortSignal): Promise<KnownBackupJob | undefined> {
    const firstAtMs = since.get(keyOf(lease)) ?? performance.now();
    since.set(keyOf(lease), firstAtMs);
    const { jobId, attempt } = lease;
    try {
      const found = await findStored(tools, lease, signal);
      if (found?.kind === 'WHOLE') return await adopt(tools, lease, found);
      if (found?.kind === 'NONE')
        tools.log.info({ jobId, attempt, why: found.why }, 'A lost worker has left no backup');
    } catch (error) {
      if (signal.aborted) return undefined;
      const isOver = performance.now() - firstAtMs >= tools.times.adopt;
      tools.log.warn({ err: error, jobId, attempt, isOver }, 'It is unknown whether a lost worker left a backup');
      if (!isOver) return undefined;
    }
    if (await endLost(tools, backupHandling, lease)) await wakeWorkers(tools);
    return undefined;
  }

  return async (leases: readonly Lease[], signal: AbortSignal): Promise<readonly BackupRequest[]> => {
    for (const key of since.keys()) if (!leases.some((lease) => keyOf(lease) === key)) since.delete(key);
    const adopted: BackupRequest[] = [];
    await inRandomOrder(tools, leases, { atOnce: checksAtOnce, signal }, async (lease) => {
      const state = await whileLocked(tools.dataSource, `adoption:${lease.jobId}`, () => endStored(lease, signal));
      if (state?.status === 'SUCCEEDED') adopted.push(state.request);
    });
    return adopted;
  };
}

/** Undefined: the attempt has ended meanwhile. Throws when the container cannot be checked. */
async function findStored(tools: WorkerTools, lease: Lease, signal: AbortSignal): Promise<FoundBackup | undefined> {
  const { state } = await tools.store.load(backupJob, lease.jobId);
  if (state.status !== 'RUNNING' || state.current.number !== lease.attempt) return undefined;
  const { request, current } = state;
  const find = async (limits: Limits): Promise<FoundBackup> => {
    const { storage } = await tools.storageOf(request.fileEndpointId);
    try {
      const mustBeOurs = () =>
        refuseForeignPrefix(storage, prefixOfFolder(current.folder), tools.installationId, limits.signal);
      await mustBeOurs();
      limits.moved();
      const found = await findBackup({
        storage,
        folder: current.folder,
        engine: request.engine,
        description: {
          installationId: tools.installationId,
          projectId: lease.projectId,
          serviceId: request.serviceId,
          planId: request.planId,
          jobId: lease.jobId,
          batchId: request.batchId,
          attempt: current.number,
          trigger: request.trigger,
          startedAt: current.startedAt,
        },
        signal: limits.signal,
        onAnswer: limits.moved,
      });
      // If the disk was unmounted during the check, the result of the check is not valid.
      if (found.kind === 'NONE') await mustBeOurs();
      return found;
    } finally {
      await storage.close();
    }
  };
  const stallTimeoutMs = Math.min(silenceMs, request.stallTimeoutMs);
  return withinLimits({ signal, stallTimeoutMs, timeoutMs: checkMs }, (limits) =>
    unlessAborted(limits.signal, () => find(limits)),
  );
}

/** Undefined: another process has ended the attempt first. */
async function adopt(
  tools: WorkerTools,
  lease: Lease,
  { backup, finishedAt }: Extract<FoundBackup, { kind: 'WHOLE' }>,
): Promise<KnownBackupJob | undefined> {
  const { jobId, attempt } = lease;
  const at = tools.now().toISOString();
  const ended = await tools.store.transact(metadataOf(tools), async (tx) => {
    if (!(await tools.queue.takeExpired(tx.manager, lease))) return undefined;
    const result = backupResult(backup);
    const times = { finishedAt: finishedAt === null || finishedAt > at ? at : finishedAt, at };
    const adoption = { kind: 'ADOPT', attempt, result, by: tools.workerId, ...times } as const;
    const { state } = await tx.execute(backupJob, streamOf(lease), adoption);
    if (state.status === 'NONE') return undefined;
    if (state.status === 'SUCCEEDED') await tools.queue.remove(tx.manager, jobId);
    else await endJob(tx, tools.queue, backupHandling, streamOf(lease), state.request, tools.now());
    return state;
  });
  if (ended === undefined) return undefined;
  await tools.telemetry.clear(jobId);
  tools.log.info(
    { jobId, attempt, end: ended.status },
    'The complete backup of a lost worker was found in its container',
  );
  await wakeWorkers(tools);
  return ended;
}

function keyOf({ jobId, attempt }: Lease): string {
  return `${jobId} ${attempt}`;
}
