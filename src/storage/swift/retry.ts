import { setTimeout as sleep } from 'node:timers/promises';
import type { SwiftTuning } from './swiftSettings.js';

export type RetryLimits = Pick<SwiftTuning, 'attempts' | 'backoffMs' | 'maxBackoffMs'>;

/**
 * How long to wait before the next try: doubling, at least half of it certain and the rest by chance (`random` in 0 to
 * 1), so that many clients do not come back together. What the server asked for is the least.
 */
export function pauseMs(limits: RetryLimits, failures: number, retryAfterMs: number, random: number): number {
  const full = Math.min(limits.backoffMs * 2 ** (failures - 1), limits.maxBackoffMs);
  return Math.max(full / 2 + (full / 2) * random, retryAfterMs);
}

/** Milliseconds of a Retry-After header (RFC 9110: seconds or a date); 0 where it says nothing. */
export function retryAfterMs(header: string, now: number): number {
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

/** Ends early, with the signal's reason, on abort. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
