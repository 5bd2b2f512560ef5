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

type Target = Pick<RestoreRequest, 'targetServiceId' | 'engine'>;

/** Ends what a restore left running on its target. True: nothing of ours is left there. */
export async function endSessions(
  tools: WorkerTools,
  { targetServiceId, engine }: Target,
  signal: AbortSignal,
): Promise<boolean> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(sessionsMs)]);
  const { connection } = await tools.serviceOf(targetServiceId);
  return await inWorkFolder(tools.workRoot, (workFolder) =>
    engineOf(tools.engines, engine).endOurSessions(connection, { workFolder, signal: limited }),
  );
}

/**
 * Ends what a restore left running on its target, trying for as long as the lease on it is held. False: something may
 * be left, the lease was lost or the worker is to stop, and the target is to stay locked until the reaper has ended it.
 * Once the lease is lost the target is left alone: what runs there may be the next restore's.
 */
export async function freeTarget(tools: WorkerTools, target: Target, hold: Hold): Promise<boolean> {
  const givenUpAtMs = performance.now() + unreachableTargetMs;
  while (!hold.lost.aborted) {
    try {
      if (await endSessions(tools, target, hold.lost)) return true;
    } catch (error) {
      tools.log.warn({ err: error, ...target }, 'The sessions of a restore could not be ended yet');
    }
    if (performance.now() > givenUpAtMs) return true;
    if (interruptedBy(hold.signal) === 'DRAINING') return false;
    await delay(pauseMs, undefined, { signal: hold.lost }).catch(() => undefined);
  }
  return false;
}
