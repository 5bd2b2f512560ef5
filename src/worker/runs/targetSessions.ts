import { setTimeout as delay } from 'node:timers/promises';
import type { RestoreRequest } from '../../restores/restoreJob.js';
import { engineNamed } from './engineNamed.js';
import type { LeaseSignals } from '../heartbeat.js';
import { inRandomOrder } from '../inRandomOrder.js';
import { Interruption, interruptedBy } from '../interruption.js';
import { inWorkFolder } from './workFolder.js';
import type { WorkerTools } from '../workerTools.js';

/** The time limit of one request to end our sessions on a target. */
const sessionsMs = 10_000;
const pauseMs = 5_000;
/** How long a cancelled restore still waits for its target after its tools have ended. */
const cancelPatienceMs = 500;
const targetsAtOnce = 8;
/** A target that does not answer for this long is given up. */
export const unreachableTargetMs = 15 * 60_000;

type Target = Pick<RestoreRequest, 'targetServiceId' | 'engine'> & {
  /** The restore whose sessions are to end. */
  readonly jobId: string;
};

/**
 * The state of a target after a restore ended without success:
 * - FREE: no session of the restore is left there.
 * - SILENT: the target has not answered for so long that it is given up.
 * - LOCKED: sessions may be left, and the lease was lost or the worker stops: the target stays locked.
 * - UNANSWERED: sessions may be left, and the restore was cancelled: the target stays locked beyond the end of the job.
 */
export type TargetState = 'FREE' | 'SILENT' | 'LOCKED' | 'UNANSWERED';

/** Ends the sessions that a restore left on its target. Returns true if no session is left. */
export async function endSessions(
  tools: WorkerTools,
  { targetServiceId, engine, jobId }: Target,
  signal: AbortSignal,
): Promise<boolean> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(sessionsMs)]);
  const { connection } = await tools.serviceOf(targetServiceId);
  return await inWorkFolder(tools.workRoot, (workFolder) =>
    engineNamed(tools.engines, engine).endOurSessions(connection, jobId, { workFolder, signal: limited }),
  );
}

/**
 * Ends the sessions that a restore left on its target. Tries again while the lease on the target is held. If the result
 * is LOCKED, the reaper continues.
 */
export async function freeTarget(tools: WorkerTools, target: Target, held: LeaseSignals): Promise<TargetState> {
  const givenUpAtMs = performance.now() + unreachableTargetMs;
  const cancelled = soonAfterCancel(held.signal);
  const signal = AbortSignal.any([held.lost, cancelled.signal]);
  try {
    while (!held.lost.aborted) {
      try {
        if (await endSessions(tools, target, signal)) return 'FREE';
      } catch (error) {
        tools.log.warn({ err: error, ...target }, 'The sessions of a restore could not be ended yet');
      }
      if (cancelled.signal.aborted) return 'UNANSWERED';
      if (performance.now() > givenUpAtMs) return 'SILENT';
      if (interruptedBy(held.signal) === 'DRAINING') return 'LOCKED';
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
    return 'LOCKED';
  } finally {
    cancelled.stop();
  }
}

/** Aborts a moment after the run was cancelled, also if the run was cancelled before this call. */
function soonAfterCancel(run: AbortSignal): { readonly signal: AbortSignal; readonly stop: () => void } {
  const soon = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    if (interruptedBy(run) !== 'CANCELLED') return;
    timer = setTimeout(() => soon.abort(new Interruption('CANCELLED')), cancelPatienceMs);
  };
  if (run.aborted) begin();
  else run.addEventListener('abort', begin, { once: true });
  return {
    signal: soon.signal,
    stop: () => {
      run.removeEventListener('abort', begin);
      clearTimeout(timer);
    },
  };
}

/** Queries several targets at once, because each may be slow to answer. `ask` must not throw. */
export function atEachTarget<T>(
  tools: Pick<WorkerTools, 'random'>,
  targets: readonly T[],
  signal: AbortSignal,
  ask: (target: T) => Promise<void>,
): Promise<void> {
  return inRandomOrder(tools, targets, { atOnce: targetsAtOnce, signal }, ask);
}
