import { setTimeout as delay } from 'node:timers/promises';
import type { RestoreRequest } from '../../restores/restoreJob.js';
import { engineOf } from './engineOf.js';
import type { Hold } from '../heartbeat.js';
import { Interruption, interruptedBy } from '../interruption.js';
import { inWorkFolder } from './workFolder.js';
import type { WorkerTools } from '../workerTools.js';

/** How long one attempt to end what a restore left on its target may take. */
const sessionsMs = 10_000;
const pauseMs = 5_000;
/** How long a cancelled restore, whose tools are dead, still waits for its target to answer. */
const cancelPatienceMs = 500;
/** How many targets are asked at once: each may take its time to say nothing. */
const targetsAtOnce = 8;
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
 * - UNANSWERED: the same, but the restore was cancelled, which waits for no target: it is to stay locked beyond its end.
 */
export type TargetState = 'FREE' | 'SILENT' | 'LOCKED' | 'UNANSWERED';

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
  const cancelled = soonAfterCancel(hold.signal);
  const signal = AbortSignal.any([hold.lost, cancelled.signal]);
  try {
    while (!hold.lost.aborted) {
      try {
        if (await endSessions(tools, target, signal)) return 'FREE';
      } catch (error) {
        tools.log.warn({ err: error, ...target }, 'The sessions of a restore could not be ended yet');
      }
      if (cancelled.signal.aborted) return 'UNANSWERED';
      if (performance.now() > givenUpAtMs) return 'SILENT';
      if (interruptedBy(hold.signal) === 'DRAINING') return 'LOCKED';
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
    return 'LOCKED';
  } finally {
    cancelled.stop();
  }
}

/** Aborts a moment after somebody has cancelled the run, also where that was before. */
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

/**
 * Asks targets, some at once, so that those that do not answer keep no other waiting for long; in no order, so that
 * several workers do not ask the same dead ones first. `ask` never throws.
 */
export async function atEachTarget<T>(
  tools: Pick<WorkerTools, 'random'>,
  targets: readonly T[],
  signal: AbortSignal,
  ask: (target: T) => Promise<void>,
): Promise<void> {
  const waiting = targets
    .map((target) => ({ target, turn: tools.random() }))
    .sort((one, other) => one.turn - other.turn)
    .map(({ target }) => target);
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined && !signal.aborted; next = waiting.pop()) await ask(next);
  };
  await Promise.all(Array.from({ length: targetsAtOnce }, work));
}
