import type { RequestHandler } from 'express';
import { clientAddressOf } from '../client/clientOf.js';
import type { RequestRates } from '../fairness/requestRates.js';
import { TooManyRequests } from '../fairness/tooManyRequests.js';
import type { ServerMetrics } from '../metrics.js';
import { refuseExceeded } from './refuseExceeded.js';

/** These count the requests of their address themselves, because they answer in another form. */
const countedElsewhere = /^\/(graphql|audit\/.*)$/;
/** A balancer must not take a server away because others behind the same proxy send too much. */
const probes = ['/healthz', '/readyz'];

/** Limits the pages that an address reads in a minute, together with its requests to the API. */
export function pageRates(rates: RequestRates, metrics: ServerMetrics): RequestHandler {
  return (request, response, next) => {
    if (countedElsewhere.test(request.path) || probes.includes(request.path)) {
      next();
      return;
    }
    try {
      refuseExceeded(response, [rates.ofAddress(clientAddressOf(request))], metrics);
    } catch (error) {
      if (!(error instanceof TooManyRequests)) throw error;
      response.status(429).type('text').send(`${error.message} ${error.help}\n`);
      return;
    }
    next();
  };
}
