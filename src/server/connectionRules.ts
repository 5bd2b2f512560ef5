import { isIP } from 'node:net';
import type { Secret } from '../secret.js';
import { targetNotAllowedHelp, type AllowedTargets } from '../storage/allowedTargets.js';
import type { Rule } from './inputValidation.js';

/**
 * If the host is an IP address, this installation must be allowed to connect to it. A host name passes, because its
 * address is checked when the connection is made.
 */
export function allowedAddress(targets: AllowedTargets): Rule<string> {
  return (host) => {
    const address = host.replace(/^\[|\]$/g, '');
    return isIP(address) === 0 || targets.allows(address)
      ? undefined
      : {
          problem: 'is an address that this installation may not connect to',
          hint: targetNotAllowedHelp,
        };
  };
}

/** Passwords and keys are sent in headers and option files, where a control character would end the line. */
export const usableSecret: Rule<Secret> = (secret) =>
  /\p{Cc}/u.test(secret.reveal())
    ? { problem: 'contains control characters', hint: 'Send it without line breaks and tabs.' }
    : undefined;
