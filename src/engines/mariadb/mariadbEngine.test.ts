import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { preflightOf, startDump, startRestore } from '../../../test/fixtures/dumpAndRestore.js';
import { makeCertificates, type Certificates } from '../../../test/fixtures/servers/certificates.js';
import { runTool } from '../../../test/fixtures/processes/runTool.js';
import { childrenNamed } from '../../../test/fixtures/processes/childProcesses.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import type { CheckStep } from '../../check.js';
import { Secret } from '../../secret.js';
import type { Engine } from '../engine.js';
import type { EngineContext } from '../engineContext.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { mariadbDialect } from './mariadbDialect.js';
import { createMariadbEngine } from './mariadbEngine.js';
import { createToolFiles } from '../process/toolFiles.js';
import { addOptionFile } from '../mysqlFamily/tools/optionFile.js';
import { databasesPart } from '../mysqlFamily/checks/preflight.js';

describeWith({ mariadb: mariadbMissing }, 'The MariaDB engine', () => {
  const tool = { program: '/usr/bin/mariadb', dialect: mariadbDialect };
  const engine = createMariadbEngine();
  let server: MariadbServer;
  let secured: MariadbServer;
  let certificates: Certificates;
  let folder: string;
  const context = (): EngineContext => ({ workFolder: folder, signal: new AbortController().signal });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-engine-'));
    certificates = await makeCertificates(folder, 'localhost');
    [server, secured] = await Promise.all([
      startMariadb(),
      startMariadb([`--ssl-cert=${certificates.certificateFile}`, `--ssl-key=${certificates.keyFile}`]),
    ]);
    for (const one of [server, secured]) await one.sql('CREATE DATABASE shop; CREATE TABLE shop.t (a INT);');
  });

  afterEach(() => expect(childrenNamed('mariadb', 'mariadb-dump', 'zstd', 'perl')).toEqual([]));
  afterAll(async () => {
    await Promise.all([server.stop(), secured.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  const check = (connection: ServiceConnection, by: Engine = engine) =>
    by.check(connection, { signal: new AbortController().signal, timeoutMs: 60_000 });

  function failing(steps: readonly CheckStep[]): Partial<CheckStep> | undefined {
    return steps.find(({ status }) => status === 'FAILED');
  }

  test('passes every step of the check if nothing is wrong', async () => {
    const steps = await check(server.connection());
    expect(steps.map(({ name, status }) => `${name} ${status}`)).toEqual(
      ['RESOLVE', 'CONNECT', 'AUTHENTICATE', 'TOOL', 'PRIVILEGES', 'SETTINGS'].map((name) => `${name} OK`),
    );
  });

  test('passes the check of a server without databases if the user may create some, because it may be a target of restores', async () => {
    const empty = await startMariadb();
    try {
      const steps = await check(empty.connection());
      expect(failing(steps)).toBeUndefined();
      expect(steps.at(-2)).toMatchObject({
        name: 'PRIVILEGES',
        message: expect.stringMatching(/only the databases of the system/),
      });
      await empty.sql("CREATE USER reader IDENTIFIED BY 'r';");
      const reader = empty.connection({ username: 'reader', password: new Secret('r') });
      expect(failing(await check(reader))).toMatchObject({ name: 'PRIVILEGES', code: 'EMPTY_DUMP' });
    } finally {
      await empty.stop();
    }
  });

  test.each<[string, string, string, RegExp, () => ServiceConnection]>([
    [
      'an unknown host',
      'RESOLVE',
      'SERVICE_UNREACHABLE',
      /cannot be resolved/,
      () => server.connection({ host: 'no.such.host.invalid' }),
    ],
    [
      'a host that looks like an option',
      'RESOLVE',
      'SERVICE_UNREACHABLE',
      /cannot be resolved/,
      () => server.connection({ host: '--defaults-file=x' }),
    ],
    [
      'a port where nothing listens',
      'CONNECT',
      'SERVICE_UNREACHABLE',
      /Nothing listens/,
      () => server.connection({ port: 1 }),
    ],
    [
      'a wrong password',
      'AUTHENTICATE',
      'SERVICE_AUTH',
      /refused the login/,
      () => server.connection({ password: new Secret('x') }),
    ],
    [
      'a server without TLS where it is required',
      'AUTHENTICATE',
      'SERVICE_UNREACHABLE',
      /does not offer TLS/,
      () => server.connection({ tls: { mode: 'REQUIRE', ca: null } }),
    ],
    [
      'a certificate of an unknown CA',
      'AUTHENTICATE',
      'SERVICE_UNREACHABLE',
      /certificate/,
      () => secured.connection({ host: 'localhost', tls: { mode: 'VERIFY', ca: null } }),
    ],
    [
      'an address instead of the host name that a certificate is for',
      'AUTHENTICATE',
      'SERVICE_UNREACHABLE',
      /host name/,
      () => secured.connection({ tls: { mode: 'VERIFY', ca: certificates.ca } }),
    ],
    [
      'a database that is not there',
      'PRIVILEGES',
      'EMPTY_DUMP',
      /'shoop'/,
      () => server.connection({ databases: ['shoop'] }),
    ],
    [
      'a database of the system',
      'PRIVILEGES',
      'BAD_INPUT',
      /'mysql'/,
      () => server.connection({ databases: ['mysql'] }),
    ],
  ])('reports %s in the check', async (_what, name, code, message, connection) => {
    const failed = failing(await check(connection()));
    expect(failed).toMatchObject({ name, code, message: expect.stringMatching(message) });
    expect(failed?.hint).toBeTruthy();
  });

  test('connects only to allowed addresses, for any name of the host', async () => {
    const connected: string[] = [];
    const careful = createMariadbEngine({
      allowAddress: (address, host) => {
        connected.push(`${host} ${address}`);
        return false;
      },
    });
    const connection = server.connection({ host: 'localhost' });
    expect(failing(await check(connection, careful))).toMatchObject({ name: 'RESOLVE', code: 'SERVICE_UNREACHABLE' });
    await expect(preflightOf(careful, connection, context())).rejects.toMatchObject({ retriable: false });
    expect(connected[0]).toMatch(/^localhost (127\.0\.0\.1|::1)$/);
  });

  test.each<ServiceConnection['tls']['mode']>(['REQUIRE', 'VERIFY'])('dumps over TLS (%s)', async (mode) => {
    const tls = { mode, ca: mode === 'VERIFY' ? certificates.ca : null };
    await secured.sql(`ALTER USER '${secured.username}'@'%' REQUIRE SSL`);
    const connection = secured.connection({ host: 'localhost', tls });
    const dump = await startDump(engine, connection, context());
    await buffer(dump.stored);
    expect(await dump.ended).toMatchObject({ failure: null });
  });

  test.each([
    'plain',
    '"',
    "'",
    '"quoted"',
    "'quoted'",
    'a#b ;c',
    '#',
    '\\',
    '\\n\\t\\\\',
    'ends with \\',
    ' spaces ',
    '=',
    '[client]',
    '!include /etc/passwd',
    'päßwörd 🐬',
  ])('passes the password %j to the tool unchanged', async (password) => {
    const quoted = `'${password.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
    await server.sql(`CREATE OR REPLACE USER odd@'%' IDENTIFIED BY ${quoted}`);
    const connection = server.connection({ username: 'odd', password: new Secret(password) });
    const files = createToolFiles(folder);
    const file = await addOptionFile(connection, { address: '127.0.0.1' }, files, tool);
    const args = [`--defaults-file=${file}`, '-Ne', 'SELECT CURRENT_USER()'];
    const { stdout } = await runTool('/usr/bin/mariadb', args, { files });
    expect(stdout).toBe('odd@%\n');
  });

  test('refuses a password with a line break, without repeating it', async () => {
    const connection = server.connection({ password: new Secret('one\nskip-ssl') });
    const refusal = addOptionFile(connection, { address: '127.0.0.1' }, createToolFiles(folder), tool);
    await expect(refusal).rejects.toMatchObject({ code: 'BAD_INPUT', message: expect.not.stringContaining('one') });
  });

  test('warns of the objects that a dump does not contain, and names them', async () => {
    await server.sql(`CREATE DATABASE lossy; USE lossy;
      CREATE TABLE m (f FLOAT, short FLOAT) ENGINE=MyISAM; INSERT INTO m VALUES (16777216, 1.1), (0, -1.17549e-38), (1, 0.5), (2, 3.40282e38), (3, 123456);
      CREATE TABLE c (t TEXT CHARACTER SET cp932, d DOUBLE, e ENUM('a',''), kept ENUM('a',''), no ENUM('a'));
      INSERT IGNORE INTO c (e, kept, no) VALUES ('x', '', 'x'), (NULL, 'a', NULL);
      CREATE TABLE precise (a INT, s BIGINT UNSIGNED GENERATED ALWAYS AS ROW START, e BIGINT UNSIGNED GENERATED ALWAYS AS ROW END,
        PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING;
      CREATE TABLE timed (a INT) WITH SYSTEM VERSIONING;
      SET sql_mode = '';
      CREATE TABLE equals (e ENUM('a','A','b'), first ENUM('a','A'), s SET('x','y','X') CHARACTER SET utf8mb3, sw ENUM('\\\\','ä') CHARACTER SET latin1, bin ENUM('a','A') COLLATE latin1_bin, fine SET('ä','ö'), uca ENUM('ä','ö') CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci);
      INSERT INTO equals VALUES (2, 1, 5, 2, 2, 3, 1), (3, 1, 1, 1, 1, 1, 1);
      CREATE VIEW out_of_it AS SELECT * FROM shop.t;
      CREATE DEFINER=nobody@nowhere PROCEDURE p() SELECT 1;
      CREATE ROLE lost_role; CREATE DEFINER=lost_role PROCEDURE by_role() SELECT 1; CREATE DEFINER=lost_role VIEW of_role AS SELECT 1 AS a;
      DROP ROLE lost_role;
      CREATE TABLE many (e ENUM(${Array.from({ length: 1001 }, (_, n) => `'é${n}'`).join()}));`);
    const connection = server.connection({ databases: ['lossy'] });
    const report = await preflightOf(engine, connection, context());
    for (const named of [
      /Users and their grants/,
      /a snapshot does not cover.*lossy\.m\b/,
      /^FLOAT.*: lossy\.m\.f\.$/,
      /^Invalid values.*: lossy\.c\.e\.$/,
      /equal in the collation.*: lossy\.equals\.e, lossy\.equals\.s, lossy\.equals\.sw\.$/,
      /history.*lossy\.precise\b/,
      /history.*: lossy\.timed\.$/,
      /read databases that are not.*lossy\.out_of_it/,
      /^Definers.*: lost_role, nobody@nowhere\.$/,
      /^These FLOAT, ENUM and SET columns were not searched.*: lossy\.many\.e \(more than 1000 members\)\.$/,
    ]) {
      expect(report.warnings).toContainEqual(expect.stringMatching(named));
    }
    expect(report.warnings.join()).not.toMatch(/lossy\.c\.t\b/);
    expect(report.warnings.join()).not.toMatch(/no time/);
    const dump = await startDump(engine, connection, context());
    await buffer(dump.stored);
    expect(await dump.ended).toMatchObject({ failure: null });
  });

  /** A database whose first table, `a`, is larger than all buffers on the way to the reader. `z` is the last table. */
  const changing = () =>
    server.sql(`CREATE OR REPLACE DATABASE changing; USE changing;
      CREATE TABLE a (id INT PRIMARY KEY, b MEDIUMBLOB); CREATE TABLE z (id INT PRIMARY KEY); INSERT INTO z VALUES (1);
      INSERT INTO a SELECT seq, CONCAT(${Array.from({ length: 16 }, () => 'RANDOM_BYTES(1024)').join()}) FROM seq_1_to_2000;`);

  test.each([
    ['dropped', 'DROP TABLE changing.z', '1146'],
    ['altered', 'ALTER TABLE changing.z FORCE', '1412'],
  ])('reports that a table was %s in the middle of a dump, and the dump is retried', async (_how, change, number) => {
    await changing();
    const connection = server.connection({ databases: ['changing'] });
    const dump = await startDump(engine, connection, context());
    const chunks = dump.stored[Symbol.asyncIterator]();
    await chunks.next();
    await server.sql(change);
    while ((await chunks.next()).done !== true);
    expect((await dump.ended).failure).toMatchObject({
      ...{ code: 'TOOL_FAILED', retriable: true, toolOutput: expect.stringContaining(number) },
      message: expect.stringMatching(/^A table was dropped or altered while it was dumped: .*`?z`?/),
      help: expect.stringMatching(/^The backup is tried again\. .* in a database that the service does not name\.$/),
    });
  });

  test('compares definitions also if the account may have only one connection', async () => {
    await server.sql(
      "CREATE USER one@'%' IDENTIFIED BY 'pw' WITH MAX_USER_CONNECTIONS 1; GRANT ALL ON *.* TO one@'%';",
    );
    const one = server.connection({ username: 'one', password: new Secret('pw'), databases: ['shop'] });
    const [shop] = (await engine.inventory(one, context())).databases;
    expect(shop?.tables).toMatchObject([
      { name: 't', rows: 0, rowsEstimated: false, definition: { parts: { 'column a': 'int(11) DEFAULT NULL' } } },
    ]);
  });

  test('ends the sessions that a killed restore left running on the server', async () => {
    const target = server.connection();
    const restore = await startRestore(
      engine,
      target,
      databasesPart,
      { restoreId: 'killed', inventory: withShop },
      context(),
    );
    const endless = spawnSync('zstd', ['-c'], { input: "SELECT SLEEP(300) AS 'a restore';\nSELECT 1;\n" }).stdout;
    restore.stored.end(endless);
    const running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(300)%'";
    await until(async () => (await server.sql(running)) === '1\n');
    await expect(engine.restorePreflight(target, { inventory: withShop }, context())).rejects.toMatchObject({
      message: expect.stringContaining("Another restore is creating the database 'elsewhere'"),
    });
    process.kill(childrenNamed('mariadb')[0]!.pid, 'SIGKILL');
    expect((await restore.ended).failure).toMatchObject({ code: 'TOOL_FAILED' });
    expect(await server.sql(running)).toBe('1\n');

    expect(await engine.endOurSessions(target, 'another restore', context())).toBe(true);
    expect(await server.sql(running)).toBe('1\n');
    expect(await engine.endOurSessions(target, 'killed', context())).toBe(true);
    expect(await server.sql(running)).toBe('0\n');
    expect(await engine.endOurSessions(target, 'killed', context())).toBe(true);
  });

  test('reports a restore that did nothing as a failure', async () => {
    const restore = await startRestore(
      engine,
      server.connection(),
      databasesPart,
      { restoreId: 'none', inventory: nothing },
      context(),
    );
    restore.stored.end(spawnSync('zstd', ['-c'], { input: '' }).stdout);
    expect((await restore.ended).failure).toMatchObject({ message: expect.stringContaining('did nothing') });
  });
});

const nothing = { serverVersion: '10.11.0', toolVersion: '', sizeBytes: 0, databases: [] };
const withShop = { ...nothing, databases: [{ name: 'elsewhere', tables: [], objects: {}, properties: {} }] };

/** Checks repeatedly until the condition is true, for at most 10 s. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 120_000; !(await isSo());) {
    if (performance.now() > end) throw new Error('The condition was not true within 2 minutes.');
  }
}
