import { STATUS_CODES } from 'node:http';
import { StowageError } from '../../errors.js';

/**
 * Statuses after which the same request may succeed in a moment. 498 is Swift's own rate limit. 507 comes from a storage
 * node whose disk is full or removed, and the next request may reach other nodes. A used-up quota is 413, not 507.
 */
const passing = new Set([408, 425, 429, 498, 499, 500, 502, 503, 504, 507]);

/** `text` is the beginning of the answer. */
export function isPassing(status: number, text = ''): boolean {
  return passing.has(statusBehind(status, text));
}

/**
 * The error for a refusal. `doing` continues "could not …", for example `store the object 'x' in`. `place` names the
 * container and its location. `text` is the beginning of the answer.
 */
export function statusError(status: number, doing: string, place: string, text: string): StowageError {
  const sentence = (reason: string) => `Could not ${doing} ${place}: ${reason}.`;
  const details = { details: { status } };
  const means = statusBehind(status, text);
  switch (means) {
    case 401:
      return new StowageError(
        'ENDPOINT_AUTH',
        sentence('the storage does not accept the token that it has just issued'),
        {
          ...details,
          help: 'Check the Service User of the file endpoint, and that its project owns the container.',
        },
      );
    case 403:
      return new StowageError('ENDPOINT_FORBIDDEN', sentence('the credentials do not allow it'), {
        ...details,
        help: 'Grant the Service User read and write access to the container.',
      });
    case 404:
      return new StowageError('ENDPOINT_NOT_FOUND', sentence('there is no such container'), {
        ...details,
        help: "Create the container in the platform's storage section, or tick 'create it'.",
      });
    case 507:
      return new StowageError('ENDPOINT_QUOTA', sentence('its storage nodes have no space (507), also after retries'), {
        ...details,
        help: 'This is not a quota: a disk of a storage node is full or out of order. Report it to the operator of the object storage.',
        retriable: true,
      });
    case 413:
      return new StowageError('ENDPOINT_QUOTA', sentence('the quota of the container or account is used up'), {
        ...details,
      });
    case 422:
      return new StowageError('CHECKSUM', sentence('the storage received other bytes than were sent'), details);
    default:
      if (passing.has(means)) {
        return new StowageError('ENDPOINT_UNREACHABLE', sentence(`the storage answered ${means} again and again`), {
          ...details,
          help: 'It is overloaded, under maintenance, or its disks are full. Ask its operator, and try again later.',
        });
      }
      return new StowageError('ENDPOINT_UNREACHABLE', sentence(`the storage answered ${status}${phrase(status)}`), {
        ...details,
        retriable: false,
        help: 'The storage does not accept this request. Check that it is OpenStack Swift or supports its API.',
      });
  }
}

/**
 * Swift answers 400 to a manifest whose segments it cannot check, and gives the status of each segment in the text: 413
 * when the account's quota is used up, 5xx when the servers of the segments do not answer.
 */
function statusBehind(status: number, text: string): number {
  if (status !== 400) return status;
  if (text.includes(', 413 Request Entity Too Large')) return 413;
  return Number(/, (5\d\d) [A-Z]/.exec(text)?.[1] ?? status);
}

/** The standard meaning of the status. The body of an answer is not shown, because it may come from any server. */
function phrase(status: number): string {
  const known = STATUS_CODES[status];
  return known === undefined ? '' : ` (${known})`;
}
