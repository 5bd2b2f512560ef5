import { familyDriver } from '../mysqlFamily/session/familyDriver.js';
import { signChallenge } from './ed25519.js';

/** Implements MariaDB's protocol. */
export const driver = familyDriver(({ password }) => ({
  client_ed25519: () => (challenge) => signChallenge(password, challenge.subarray(0, 32)),
}));
