import { isIP } from 'node:net';
import type { Secret } from '../secret.js';
import { targetNotAllowedHelp, type AllowedTargets } from '../storage/allowedTargets.js';
import type { Rule } from './inputValidation.js';

/**
 * A host that is an IP address must be one that this installation may connect to. A host name passes: its address is
 * checked when the connection is made.
 */
export function allowedAddress(targets: AllowedTargets): Rule<string> {
  return (host) => {
    const address = host.replace(/^\[|\]$/g, '');
    return isIP(address) === 0 || targets.allows(address)
      ? undefined
      : {
          problem: 'is an address that this installation does not connect to',
          hint: targetNotAllowedHelp,
        };
  };
}

/** Passwords and keys are sent in headers and option files, where a control character would end the line. */
export const usableSecret: Rule<Secret> = (secret) =>
  /\p{Cc}/u.test(secret.reveal())
    ? { problem: 'contains control characters', hint: 'Send it without line breaks and tabs.' }
    : undefined;
