/**
 * Why a run is ended from outside.
 * - LEASE_LOST: another worker may have the job; this one says nothing about it any more.
 * - CANCELLED: somebody asked for it.
 * - DRAINING: this worker stops and hands the job back.
 */
export type InterruptionReason = 'LEASE_LOST' | 'CANCELLED' | 'DRAINING';

/** What a run's signal is aborted with. */
export class Interruption extends Error {
  constructor(readonly why: InterruptionReason) {
    super(`The run was interrupted: ${why}.`);
    this.name = 'Interruption';
  }
}

/** Why the run was interrupted; undefined while nothing has interrupted it. */
export function interruptedBy(signal: AbortSignal): InterruptionReason | undefined {
  return signal.aborted && signal.reason instanceof Interruption ? signal.reason.why : undefined;
}
