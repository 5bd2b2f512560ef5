import { findBackup, type FoundBackup } from '../../archive/findBackup.js';
import { prefixOfFolder } from '../../archive/layout.js';
import { withinLimits, type Limits } from '../../archive/limits.js';
import { refuseForeignPrefix } from '../../endpoints/installationMarker.js';
import { backupJob, type KnownBackupJob } from '../../backups/backupJob.js';
import { endWithoutBackup } from '../../backups/backupJobCommands.js';
import type { Destination } from '../../backups/retention/retainedBackups.js';
import type { Lease } from '../../postgres/contracts/jobQueue.js';
import { backupResult } from '../runs/backupResult.js';
import { mayBeStored } from './mayBeStored.js';
import { endLost } from './reaper.js';
import { unlessAborted } from '../unlessAborted.js';
import { wakeWorkers } from '../wakeWorkers.js';
import { whileLocked } from '../whileLocked.js';
import type { WorkerTools } from '../workerTools.js';

/** Each takes a connection to PostgreSQL while it looks. */
const looksAtOnce = 2;
/** A container that says nothing for so long does not answer. */
const silenceMs = 60_000;
/** All segments are asked for, one by one; a folder's bytes are read. */
const lookMs = 2 * 3_600_000;

/**
 * A worker that dies between backup.json and the event leaves a whole backup that nobody has told of. Before such an
 * attempt is ended as lost, which would take the backup again or make its job FAILED, its folder is looked at: what
 * `findBackup` finds whole becomes the success of that attempt, with the times of its backup.json. All else is ended as
 * lost, also where the container does not answer for `times.adopt`. What is said is fenced by the expired lease: the
 * lost worker can say nothing by it any more, and of all who look one is heard.
 *
 * Answers the destinations that have a new backup by this.
 */
export function createAdoptions(tools: WorkerTools): (signal: AbortSignal) => Promise<readonly Destination[]> {
  /** By attempt: when this process first looked for its backup. */
  const since = new Map<string, number>();

  async function endStored(lease: Lease, signal: AbortSignal): Promise<KnownBackupJob | undefined> {
    const firstAtMs = since.get(keyOf(lease)) ?? performance.now();
    since.set(keyOf(lease), firstAtMs);
    const { jobId, attempt } = lease;
    try {
      const found = await look(tools, lease, signal);
      if (found?.kind === 'WHOLE') return await adopt(tools, lease, found);
      if (found?.kind === 'NONE')
        tools.log.info({ jobId, attempt, why: found.why }, 'A lost worker has left no backup');
    } catch (error) {
      if (signal.aborted) return undefined;
      const isOver = performance.now() - firstAtMs >= tools.times.adopt;
      tools.log.warn(
        { err: error, jobId, attempt, isOver },
        'It could not be seen whether a lost worker left a backup',
      );
      if (!isOver) return undefined;
    }
    if (await endLost(tools, lease)) await wakeWorkers(tools);
    return undefined;
  }

  return async (signal) => {
    const waiting = await leasesToLookAt(tools);
    for (const key of since.keys()) if (!waiting.some((lease) => keyOf(lease) === key)) since.delete(key);
    const destinations: Destination[] = [];
    const work = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined && !signal.aborted; next = waiting.pop()) {
        const lease = next;
        const state = await whileLocked(tools.dataSource, `adoption:${lease.jobId}`, () => endStored(lease, signal));
        if (state?.status !== 'SUCCEEDED' || state.request.planId === null) continue;
        destinations.push({ planId: state.request.planId, fileEndpointId: state.request.fileEndpointId });
      }
    };
    await Promise.all(Array.from({ length: looksAtOnce }, work));
    return destinations;
  };
}

/** In no order, so that several workers do not ask the same dead containers first. */
async function leasesToLookAt(tools: WorkerTools): Promise<Lease[]> {
  const leases: Lease[] = [];
  for (const lease of await tools.queue.expired()) {
    if (lease.kind === 'BACKUP' && (await mayBeStored(tools, lease))) leases.push(lease);
  }
  return leases.sort(() => tools.random() - 0.5);
}

/** Undefined: the attempt has ended meanwhile. Throws where nothing is known of the container. */
async function look(tools: WorkerTools, lease: Lease, signal: AbortSignal): Promise<FoundBackup | undefined> {
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
      // A disk that was unmounted in the meantime says nothing about the backup.
      if (found.kind === 'NONE') await mustBeOurs();
      return found;
    } finally {
      await storage.close();
    }
  };
  const stallTimeoutMs = Math.min(silenceMs, request.stallTimeoutMs);
  return withinLimits({ signal, stallTimeoutMs, timeoutMs: lookMs }, (limits) =>
    unlessAborted(limits.signal, () => find(limits)),
  );
}

/** Undefined: another was heard first. */
async function adopt(
  tools: WorkerTools,
  lease: Lease,
  { backup, finishedAt }: Extract<FoundBackup, { kind: 'WHOLE' }>,
): Promise<KnownBackupJob | undefined> {
  const { jobId, projectId, attempt } = lease;
  const metadata = { actor: `worker:${tools.workerId}`, correlationId: crypto.randomUUID() };
  const at = tools.now().toISOString();
  const ended = await tools.store.transact(metadata, async (tx) => {
    if (!(await tools.queue.takeExpired(tx.manager, lease))) return undefined;
    const result = backupResult(backup);
    const times = { finishedAt: finishedAt === null || finishedAt > at ? at : finishedAt, at };
    const adoption = { kind: 'ADOPT', attempt, result, by: tools.workerId, ...times } as const;
    const { state } = await tx.execute(backupJob, { id: jobId, projectId }, adoption);
    if (state.status === 'NONE') return undefined;
    if (state.status === 'SUCCEEDED') await tools.queue.remove(tx.manager, jobId);
    else await endWithoutBackup(tx, tools.queue, jobId, state.request);
    return state;
  });
  if (ended === undefined) return undefined;
  await tools.telemetry.clear(jobId);
  tools.log.info({ jobId, attempt, end: ended.status }, 'The whole backup of a lost worker was found in its container');
  await wakeWorkers(tools);
  return ended;
}

function keyOf({ jobId, attempt }: Lease): string {
  return `${jobId} ${attempt}`;
}
