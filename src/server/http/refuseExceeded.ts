import type { Response } from 'express';
import { rateHeaders, type Rate } from '../fairness/requestRates.js';
import { TooManyRequests } from '../fairness/tooManyRequests.js';
import type { ServerMetrics } from '../metrics.js';

/** Sets the headers of the limits, and throws if one of them is exceeded. */
export function refuseExceeded(response: Response, rates: readonly Rate[], { refusedRequests }: ServerMetrics): void {
  response.set(rateHeaders(rates));
  const exceeded = rates.find(({ isExceeded }) => isExceeded);
  if (exceeded === undefined) return;
  const { policy, limit, resetSeconds } = exceeded;
  refusedRequests.inc({ limit: policy });
  // The body is not read, so the connection cannot be used again.
  response.set({ Connection: 'close', 'Retry-After': String(resetSeconds) });
  throw new TooManyRequests(
    `This ${policy === 'viewer' ? 'caller' : 'address'} has sent more than ${limit} requests in a minute.`,
    `Wait ${resetSeconds} s, and send fewer requests. Subscriptions replace repeated queries.`,
  );
}
