import { familyDriver } from '../mysqlFamily/session/familyDriver.js';

/**
 * Implements MySQL's protocol. Over TLS the password for caching_sha2_password is sent inside the TLS connection. Without
 * TLS it is encrypted with the public key of the server. mysql2 refuses mysql_clear_password.
 */
export const driver = familyDriver(() => ({}));
