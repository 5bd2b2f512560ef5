/**
 * The reason why a run is interrupted.
 * - LEASE_LOST: another worker may have the job, so this one appends nothing more.
 * - CANCELLED: the cancellation of the job was requested.
 * - DRAINING: this worker stops and hands the job back.
 */
export type InterruptionReason = 'LEASE_LOST' | 'CANCELLED' | 'DRAINING';

/** The reason with which a run's signal aborts. */
export class Interruption extends Error {
  constructor(readonly why: InterruptionReason) {
    super(`The run was interrupted: ${why}.`);
    this.name = 'Interruption';
  }
}

/** The reason why the run was interrupted. Undefined: it was not interrupted. */
export function interruptedBy(signal: AbortSignal): InterruptionReason | undefined {
  return signal.aborted && signal.reason instanceof Interruption ? signal.reason.why : undefined;
}
