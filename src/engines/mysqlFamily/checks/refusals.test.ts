import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preflightOf, restoreDump, startRestore, takeDump } from '../../../../test/fixtures/dumpAndRestore.js';
import { anySession } from '../../../../test/fixtures/mariadbSession.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { makeCertificates } from '../../../../test/fixtures/servers/certificates.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import { startScriptedServer, type ServerScript } from '../../../../test/fixtures/servers/scriptedServer.js';
import { Secret } from '../../../secret.js';
import type { EngineContext } from '../../engineContext.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';
import { databasesPart } from './preflight.js';
import { openSession } from '../session/session.js';

describeWith({ mariadb: mariadbMissing }, 'The hints for refusals of a server:', () => {
  const engine = createMariadbEngine();
  let folder: string;
  let server: MariadbServer;
  const context = (): EngineContext => ({ workFolder: folder, signal: new AbortController().signal });
  const session = () => ({ ...anySession(), signal: new AbortController().signal });
  const refusal = async (connection: ServiceConnection) => {
    const steps = await engine.check(connection, { ...context(), timeoutMs: 60_000 });
    return steps.find(({ status }) => status === 'FAILED');
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-refusals-'));
    const { certificateFile, keyFile } = await makeCertificates(folder, 'localhost');
    server = await startMariadb([
      `--ssl-cert=${certificateFile}`,
      `--ssl-key=${keyFile}`,
      '--max-connections=10',
      '--max-user-connections=1000',
    ]);
    await server.sql(`CREATE USER few IDENTIFIED BY 'a secret' WITH MAX_USER_CONNECTIONS 1;
      CREATE USER many IDENTIFIED BY 'a secret'; GRANT ALL ON *.* TO few; GRANT SELECT ON *.* TO many;`);
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('the error for a certificate of another host suggests the name of the host', async () => {
    const other = await makeCertificates(await mkdtemp(join(folder, 'other-')), 'db.example.org');
    await copyFile(other.certificateFile, join(folder, 'server.pem'));
    await copyFile(other.keyFile, join(folder, 'server.key'));
    await server.sql('FLUSH SSL');
    const failed = await refusal(server.connection({ host: 'localhost', tls: { mode: 'VERIFY', ca: other.ca } }));
    expect(failed).toMatchObject({
      code: 'SERVICE_UNREACHABLE',
      hint: expect.stringMatching(/^Use the host name that the certificate/),
    });
  });

  test('the error of a server without a free connection suggests max_connections', async () => {
    const sockets: Socket[] = [];
    try {
      // The server keeps one more connection for an account with SUPER.
      for (let count = 0; count < 12; count += 1) {
        const socket = connect(server.port, '127.0.0.1');
        sockets.push(socket);
        await once(socket, 'data');
      }
      expect(await refusal(server.connection())).toMatchObject({
        code: 'SERVICE_UNREACHABLE',
        hint: expect.stringMatching(/^Raise max_connections/),
      });
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });

  test.each([
    ['few', ''],
    ['many', 'SET GLOBAL max_user_connections = 1'],
  ])(
    'the error of an account (%s) without a free connection suggests the limit of the account',
    async (username, setting) => {
      const connection = server.connection({ username, password: new Secret('a secret') });
      const first = await openSession(connection, session());
      try {
        if (setting !== '') await server.sql(setting);
        expect(await refusal(connection)).toMatchObject({
          code: 'SERVICE_UNREACHABLE',
          hint: expect.stringMatching(/^The database user has reached its own limit/),
        });
      } finally {
        first.close();
        await server.sql('SET GLOBAL max_user_connections = 1000');
      }
    },
  );

  test.each<[string, ServerScript, string, RegExp]>([
    [
      'a blocked host',
      { refuses: { number: 1129, text: "Host '10.0.0.1' is blocked because of many connection errors" } },
      'SERVICE_UNREACHABLE',
      /^Run on the server: FLUSH HOSTS/,
    ],
    [
      'a host that may not log in',
      { refuses: { number: 1130, text: "Host '10.0.0.1' is not allowed to connect to this MariaDB server" } },
      'SERVICE_AUTH',
      /create the user for it/,
    ],
    ['MariaDB 10.1', { version: '5.5.5-10.1.48-MariaDB' }, 'TOOL_VERSION', /^Upgrade the server to MariaDB 10\.2/],
    ['MySQL', { version: '8.0.36' }, 'TOOL_VERSION', /needs a MariaDB server/],
  ])('the error for %s suggests what to do next', async (_what, script, code, hint) => {
    const { port, stop } = await startScriptedServer(script);
    try {
      expect(await refusal(server.connection({ port }))).toMatchObject({ code, hint: expect.stringMatching(hint) });
    } finally {
      stop();
    }
  });

  test('the error for a statement that is too long for the target suggests its max_allowed_packet', async () => {
    await server.sql(
      "CREATE DATABASE wide; CREATE TABLE wide.t (b LONGTEXT); INSERT INTO wide.t VALUES (REPEAT('x', 3000000))",
    );
    const connection = server.connection({ databases: ['wide'] });
    const { report, compressed, failure } = await takeDump(engine, connection, context());
    expect(failure).toBeNull();
    await server.sql('DROP DATABASE wide; SET GLOBAL max_allowed_packet = 1048576');
    try {
      const source = { restoreId: 'a restore', inventory: report.inventory };
      // Skips the earlier check, as if the setting had changed in between.
      const restore = await startRestore(engine, connection, databasesPart, source, context());
      restore.stored.on('error', () => undefined);
      restore.stored.end(compressed);
      expect((await restore.ended).failure).toMatchObject({
        help: expect.stringMatching(/^Raise max_allowed_packet on the target/),
      });
    } finally {
      await server.sql('SET GLOBAL max_allowed_packet = DEFAULT; DROP DATABASE IF EXISTS wide');
    }
  });

  test('a restore refuses a target that encrypts Aria tables without a key', async () => {
    await server.sql('CREATE DATABASE crypt; CREATE TABLE crypt.t (a INT) ENGINE=Aria');
    const connection = server.connection({ databases: ['crypt'] });
    const { inventory } = await preflightOf(engine, connection, context());
    await server.sql('DROP DATABASE crypt; SET GLOBAL aria_encrypt_tables = 1');
    try {
      await expect(engine.restorePreflight(connection, { inventory }, context())).rejects.toMatchObject({
        code: 'SERVICE_SETTING',
        message: expect.stringContaining('aria_encrypt_tables is ON'),
        help: expect.stringContaining('SET GLOBAL aria_encrypt_tables = OFF;'),
      });
    } finally {
      await server.sql('SET GLOBAL aria_encrypt_tables = 0');
    }
    await engine.restorePreflight(connection, { inventory }, context());
  });

  test('a restore brings back times in a target that stores them in the format of MariaDB 5.3', async () => {
    await server.sql(`CREATE DATABASE times; CREATE TABLE times.t (d DATETIME(3), t TIMESTAMP(6) NULL, m TIME(2));
      INSERT INTO times.t VALUES ('2020-01-01 00:00:01.123', '2020-01-01 00:00:01.000001', '-800:00:01.12'), (NULL, NULL, NULL);`);
    const connection = server.connection({ databases: ['times'] });
    const rows = () => server.sql('SELECT * FROM times.t');
    const before = await rows();
    const taken = await takeDump(engine, connection, context());
    await server.sql('DROP DATABASE times; SET GLOBAL mysql56_temporal_format = 0');
    try {
      const { databases } = await restoreDump(engine, connection, taken, context());
      expect(await server.sql('SHOW CREATE TABLE times.t')).toContain('mariadb-5.3');
      expect(await rows()).toBe(before);
      const [source] = taken.report.inventory.databases;
      expect(databases[0]?.tables[0]?.definition).toEqual(source?.tables[0]?.definition);
      expect(source?.tables[0]?.definition).toBeDefined();
    } finally {
      await server.sql('SET GLOBAL mysql56_temporal_format = 1');
    }
  });
});
