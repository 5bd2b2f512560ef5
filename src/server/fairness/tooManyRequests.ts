import { StowageError } from '../../errors.js';

/** A viewer or an address has too many requests, by default at once. Over HTTP the status is 429, with Retry-After. */
export class TooManyRequests extends StowageError {
  constructor(
    message = 'You have too many requests at once.',
    help = 'Wait for some of their answers. Then send this request again.',
  ) {
    super('UNAVAILABLE', message, { details: { limit: 'requests' }, help });
  }
}

/** In seconds. */
export const retryAfter = '1';
