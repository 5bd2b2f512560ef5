import { setTimeout as delay } from 'node:timers/promises';
import type { RestoreRequest } from '../restores/restoreJob.js';
import { engineOf } from './engineOf.js';
import type { Hold } from './heartbeat.js';
import { interruptedBy } from './interruption.js';
import { inWorkFolder } from './workFolder.js';
import type { WorkerTools } from './workerTools.js';

/** How long one attempt to end what a restore left on its target may take. */
const sessionsMs = 10_000;
const pauseMs = 5_000;
/** A target that does not answer for this long is given up: nobody can say what it does. */
export const unreachableTargetMs = 15 * 60_000;

type Target = Pick<RestoreRequest, 'targetServiceId' | 'engine'> & {
  /** The restore whose sessions are meant. */
  readonly jobId: string;
};

/**
 * - FREE: nothing of the restore runs there any more;
 * - SILENT: the target has not answered for so long that nobody can say;
 * - LOCKED: something may be left, the lease was lost or the worker is to stop, and the target is to stay locked.
 */
export type TargetState = 'FREE' | 'SILENT' | 'LOCKED';

/** Ends what a restore left running on its target. True: nothing of ours is left there. */
export async function endSessions(
  tools: WorkerTools,
  { targetServiceId, engine, jobId }: Target,
  signal: AbortSignal,
): Promise<boolean> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(sessionsMs)]);
  const { connection } = await tools.serviceOf(targetServiceId);
  return await inWorkFolder(tools.workRoot, (workFolder) =>
    engineOf(tools.engines, engine).endOurSessions(connection, jobId, { workFolder, signal: limited }),
  );
}

/**
 * Ends what a restore left running on its target, trying for as long as the lease on it is held; what is LOCKED then, the
 * reaper ends.
 */
export async function freeTarget(tools: WorkerTools, target: Target, hold: Hold): Promise<TargetState> {
  const givenUpAtMs = performance.now() + unreachableTargetMs;
  while (!hold.lost.aborted) {
    try {
      if (await endSessions(tools, target, hold.lost)) return 'FREE';
    } catch (error) {
      tools.log.warn({ err: error, ...target }, 'The sessions of a restore could not be ended yet');
    }
    if (performance.now() > givenUpAtMs) return 'SILENT';
    if (interruptedBy(hold.signal) === 'DRAINING') return 'LOCKED';
    await delay(pauseMs, undefined, { signal: hold.lost }).catch(() => undefined);
  }
  return 'LOCKED';
}
