import { v5 } from 'uuid';

/**
 * This namespace never changes. With another namespace each tick would have another id, so handled ticks would run
 * again.
 */
const namespace = '6a1f6f0e-5a0b-4c9e-9a57-0d3b5d1f2c47';

/**
 * The id of the job of one tick for one destination. It is the same in every process, so that handling a tick is
 * idempotent.
 */
export function tickJobId(planId: string, scheduledFor: Date, fileEndpointId: string): string {
  return v5(`job:${planId}:${scheduledFor.toISOString()}:${fileEndpointId}`, namespace);
}

/** The jobs of one tick share this id. */
export function tickBatchId(planId: string, scheduledFor: Date): string {
  return v5(`batch:${planId}:${scheduledFor.toISOString()}`, namespace);
}
