import type { Destination } from '../backups/retention/retainedBackups.js';
import { leasesForRound, reapExpiredLeases } from './expiredLeases/reaper.js';
import type { JobKind, LostAttempts, UpkeepAfterEnd } from './jobKind.js';
import { startRepeating, type Repeating } from './repeating.js';
import { applyRetention } from './retention/retentionRun.js';
import { createRetentionSweep } from './retention/retentionSweep.js';
import { freeKeptTargets } from './runs/keptTargets.js';
import { createAudits } from './sweeping/auditRun.js';
import { createDeletions } from './sweeping/deletionRun.js';
import { createMarkKeeper } from './sweeping/markKeeper.js';
import { refuseWrongClock } from './wrongClock.js';
import type { WorkerTools } from './workerTools.js';

/** The periodic work of a worker for the whole installation, besides its jobs. */
export type Upkeep = UpkeepAfterEnd & { readonly loops: readonly Repeating[]; readonly deletions: Repeating };

/** Repeats work and logs a round that fails. The next round tries again. */
export function repeatLogged(
  { log }: Pick<WorkerTools, 'log'>,
  name: string,
  everyMs: number,
  work: () => Promise<unknown>,
): Repeating {
  return startRepeating({
    everyMs,
    work,
    onError: (error) => log.error({ err: error, loop: name }, 'A round failed'),
  });
}

/** `stopping` aborts a round early. */
export function createUpkeep(tools: WorkerTools, kinds: readonly JobKind[], stopping: AbortSignal): Upkeep {
  const { times } = tools;
  const repeat = (name: string, everyMs: number, work: () => Promise<unknown>) =>
    repeatLogged(tools, name, everyMs, work);
  const deleteDecided = createDeletions(tools);
  const keepMarks = createMarkKeeper(tools);
  const audit = createAudits(tools);
  const destinationsToPrune = createRetentionSweep(tools);
  const deletions = repeat('delete', times.reap, () => deleteDecided(stopping));
  const targets = repeat('free targets', times.reap, () => freeKeptTargets(tools, stopping));

  /** A failure at one destination is logged and does not delay other destinations. The next sweep repeats it. */
  async function retain(destination: Destination): Promise<void> {
    try {
      stopping.throwIfAborted();
      await refuseWrongClock(tools);
      await applyRetention(tools, destination, stopping);
    } catch (error) {
      if (!stopping.aborted) tools.log.warn({ err: error, ...destination }, 'Retention could not be applied yet');
    }
    deletions.wake();
  }

  async function sweep(): Promise<void> {
    for (const destination of await destinationsToPrune()) await retain(destination);
  }

  const afterEnd: UpkeepAfterEnd = { retain, freeTargets: () => targets.wake() };

  function lostRound(kind: JobKind, lost: LostAttempts): Repeating {
    const end = lost.createRound(tools);
    return repeat(lost.round, times.reap, async () => {
      const succeeded = await end(await leasesForRound(tools, kind), stopping);
      for (const request of succeeded) await kind.afterEnd?.(afterEnd, request, 'SUCCEEDED');
    });
  }

  const loops = [
    deletions,
    targets,
    repeat('reap', times.reap, () => reapExpiredLeases(tools, kinds, stopping)),
    ...kinds.flatMap((kind) => (kind.lostAttempts === undefined ? [] : [lostRound(kind, kind.lostAttempts)])),
    repeat('sweep', times.sweep, sweep),
    repeat('audit', Math.min(60_000, times.audit), () => audit(stopping)),
    repeat('mark', Math.ceil(times.mark / 20), () => keepMarks(stopping)),
  ];
  return { ...afterEnd, loops, deletions };
}
