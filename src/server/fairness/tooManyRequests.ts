import { StowageError } from '../../errors.js';

/** A viewer has too many requests at once. Over HTTP the status is 429, with Retry-After. */
export class TooManyRequests extends StowageError {
  constructor() {
    super('UNAVAILABLE', 'You have too many requests at once.', {
      details: { limit: 'requests' },
      help: 'Wait for some of their answers. Then send this request again.',
    });
  }
}

/** In seconds. */
export const retryAfter = '1';
