import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { dumpAll } from '../../../test/fixtures/dumpAllParts.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb } from '../../../test/fixtures/servers/mariadb.js';
import { pgbouncerMissing, startPgbouncer } from '../../../test/fixtures/servers/pgbouncer.js';
import {
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
} from '../../../test/fixtures/servers/postgresVersions.js';
import { Secret } from '../../secret.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { createPostgresqlEngine } from './postgresqlEngine.js';

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'PostgreSQL with strange input', () => {
  const engine = createPostgresqlEngine();
  let server: PostgresServer;
  let folder: string;
  const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(60_000) });
  const dump = (overrides: Partial<ServiceConnection>) => dumpAll(engine, server.connection(overrides), context());

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-strange-'));
    server = await startPostgresServer('15');
  });
  afterAll(async () => {
    await engine.close();
    await server.stop();
    await rm(folder, { recursive: true });
  });

  test('an empty server is EMPTY_DUMP', async () => {
    await expect(dump({})).rejects.toMatchObject({ code: 'EMPTY_DUMP' });
  });

  test.each([
    ['looks like an option', '--file=/tmp/stowage-evil'],
    ['looks like a connection string', 'host=evil.example dbname=x'],
    ['looks like a URL', 'postgresql://evil.example/x'],
    ['has a quotation mark and a backslash', `it's "so" \\ strange`],
    ['has 63 bytes', 'é'.repeat(31) + 'x'],
    ['is of another normal form', 'e\u0301'],
  ])('a database whose name %s is dumped', async (_what, name) => {
    await server.sql('postgres', `CREATE DATABASE "${name.replaceAll('"', '""')}"`);
    const { inventory } = await dump({ databases: [name] });
    expect(inventory.databases.map((each) => each.name)).toEqual([name]);
  });

  test.each([
    ['does not exist', 'nothing', 'EMPTY_DUMP'],
    ['has 64 bytes', 'x'.repeat(64), 'EMPTY_DUMP'],
    ['differs in its normal form', '\u00e9', 'EMPTY_DUMP'],
  ])('a database that %s is refused before anything starts', async (_what, name, code) => {
    await expect(dump({ databases: [name] })).rejects.toMatchObject({ code, help: expect.any(String) });
  });

  test('a name with a line break is refused, because the tools cannot receive it', async () => {
    await server.sql('postgres', 'CREATE DATABASE "two\nlines"');
    await expect(dump({ databases: ['two\nlines'] })).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });

  test.each([
    ['a wrong password', { password: new Secret('wrong') }, 'SERVICE_AUTH'],
    ['an unknown user', { username: 'host=evil' }, 'SERVICE_AUTH'],
    ['TLS that the server does not offer', { tls: { mode: 'REQUIRE', ca: null } }, 'SERVICE_UNREACHABLE'],
  ] as const)('%s is reported', async (_what, overrides, code) => {
    await expect(dump(overrides)).rejects.toMatchObject({ code, help: expect.any(String) });
  });

  test('a server that asks for the password in the clear gets none', async () => {
    await server.sql('postgres', "CREATE ROLE clear LOGIN PASSWORD 'secret'");
    const file = (await server.sql('postgres', 'SHOW hba_file')).trim();
    await server.sql(
      'postgres',
      `CREATE TABLE hba (line text); INSERT INTO hba VALUES ('host all clear 127.0.0.1/32 password'), ('host all all 127.0.0.1/32 scram-sha-256');
       COPY hba TO '${file}'; DROP TABLE hba; SELECT pg_reload_conf()`,
    );
    const refused = dump({ username: 'clear', password: new Secret('secret') });
    await expect(refused).rejects.toMatchObject({
      code: 'SERVICE_AUTH',
      message: expect.stringContaining('in the clear'),
    });
  });

  describeWith({ mariadb: mariadbMissing }, 'a MariaDB behind the port', () => {
    test('is named with its version', async () => {
      const mariadb = await startMariadb();
      const refused = dump({ port: mariadb.port });
      await expect(refused).rejects.toMatchObject({
        code: 'TOOL_VERSION',
        message: expect.stringMatching(/is a MariaDB 10\.\d+\.\d+, not a PostgreSQL\./),
      });
      await mariadb.stop();
    });
  });

  describe.each(['transaction', 'session'] as const)('a pooler in %s mode', (mode) => {
    describeWith({ 'postgresql-versions': pgbouncerMissing }, 'PgBouncer', () => {
      test(mode === 'transaction' ? 'is refused' : 'is accepted', async () => {
        await server.sql('postgres', `CREATE DATABASE through_${mode}`);
        const pooler = await startPgbouncer(server, mode);
        const dumped = dump({ port: pooler.port, databases: [`through_${mode}`] });
        if (mode === 'session') await dumped;
        else {
          await expect(dumped).rejects.toMatchObject({
            code: 'SERVICE_SETTING',
            message: expect.stringContaining('is a pooler in transaction mode'),
          });
        }
        await pooler.stop();
      });
    });
  });
});
