import { networkOf } from '../signInFailures.js';

/** Requests over HTTP in a minute. */
export type RateLimits = { readonly requestsOfViewer: number; readonly requestsOfAddress: number };

/** The state of one limit after a request. */
export type Rate = {
  /** The name of the policy, for the headers. */
  readonly policy: 'viewer' | 'address';
  /** Requests in a minute. */
  readonly limit: number;
  /** How many requests are left now. */
  readonly remaining: number;
  /** The seconds until the next request is allowed if none is left, otherwise until the whole limit is available again. */
  readonly resetSeconds: number;
  readonly isExceeded: boolean;
};

type Bucket = { left: number; atMs: number };

const minuteMs = 60_000;
/** From this number of keys on, those that have used nothing lately are forgotten. */
const manyKeys = 10_000;

/**
 * Limits the requests of each viewer and of each address, with token buckets in the memory of this process: a full bucket has the
 * requests of a minute, and it is refilled evenly. With several processes each allows as many. An IPv6 address counts as its
 * /64 network.
 */
export class RequestRates {
  readonly #buckets = new Map<string, Bucket>();

  constructor(
    private readonly limits: RateLimits,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  ofAddress(address: string | undefined): Rate {
    return this.#take('address', networkOf(address), this.limits.requestsOfAddress);
  }

  ofViewer(viewerKey: string): Rate {
    return this.#take('viewer', viewerKey, this.limits.requestsOfViewer);
  }

  #take(policy: Rate['policy'], key: string, limit: number): Rate {
    const perMs = limit / minuteMs;
    const now = this.nowMs();
    const bucket = this.#bucketOf(`${policy} ${key}`, limit, now);
    bucket.left = Math.min(limit, bucket.left + (now - bucket.atMs) * perMs);
    bucket.atMs = now;
    const isExceeded = bucket.left < 1;
    if (!isExceeded) bucket.left -= 1;
    const missing = isExceeded ? 1 - bucket.left : limit - bucket.left;
    const remaining = Math.floor(bucket.left);
    return { policy, limit, remaining, resetSeconds: Math.max(1, Math.ceil(missing / perMs / 1000)), isExceeded };
  }

  #bucketOf(key: string, limit: number, now: number): Bucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    if (this.#buckets.size >= manyKeys) {
      // A bucket that was not used for a minute is full again.
      for (const [each, { atMs }] of this.#buckets) if (now - atMs >= minuteMs) this.#buckets.delete(each);
    }
    const bucket = { left: limit, atMs: now };
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

/** The headers of draft-ietf-httpapi-ratelimit-headers, for the limits that apply to a request. */
export function rateHeaders(rates: readonly Rate[]): Readonly<Record<string, string>> {
  return {
    'RateLimit-Policy': rates.map(({ policy, limit }) => `"${policy}";q=${limit};w=${minuteMs / 1000}`).join(', '),
    RateLimit: rates
      .map(({ policy, remaining, resetSeconds }) => `"${policy}";r=${remaining};t=${resetSeconds}`)
      .join(', '),
  };
}
