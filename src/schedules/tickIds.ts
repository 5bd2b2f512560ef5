import { v5 } from 'uuid';

/** Fixed for ever: with another one, ticks that were handled before an update would run again after it. */
const namespace = '6a1f6f0e-5a0b-4c9e-9a57-0d3b5d1f2c47';

/** The job of one tick for one destination: whoever handles the tick, and however often, means the same job. */
export function tickJobId(planId: string, scheduledFor: Date, fileEndpointId: string): string {
  return v5(`job:${planId}:${scheduledFor.toISOString()}:${fileEndpointId}`, namespace);
}

/** Shared by the jobs of one tick. */
export function tickBatchId(planId: string, scheduledFor: Date): string {
  return v5(`batch:${planId}:${scheduledFor.toISOString()}`, namespace);
}
