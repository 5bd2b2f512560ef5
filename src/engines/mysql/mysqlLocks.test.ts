import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createConnection, type Connection } from 'mysql2/promise';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesOf, startDump, startRestore } from '../../../test/fixtures/dumpAndRestore.js';
import { childrenNamed } from '../../../test/fixtures/processes/childProcesses.js';
import { socketBufferBytes } from '../../../test/fixtures/processes/socketBuffers.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mysqlHome, mysqlMissing, startMysql, type MysqlServer } from '../../../test/fixtures/servers/mysql.js';
import { until } from '../../../test/fixtures/until.js';
import { StowageError } from '../../errors.js';
import { Secret } from '../../secret.js';
import type { DumpContext, RunningDump } from '../runningDump.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { createMysqlEngine } from './mysqlEngine.js';

const patienceMs = 300;
/** Each row has 1 KiB. See toolLocks.test.ts. */
const largeRows = Math.ceil((1.5 * (await socketBufferBytes())) / 1_024);

describeWith({ mysql: mysqlMissing }, 'A dump of MySQL during the work of an application', () => {
  const engine = createMysqlEngine({ tools: { folders: [join(mysqlHome, 'bin')] } });
  const apps: Connection[] = [];
  const dumps: { readonly running: RunningDump; readonly abort: AbortController }[] = [];
  let server: MysqlServer;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-locks-'));
    server = await startMysql();
    const text = Array.from({ length: 8 }, () => 'SHA2(RAND(), 512)').join(', ');
    await server.sql(`CREATE DATABASE shop; CREATE DATABASE depot; USE shop; SET cte_max_recursion_depth = 10000000;
      CREATE TABLE large (id INT PRIMARY KEY, v TEXT);
      INSERT INTO large WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${largeRows})
        SELECT i, CONCAT(${text}) FROM n;
      CREATE TABLE small (a INT); CREATE TABLE depot.large (a INT); CREATE TABLE depot.small (a INT); INSERT INTO depot.small VALUES (1);
      CREATE USER app IDENTIFIED WITH mysql_native_password BY 'app'; GRANT ALL ON *.* TO app;
      CREATE USER reader IDENTIFIED BY 'r'; GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, SHOW_ROUTINE ON *.* TO reader;
      CREATE USER blind IDENTIFIED BY 'b'; GRANT SHOW_ROUTINE ON *.* TO blind; GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON depot.* TO blind;`);
  });
  afterEach(async () => {
    for (const { running, abort } of dumps.splice(0)) {
      abort.abort();
      running.stored.destroy();
      await running.ended;
    }
    await Promise.all(apps.splice(0).map((app) => app.end().catch(() => undefined)));
    expect(childrenNamed('mysqldump', 'zstd', 'perl')).toEqual([]);
  });
  afterAll(async () => {
    await server.stop();
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function application(): Promise<Connection> {
    const app = await createConnection({ host: '127.0.0.1', port: server.port, user: 'app', password: 'app' });
    apps.push(app);
    return app;
  }
  /** A dump whose bytes are not read, so that the large table of its database stays in use. */
  async function dump(
    database: string,
    limits: Pick<DumpContext, 'lockPatienceMs' | 'lockWaitMs'>,
    connection: ServiceConnection = server.connection(),
    beforeItStarts: () => Promise<unknown> = () => Promise.resolve(),
  ) {
    const of = { ...connection, databases: [database] };
    const workFolder = await mkdtemp(join(folder, 'work-'));
    const abort = new AbortController();
    const { report, ...running } = await startDump(
      engine,
      of,
      { workFolder, signal: abort.signal, ...limits },
      beforeItStarts,
    );
    dumps.push({ running, abort });
    const readAll = async () => {
      for await (const _ of running.stored);
    };
    return { ...running, warnings: report.warnings, readAll };
  }
  const count = async (condition: string) =>
    (await server.sql(`SELECT COUNT(*) FROM information_schema.processlist WHERE ${condition}`)).trim();
  const reading = (database: string) =>
    until(
      async () =>
        (await count(`db = '${database}' AND info LIKE 'SELECT /*!40001%large%' AND state = 'Sending to client'`)) !==
        '0',
      `the large table of ${database} is being dumped`,
    );
  /** Longer than the patience of the watch. */
  const waitsLong = (connectionId: number) =>
    until(
      async () => (await count(`id = ${connectionId} AND state LIKE 'Waiting for%' AND time >= 2`)) === '1',
      `connection ${connectionId} waits`,
    );
  async function failureOf(running: RunningDump): Promise<StowageError> {
    const { failure } = await running.ended;
    running.stored.destroy();
    if (failure instanceof StowageError) return failure;
    throw new Error(`The dump did not fail as expected: ${String(failure)}`);
  }

  test.each([
    ['ALTER TABLE', "ALTER TABLE large ADD COLUMN added VARCHAR(40) DEFAULT 'a customer''s value'"],
    ['CREATE INDEX', 'CREATE INDEX i ON large (v(10))'],
    ['OPTIMIZE TABLE', 'OPTIMIZE TABLE large'],
    ['LOCK TABLES', 'LOCK TABLES small READ, large WRITE'],
    ['CREATE TRIGGER', 'CREATE TRIGGER t BEFORE INSERT ON large FOR EACH ROW SET NEW.id = NEW.id'],
    ['RENAME TABLE', 'RENAME TABLE large TO larger, larger TO large'],
  ])('ends so that %s can run', async (kind, statement) => {
    const running = await dump('shop', { lockPatienceMs: patienceMs });
    await reading('shop');
    const app = await application();
    await app.query('USE shop');
    // The dump ends although its bytes are not read.
    await app.query(statement);
    await app.query('UNLOCK TABLES');
    const failure = await failureOf(running);
    expect(failure).toMatchObject({
      code: 'SERVICE_BUSY',
      retriable: true,
      help: expect.stringContaining('yieldToLocks'),
      details: { blocked: { connectionId: String(app.threadId), user: 'app' }, statement: kind },
    });
    expect(failure.message).toMatch(
      new RegExp(`user 'app' at \\S+:\\d+ \\(connection ${app.threadId}\\) waited .* 'shop.large'.* to run ${kind}`),
    );
    expect(JSON.stringify([failure.message, failure.details, failure.toolOutput ?? ''])).not.toContain('customer');
  });

  test('does not end if the plan lets others wait: the statement waits until the table is dumped', async () => {
    const running = await dump('shop', { lockPatienceMs: null, lockWaitMs: 60_000 });
    await reading('shop');
    const app = await application();
    const altered = app.query('ALTER TABLE shop.large COMMENT = "later"');
    await waitsLong(app.threadId);
    await running.readAll();
    expect(await running.ended).toMatchObject({ failure: null });
    await altered;
  });

  test('does not end if sessions wait for another session', async () => {
    const running = await dump('shop', { lockPatienceMs: patienceMs });
    await reading('shop');
    const [holder, waiter, reader] = [await application(), await application(), await application()];
    await holder.query('LOCK TABLES depot.large WRITE, depot.small WRITE');
    const waits = [
      waiter.query('ALTER TABLE depot.large COMMENT = "other"'),
      reader.query('SELECT depot.small.a FROM depot.small, shop.small'),
    ];
    await waitsLong(waiter.threadId);
    await waitsLong(reader.threadId);
    await running.readAll();
    expect(await running.ended).toMatchObject({ failure: null, warnings: [] });
    await holder.query('UNLOCK TABLES');
    await Promise.all(waits);
  });

  test('continues if the account may not see who waits, and the warning names the missing privilege', async () => {
    const reader = server.connection({ username: 'reader', password: new Secret('r') });
    const running = await dump('shop', { lockPatienceMs: patienceMs }, reader);
    expect(running.warnings).toContainEqual(expect.stringMatching(/GRANT PROCESS ON \*\.\* TO 'reader'@'%';/));
    await reading('shop');
    const app = await application();
    const altered = app.query('ALTER TABLE shop.large COMMENT = "unseen"');
    await waitsLong(app.threadId);
    await running.readAll();
    expect(await running.ended).toMatchObject({ failure: null });
    await altered;
  });

  test('names the session that holds a lock for which it waits, or the GRANT that shows it', async () => {
    const holder = await application();
    const locking = () => holder.query('LOCK TABLES depot.small WRITE');
    const as = (username: string, password: string) => server.connection({ username, password: new Secret(password) });
    for (const [connection, who] of [
      [
        server.connection(),
        `user 'app' at \\S+ \\(connection ${holder.threadId}\\) holds it \\(LOCK TABLES … WRITE\\)`,
      ],
      [as('reader', 'r'), `connection ${holder.threadId} holds it`],
      [as('blind', 'b'), 'does not show which'],
    ] as const) {
      const running = await dump('depot', { lockPatienceMs: null, lockWaitMs: 500 }, connection, locking);
      const reads = running.readAll();
      const failure = await failureOf(running);
      await reads.catch(() => undefined);
      await holder.query('UNLOCK TABLES');
      expect(failure).toMatchObject({ code: 'SERVICE_BUSY', retriable: true });
      expect(failure.message).toMatch(new RegExp(`^The dump waited .* for table 'depot.small': .*${who}`));
      if (who === 'does not show which') expect(failure.help).toMatch(/GRANT SELECT ON performance_schema\.\*/);
    }
  });

  test('is restored only while no session locks the whole server, and the error names the one that does', async () => {
    const source = server.connection({ databases: ['depot'] });
    const context = { workFolder: folder, signal: new AbortController().signal };
    const { report, part, stored, ended } = await startDump(engine, source, context);
    const bytes = await bytesOf(stored);
    await ended;
    const holder = await application();
    await holder.query('FLUSH TABLES WITH READ LOCK');
    const what = { restoreId: randomUUID(), inventory: report.inventory };
    const running = await startRestore(engine, source, part, what, { ...context, lockWaitMs: 500 });
    running.stored.on('error', () => undefined);
    running.stored.end(bytes);
    const { failure } = await running.ended;
    expect(failure).toMatchObject({
      code: 'SERVICE_BUSY',
      message: expect.stringMatching(
        new RegExp(
          `^The restore waited .*\\(connection ${holder.threadId}\\) holds it \\(FLUSH TABLES WITH READ LOCK\\)`,
        ),
      ),
      help: expect.stringMatching(/^Before restoring again, end what the message names/),
    });
  });
});
