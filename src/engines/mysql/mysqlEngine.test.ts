import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { preflightOf, startDump } from '../../../test/fixtures/dumpAndRestore.js';
import { childrenNamed } from '../../../test/fixtures/processes/childProcesses.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { mysqlHome, mysqlMissing, startMysql, type MysqlServer } from '../../../test/fixtures/servers/mysql.js';
import type { CheckStep } from '../../check.js';
import { Secret } from '../../secret.js';
import type { Engine } from '../engine.js';
import { createMariadbEngine } from '../mariadb/mariadbEngine.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { createMysqlEngine } from './mysqlEngine.js';
import { findMysqlTools } from './mysqlTools.js';

describeWith({ mysql: mysqlMissing, mariadb: mariadbMissing }, 'The MySQL engine', () => {
  const tools = { folders: [join(mysqlHome, 'bin')] };
  const engine = createMysqlEngine({ tools });
  let server: MysqlServer;
  let mariadb: MariadbServer;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-mysql-engine-'));
    [server, mariadb] = await Promise.all([startMysql(), startMariadb()]);
    await server.sql('CREATE DATABASE shop; CREATE TABLE shop.t (a INT); INSERT INTO shop.t VALUES (1);');
  });
  afterEach(() => expect(childrenNamed('mysql', 'mysqldump', 'zstd', 'perl')).toEqual([]));
  afterAll(async () => {
    await Promise.all([server.stop(), mariadb.stop()]);
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  });

  const context = () => ({ workFolder: folder, signal: new AbortController().signal });
  const failing = async (
    connection: ServiceConnection,
    by: Engine = engine,
  ): Promise<Partial<CheckStep> | undefined> => {
    const steps = await by.check(connection, { ...context(), timeoutMs: 60_000 });
    return steps.find(({ status }) => status === 'FAILED');
  };

  test('refuses a MariaDB server, and names it', async () => {
    const failed = await failing(mariadb.connection());
    expect(failed).toMatchObject({
      ...{ name: 'AUTHENTICATE', code: 'TOOL_VERSION', hint: expect.stringMatching(/engine MARIADB/) },
      message: expect.stringMatching(/ is MariaDB \d+\.\d+.*, and not MySQL\.$/),
    });
    await expect(preflightOf(engine, mariadb.connection(), context())).rejects.toMatchObject({ code: 'TOOL_VERSION' });
  });

  test('is named when MariaDB’s engine finds its server', async () => {
    const failed = await failing(server.connection(), createMariadbEngine());
    expect(failed).toMatchObject({
      code: 'TOOL_VERSION',
      message: expect.stringMatching(/8\.0\.33, which is not MariaDB/),
    });
  });

  test.each([
    ['a wrong password', { password: new Secret('x') }, 'SERVICE_AUTH'],
    ['an unknown user', { username: '--host=evil' }, 'SERVICE_AUTH'],
    ['a database of the system', { databases: ['sys'] }, 'BAD_INPUT'],
    ['a database that is not there', { databases: ['host=evil'] }, 'EMPTY_DUMP'],
    ['a host that looks like an option', { host: '--defaults-file=x' }, 'SERVICE_UNREACHABLE'],
  ])('reports %s in the check', async (_what, change, code) => {
    const failed = await failing(server.connection(change));
    expect(failed).toMatchObject({ code, hint: expect.stringMatching(/./) });
  });

  test.each([
    ['caching_sha2_password', 'OFF'],
    ['caching_sha2_password', 'REQUIRE'],
    ['sha256_password', 'REQUIRE'],
    ['mysql_native_password', 'OFF'],
  ] as const)('logs in with %s and the TLS mode %s, and so does mysqldump', async (plugin, mode) => {
    // A new account is not in the cache of the server, so that the whole login runs.
    await server.sql(`DROP USER IF EXISTS odd; CREATE USER odd IDENTIFIED WITH ${plugin} BY 'a "quoted" # pass\\\\word;=';
      GRANT ALL ON *.* TO odd;`);
    const connection = server.connection({
      ...{ username: 'odd', password: new Secret('a "quoted" # pass\\word;='), databases: ['shop'] },
      tls: { mode, ca: null },
    });
    const dump = await startDump(engine, connection, context());
    await buffer(dump.stored);
    expect(await dump.ended).toMatchObject({ failure: null, tables: [{ database: 'shop', name: 't', rows: 1 }] });
  });

  test('refuses a setting of the server that would cut the dump', async () => {
    await server.sql('SET GLOBAL max_execution_time = 1000, sql_select_limit = 5');
    const failed = await failing(server.connection());
    await server.sql('SET GLOBAL max_execution_time = DEFAULT, sql_select_limit = DEFAULT');
    expect(failed).toMatchObject({ name: 'SETTINGS', code: 'SERVICE_SETTING' });
    expect(failed?.message).toMatch(/max_execution_time is 1000.*/);
    expect(failed?.message).toMatch(/sql_select_limit is 5/);
  });

  test('refuses a target that accepts no tables without a primary key', async () => {
    const { inventory } = await preflightOf(engine, server.connection({ databases: ['shop'] }), context());
    const renamed = { ...inventory, databases: inventory.databases.map((each) => ({ ...each, name: 'other' })) };
    await server.sql('SET GLOBAL sql_require_primary_key = ON');
    const preflight = engine.restorePreflight(server.connection(), { inventory: renamed }, context());
    await expect(preflight).rejects.toMatchObject({
      code: 'TARGET_UNFIT',
      help: expect.stringMatching(/sql_require_primary_key/),
    });
    await server.sql('SET GLOBAL sql_require_primary_key = OFF');
  });

  test('ignores MariaDB’s tools of the same names, and tools that are older than the server', async () => {
    await expect(findMysqlTools({ folders: [] })).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      help: expect.stringMatching(/mysql-community-client/),
    });
    expect(await findMysqlTools(tools, '8.0.36')).toMatchObject({ dump: join(mysqlHome, 'bin', 'mysqldump') });
    await expect(findMysqlTools(tools, '8.4.0')).rejects.toMatchObject({
      ...{ code: 'TOOL_VERSION', message: expect.stringMatching(/8\.4\.0.*8\.0\.33/) },
    });
  });
});
