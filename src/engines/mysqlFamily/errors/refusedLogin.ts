import type { StowageErrorOptions } from '../../../errors.js';

type WayOut = Pick<StowageErrorOptions, 'help' | 'retriable'>;

/** What a person should do after a refused login, by the number of the error. Empty for other numbers. */
export function loginWayOut(number: number | undefined, line = ''): WayOut {
  if (lacksPlugin(line)) return ways[2059] ?? {};
  return number === undefined ? {} : (ways[number] ?? {});
}

/** The tool on the worker lacks the plugin that the account logs in with. The server has not refused the login. */
export function lacksPlugin(line: string): boolean {
  return /plugin \S+ (?:could not|cannot) be loaded/i.test(line);
}

/** The server reports a wrong password and a missing client certificate with the same error. */
const ways: Readonly<Record<number, WayOut>> = {
  1045: {
    help: 'Check the user name and the password of the service, and from which hosts the user may log in. If they are right, the account may require TLS (REQUIRE SSL): set the TLS mode of the service to REQUIRE or VERIFY. Or the account requires a client certificate (REQUIRE X509, ISSUER or SUBJECT), which Stowage does not have: change the account to REQUIRE SSL.',
  },
  1129: {
    help: 'Run on the server: FLUSH HOSTS; then find the program on that host that connects without logging in, or raise max_connect_errors.',
    retriable: false,
  },
  1130: {
    help: 'No account may log in from the host that the message names: create the user for it (CREATE USER name@host), or for every host (name@%).',
  },
  1184: {
    help: 'The server ends the session because its setting init_connect fails for this user. Correct the statement in init_connect, or grant the user the privileges that it needs.',
    retriable: false,
  },
  1251: { help: 'Let the user log in with a password: ALTER USER … IDENTIFIED BY …' },
  1524: {
    help: 'The login plugin of the account is not loaded on the server. Load it there with INSTALL SONAME, or give the account a password: ALTER USER … IDENTIFIED BY …',
  },
  1698: {
    help: 'The account cannot log in with a password (unix_socket admits only users of the server’s machine). Give it a password with ALTER USER … IDENTIFIED BY …, or create another user for backups.',
  },
  1820: {
    help: 'The password of the account has expired: set a new one there (ALTER USER … IDENTIFIED BY …) and in the service. PASSWORD EXPIRE NEVER keeps it from expiring.',
  },
  1862: {
    help: 'The password of the account has expired: set a new one there (ALTER USER … IDENTIFIED BY …) and in the service. PASSWORD EXPIRE NEVER keeps it from expiring.',
  },
  2059: {
    help: 'The tool on the worker lacks the plugin whose file the message names. client_ed25519.so is part of the package libmariadb3, on Debian or Ubuntu: apt-get install libmariadb3. If the file is in another folder, link it into the folder lib/plugin beside the bin folder of the tool.',
  },
  3159: {
    help: 'The server accepts only TLS connections (require_secure_transport). Set the TLS mode of the service to REQUIRE or VERIFY.',
  },
  4150: {
    help: 'Too many logins failed: correct the password of the service, then run on the server: FLUSH PRIVILEGES;',
  },
  4151: { help: 'The account is locked: run on the server: ALTER USER … ACCOUNT UNLOCK;' },
};

/** Names of login methods that our driver does not support, by the plugin that a server requires. */
export function unknownLogin(text: string): { readonly plugin: string; readonly is: string } | undefined {
  const plugin =
    /plugin `?'?([\w]+)/.exec(text)?.[1] ??
    (text.includes('mysql_clear_password') ? 'mysql_clear_password' : undefined);
  if (plugin === undefined) return undefined;
  return { plugin, is: loginMethods[plugin] ?? 'a way that Stowage does not know' };
}

export function passwordLogin(product: 'MariaDB' | 'MySQL'): string {
  const ed25519 = product === 'MariaDB' ? 'IDENTIFIED VIA ed25519 USING PASSWORD(…), or ' : '';
  return `Create a user for backups that logs in with a password: CREATE USER … ${ed25519}IDENTIFIED BY …`;
}

const loginMethods: Readonly<Record<string, string>> = {
  auth_gssapi_client: 'Kerberos (GSSAPI)',
  dialog: 'PAM',
  mysql_clear_password: 'PAM or LDAP, which receive the password in plain text',
  parsec: 'PARSEC of MariaDB 11.6',
  mysql_old_password: 'passwords in the format before MySQL 4.1',
};

/** Problems with TLS, in the words of the driver and OpenSSL, and what a person should do. */
export function tlsWayOut(text: string): string {
  return tlsWays.find(([words]) => words.test(text))?.[1] ?? otherTls;
}

const tlsWays: readonly (readonly [RegExp, string])[] = [
  [/has expired/i, 'Renew the certificate of the server, and load it there (FLUSH SSL; or a restart).'],
  [
    /not yet valid/i,
    'The certificate is not valid yet. Compare the clocks of the server, of the CA and of this worker.',
  ],
  [
    /altnames|does not match|Hostname/i,
    'Use the host name that the certificate of the server contains, or create a certificate for this host.',
  ],
  [
    /self.signed|unable to (?:get|verify)|issuer|unknown ca|leaf signature/i,
    'Set the CA of the service to the CA that signed the certificate of the server (the PEM file that the setting ssl_ca of the server names).',
  ],
  [
    /PEM|no start line|asn1|bad base64/i,
    'The CA of the service is not a certificate in PEM format. Set it again to the whole file.',
  ],
  [
    /unsupported protocol|version|no protocols|handshake failure|no shared cipher|key too small|md too weak/i,
    'Configure the server for TLS 1.2 or 1.3 with a modern key (its settings tls_version and ssl_cert).',
  ],
];
const otherTls = 'Read the messages about TLS in the log of the server at that time.';
