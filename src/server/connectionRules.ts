import { isIP } from 'node:net';
import type { Secret } from '../secret.js';
import type { AllowedTargets } from '../storage/allowedTargets.js';
import type { Rule } from './inputValidation.js';

/**
 * A host that is written as an address must be one that this installation connects to. A name is judged by the address
 * it has at the moment of connecting.
 */
export function allowedAddress(targets: AllowedTargets): Rule<string> {
  return (host) => {
    const address = host.replace(/^\[|\]$/g, '');
    return isIP(address) === 0 || targets.allows(address)
      ? undefined
      : {
          problem: 'is an address that this installation does not connect to',
          hint: 'Name a host that is allowed, or have the operator allow this one in STOWAGE_ALLOWED_TARGETS.',
        };
  };
}

/** Passwords and keys travel in headers and option files, where a control character would end the line. */
export const usableSecret: Rule<Secret> = (secret) =>
  /\p{Cc}/u.test(secret.reveal())
    ? { problem: 'contains control characters', hint: 'Send it without line breaks and tabs.' }
    : undefined;
