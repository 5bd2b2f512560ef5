import { setTimeout as sleep } from 'node:timers/promises';
import type { StowageError } from '../../errors.js';

export type RetryLimits = {
  /** The maximum number of tries of one request, or of one position in an object that is read. The first try counts. */
  readonly attempts: number;
  /** The pause before the second try. It doubles with each failure, up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
};

/** How one try ended: with a value, or with a failure that another try may avoid. */
export type Outcome<T> =
  | { readonly done: T }
  | {
      readonly failure: StowageError;
      /** The pause that the server requested. 0: none. */ readonly retryAfterMs: number;
    };

/** A server that requests a pause longer than both this and `maxBackoffMs` counts as unavailable. */
const longestWishMs = 120_000;

/**
 * Repeats until an attempt succeeds. Throws the failure of the last attempt, any error that an attempt throws, or the
 * reason of the signal. `tries` counts from 1, because an earlier try whose answer was lost may have had its effect.
 */
export async function withRetries<T>(
  limits: RetryLimits,
  signal: AbortSignal,
  attempt: (tries: number) => Promise<Outcome<T>>,
  random: () => number = Math.random,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await attempt(tries);
    if ('done' in outcome) return outcome.done;
    const { failure, retryAfterMs } = outcome;
    if (tries >= limits.attempts || retryAfterMs > Math.max(limits.maxBackoffMs, longestWishMs)) throw failure;
    await pause(pauseMs(limits, tries, retryAfterMs, random()), signal);
  }
}

/**
 * The pause before the next try. It doubles with each failure, and up to half of it is random (`random` is from 0 to
 * 1), so that many clients do not return at the same time. It is never shorter than the pause that the server
 * requested.
 */
export function pauseMs(limits: RetryLimits, failures: number, retryAfterMs: number, random: number): number {
  const full = Math.min(limits.backoffMs * 2 ** (failures - 1), limits.maxBackoffMs);
  return Math.max(full / 2 + (full / 2) * random, retryAfterMs);
}

/** Milliseconds of a Retry-After header (RFC 9110: seconds or a date); 0 for a header that is absent or unreadable. */
export function retryAfterMs(header: string, now: number): number {
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

/** Rejects with the reason of the signal on abort. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
