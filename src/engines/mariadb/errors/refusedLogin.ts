import type { StowageErrorOptions } from '../../../errors.js';

type WayOut = Pick<StowageErrorOptions, 'help' | 'retriable'>;

/** The next step of a person after a refused login, by the error's number. Empty for other numbers. */
export function loginWayOut(number: number | undefined, line = ''): WayOut {
  if (lacksPlugin(line)) return ways[2059] ?? {};
  return number === undefined ? {} : (ways[number] ?? {});
}

/**
 * A tool lacks the plugin that the account logs in with. So the worker lacks something, and the server refused no
 * login.
 */
export function lacksPlugin(line: string): boolean {
  return /plugin \S+ (?:could not|cannot) be loaded/i.test(line);
}

/** The server reports a wrong password and a missing client certificate with the same error. */
const ways: Readonly<Record<number, WayOut>> = {
  1045: {
    help: 'Check user name and password of the service, and from which hosts the user may log in. If they are right, the account may ask for TLS (REQUIRE SSL: set the TLS mode to REQUIRE or VERIFY) or for a client certificate (REQUIRE X509, ISSUER or SUBJECT), which Stowage does not have: let it REQUIRE SSL instead.',
  },
  1129: {
    help: 'Run on the server: FLUSH HOSTS; then find out what connects to it from that host without logging in, or raise max_connect_errors.',
    retriable: false,
  },
  1130: {
    help: 'No account may log in from the host that the message names: create the user for it (CREATE USER name@host), or for every host (name@%).',
  },
  1184: {
    help: 'The server ends the session because its init_connect fails for this user: repair the statement there, or grant the user the privileges that it needs.',
    retriable: false,
  },
  1251: { help: 'Let the user log in with a password: ALTER USER … IDENTIFIED BY …' },
  1524: {
    help: 'The plugin of the account is not loaded on the server: INSTALL SONAME it there, or ALTER USER … IDENTIFIED BY …',
  },
  1698: {
    help: 'The account does not log in with a password (unix_socket lets in users of the server itself): ALTER USER … IDENTIFIED BY …, or create another user for backups.',
  },
  1820: {
    help: 'The password of the account has expired: set a new one there (ALTER USER … IDENTIFIED BY …) and in the service. PASSWORD EXPIRE NEVER keeps it from expiring.',
  },
  1862: {
    help: 'The password of the account has expired: set a new one there (ALTER USER … IDENTIFIED BY …) and in the service. PASSWORD EXPIRE NEVER keeps it from expiring.',
  },
  2059: {
    help: 'The tool on the worker lacks the plugin whose file the message names. client_ed25519.so is part of the package libmariadb3, on Debian or Ubuntu: apt-get install libmariadb3. If it is in another folder, link it into a folder lib/plugin beside the bin folder of the tool.',
  },
  3159: {
    help: 'The server takes TLS connections only (require_secure_transport): set the TLS mode of the service to REQUIRE or VERIFY.',
  },
  4150: {
    help: 'Too many logins failed: correct the password of the service, then run on the server: FLUSH PRIVILEGES;',
  },
  4151: { help: 'The account is locked: run on the server: ALTER USER … ACCOUNT UNLOCK;' },
};

/** Login methods that our driver does not support, by the plugin that a server requires. */
export function unknownLogin(text: string): { readonly plugin: string; readonly is: string } | undefined {
  const plugin =
    /plugin `?'?([\w]+)/.exec(text)?.[1] ??
    (text.includes('mysql_clear_password') ? 'mysql_clear_password' : undefined);
  if (plugin === undefined) return undefined;
  return { plugin, is: loginMethods[plugin] ?? 'a way that Stowage does not know' };
}

export const passwordLogin =
  'Create a user for backups that logs in with a password: CREATE USER … IDENTIFIED VIA ed25519 USING PASSWORD(…), or IDENTIFIED BY …';

const loginMethods: Readonly<Record<string, string>> = {
  auth_gssapi_client: 'Kerberos (GSSAPI)',
  dialog: 'PAM',
  mysql_clear_password: 'PAM or LDAP, which see the password itself',
  parsec: 'PARSEC of MariaDB 11.6',
  mysql_old_password: 'passwords of before MySQL 4.1',
};

/** Problems with TLS, in the words of the driver and OpenSSL, with the next step of a person. */
export function tlsWayOut(text: string): string {
  return tlsWays.find(([words]) => words.test(text))?.[1] ?? otherTls;
}

const tlsWays: readonly (readonly [RegExp, string])[] = [
  [/has expired/i, 'Renew the certificate of the server, and load it there (FLUSH SSL; or a restart).'],
  [
    /not yet valid/i,
    'Compare the clocks of the server, of the CA and of this worker: the certificate begins in the future.',
  ],
  [
    /altnames|does not match|Hostname/i,
    'Use the name of the host in the certificate of the server, or create a certificate for this host.',
  ],
  [
    /self.signed|unable to (?:get|verify)|issuer|unknown ca|leaf signature/i,
    'Give the service the CA that signed the certificate of the server (the PEM file that ssl_ca names there).',
  ],
  [
    /PEM|no start line|asn1|bad base64/i,
    'The CA of the service is not a certificate in PEM: send the whole file again.',
  ],
  [
    /unsupported protocol|version|no protocols|handshake failure|no shared cipher|key too small|md too weak/i,
    'Let the server offer TLS 1.2 or 1.3 with a modern key (tls_version and ssl_cert there).',
  ],
];
const otherTls = 'Read the messages about TLS in the log of the server at that time.';
