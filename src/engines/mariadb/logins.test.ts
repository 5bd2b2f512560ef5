import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { restoreDump, takeDump } from '../../../test/fixtures/dumpAndRestore.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { makeCertificates, type Certificates } from '../../../test/fixtures/servers/certificates.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { Secret } from '../../secret.js';
import type { EngineContext } from '../engineContext.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { findClientPlugins } from './clientPlugins.js';
import { createMariadbEngine } from './mariadbEngine.js';
import { asServiceError } from '../mysqlFamily/errors/serverErrors.js';

describeWith({ mariadb: mariadbMissing }, 'Logins of MariaDB', () => {
  const engine = createMariadbEngine();
  let folder: string;
  let certificates: Certificates;
  let secured: MariadbServer;
  let expired: MariadbServer;
  const context = (): EngineContext => ({ workFolder: folder, signal: new AbortController().signal });
  const as = (username: string, tls: ServiceConnection['tls'] = { mode: 'OFF', ca: null }): ServiceConnection =>
    secured.connection({ host: 'localhost', username, password: new Secret('p'), tls });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-logins-'));
    certificates = await makeCertificates(folder, 'localhost');
    const past = await makeCertificates(await mkdtemp(join(folder, 'past-')), 'localhost', -1);
    const served = ({ certificateFile, keyFile }: Certificates) =>
      startMariadb([
        `--ssl-cert=${certificateFile}`,
        `--ssl-key=${keyFile}`,
        '--plugin-load-add=auth_ed25519',
        '--max-connections=12',
      ]);
    [secured, expired] = await Promise.all([served(certificates), served(past)]);
    expiredCa = past.ca;
    await secured.sql(`CREATE DATABASE shop; CREATE TABLE shop.t (a INT); INSERT INTO shop.t VALUES (1);
      SET GLOBAL disconnect_on_expired_password = 1;
      CREATE USER old IDENTIFIED BY 'p' PASSWORD EXPIRE; CREATE USER locked IDENTIFIED BY 'p' ACCOUNT LOCK;
      CREATE USER tls IDENTIFIED BY 'p' REQUIRE SSL; CREATE USER x509 IDENTIFIED BY 'p' REQUIRE X509;
      CREATE USER elsewhere@'10.9.8.7' IDENTIFIED BY 'p'; CREATE USER socket IDENTIFIED VIA unix_socket;
      CREATE USER one IDENTIFIED BY 'p' WITH MAX_QUERIES_PER_HOUR 1;
      CREATE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('p'); GRANT ALL ON *.* TO ed;`);
  });
  let expiredCa = '';
  afterAll(async () => {
    await Promise.all([secured.stop(), expired.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  const refusal = async (connection: ServiceConnection) => {
    const steps = await engine.check(connection, { ...context(), timeoutMs: 60_000 });
    return steps.find(({ status }) => status === 'FAILED');
  };

  test.each<[string, () => ServiceConnection, string, RegExp]>([
    [
      'a wrong password',
      () => ({ ...as('tls'), password: new Secret('x') }),
      'SERVICE_AUTH',
      /^Check the user name and the password/,
    ],
    ['an expired password', () => as('old'), 'SERVICE_AUTH', /has expired: set a new one/],
    ['a locked account', () => as('locked'), 'SERVICE_AUTH', /ACCOUNT UNLOCK/],
    ['an account that requires TLS', () => as('tls'), 'SERVICE_AUTH', /REQUIRE SSL\): set the TLS mode/],
    [
      'an account that requires a certificate',
      () => as('x509', { mode: 'REQUIRE', ca: null }),
      'SERVICE_AUTH',
      /REQUIRE X509/,
    ],
    ['an account of the operating system', () => as('socket'), 'SERVICE_AUTH', /unix_socket/],
    ['an account that has reached its limit of queries', () => as('one'), 'SERVICE_UNREACHABLE', /its own limit/],
    [
      'a CA that did not sign the certificate',
      () => as('tls', { mode: 'VERIFY', ca: expiredCa }),
      'SERVICE_UNREACHABLE',
      /^Set the CA of the service to the CA that signed/,
    ],
    [
      'no CA',
      () => as('tls', { mode: 'VERIFY', ca: null }),
      'SERVICE_UNREACHABLE',
      /^Set the CA of the service to the CA that signed/,
    ],
    [
      'an expired certificate',
      () => expired.connection({ host: 'localhost', tls: { mode: 'VERIFY', ca: expiredCa } }),
      'SERVICE_UNREACHABLE',
      /^Renew the certificate/,
    ],
  ])('the hint for %s names what to do next', async (_what, connection, code, hint) => {
    expect(await refusal(connection())).toMatchObject({
      name: 'AUTHENTICATE',
      code,
      hint: expect.stringMatching(hint),
    });
  });

  test('the error of a server that accepts only TLS names this possibility', async () => {
    await secured.sql('SET GLOBAL require_secure_transport = 1');
    try {
      const failed = await refusal(as('ed'));
      expect(failed).toMatchObject({ code: 'SERVICE_AUTH', hint: expect.stringMatching(/set the TLS mode/) });
    } finally {
      await secured.sql('SET GLOBAL require_secure_transport = 0');
    }
  });

  test('the error of a failing init_connect does not mention host and port', async () => {
    await secured.sql("SET GLOBAL init_connect = 'SELECT * FROM nowhere.t'");
    try {
      const failed = await refusal({ ...as('tls', { mode: 'REQUIRE', ca: null }) });
      expect(failed?.hint).not.toMatch(/firewall/);
      expect(`${failed?.message} ${failed?.hint}`).toMatch(/init_connect/);
    } finally {
      await secured.sql("SET GLOBAL init_connect = ''");
    }
  });

  test.each([
    ['OFF', null],
    ['REQUIRE', null],
    ['VERIFY', 'own'],
  ] as const)('an ed25519 account backs up with TLS %s', async (mode, ca) => {
    const connection = as('ed', { mode, ca: ca === null ? null : certificates.ca });
    expect((await takeDump(engine, { ...connection, databases: ['shop'] }, context())).failure).toBeNull();
    expect(await refusal({ ...connection, password: new Secret('wrong') })).toMatchObject({ code: 'SERVICE_AUTH' });
  });

  // The short secret is `p`, so every letter `p` of a message counts as the password.
  test.each(['a secret', 'p'])('tools in any folder find the plugin of ed25519 (%s)', async (password) => {
    const home = await mkdtemp(join(folder, 'unpacked-'));
    const plugins = await findClientPlugins('/usr/bin/mariadb');
    // The tool's own plugin folder is empty, as for MariaDB's archives on most machines.
    const wrap = (name: string, extra: string) =>
      writeFile(join(home, name), `#!/bin/sh\nfile=$1; shift; exec /usr/bin/${name} "$file" ${extra} "$@"\n`, {
        mode: 0o755,
      });
    for (const name of ['mariadb', 'mariadb-dump']) await wrap(name, '');
    expect(await findClientPlugins(join(home, 'mariadb-dump'))).toBe(plugins);
    await secured.sql(
      `CREATE OR REPLACE USER ed2 IDENTIFIED VIA ed25519 USING PASSWORD('${password}'); GRANT ALL ON *.* TO ed2`,
    );
    const connection = { ...as('ed2'), password: new Secret(password), databases: ['shop'] };
    const unpacked = createMariadbEngine({ tools: { folders: [home] } });
    const taken = await takeDump(unpacked, connection, context());
    expect(taken.failure).toBeNull();
    for (const name of ['mariadb', 'mariadb-dump']) await wrap(name, '--plugin-dir=/nowhere');
    const lacking = {
      code: 'TOOL_MISSING',
      message: expect.stringContaining(
        'Plugin client_ed25519 could not be loaded: /nowhere/client_ed25519.so'.replaceAll(password, '[secret]'),
      ),
      help: expect.stringContaining('apt-get install libmariadb3'),
    };
    const { failure } = await takeDump(unpacked, connection, context());
    expect(failure).toMatchObject(lacking);
    await secured.sql('DROP DATABASE shop');
    await expect(restoreDump(unpacked, connection, taken, context())).rejects.toMatchObject(lacking);
    await restoreDump(engine, connection, taken, context());
  });

  test.each(['x', 'päßwörd 🐬', 'a'.repeat(300)])('ed25519 accepts the password %j', async (password) => {
    await secured.sql(
      `CREATE OR REPLACE USER odd IDENTIFIED VIA ed25519 USING PASSWORD('${password}'); GRANT ALL ON *.* TO odd;`,
    );
    expect(await refusal({ ...as('odd'), password: new Secret(password) })).toBeUndefined();
  });

  test.each([
    ['parsec', /PARSEC/],
    ['auth_gssapi_client', /GSSAPI/],
    ['dialog', /PAM/],
  ])('the error for an account of the plugin %s has a sentence and a hint', (plugin, named) => {
    const error = Object.assign(
      new Error(`Server requests authentication using unknown plugin ${plugin}. See TODO: add plugins doco here`),
      { code: 'AUTH_SWITCH_PLUGIN_ERROR' },
    );
    const told = asServiceError(as('ed'), error, 'MariaDB');
    expect(told).toMatchObject({
      code: 'SERVICE_AUTH',
      message: expect.stringMatching(named),
      help: expect.stringMatching(/^Create a user for backups/),
    });
    expect(told.message).not.toContain('TODO');
  });

  test.each([
    [1129, /FLUSH HOSTS/],
    [1130, /create the user for it/],
    [1040, /max_connections/],
    [1203, /its own limit/],
    [1153, /max_allowed_packet/],
    [2020, /max_allowed_packet/],
    [4150, /FLUSH PRIVILEGES/],
  ])('error %i does not mention host, port and firewall', (errno, hint) => {
    const told = asServiceError(as('ed'), Object.assign(new Error('Some words.'), { errno }), 'MariaDB');
    expect(told.help).toMatch(hint);
  });
});
