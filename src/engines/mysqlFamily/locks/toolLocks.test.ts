import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createConnection, type Connection } from 'mysql2/promise';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDump, startRestore } from '../../../../test/fixtures/dumpAndRestore.js';
import { anySession } from '../../../../test/fixtures/mariadbSession.js';
import { childrenNamed } from '../../../../test/fixtures/processes/childProcesses.js';
import { socketBufferBytes } from '../../../../test/fixtures/processes/socketBuffers.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import {
  mariadbHome,
  mariadbVersions,
  mariadbVersionsMissing,
} from '../../../../test/fixtures/servers/mariadbVersions.js';
import { until } from '../../../../test/fixtures/until.js';
import { StowageError } from '../../../errors.js';
import { Secret } from '../../../secret.js';
import type { DumpContext, RunningDump } from '../../runningDump.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';
import { withPatientSession } from './ownLockWaits.js';
import { databasesPart } from '../checks/preflight.js';

const patienceMs = 300;
/** Long enough for a watch with `patienceMs` to end the tool several times. */
const longMs = 1_500;
/**
 * Each row has 1 KiB. With so many rows the server is still sending the table when all buffers on the way to the reader
 * are full.
 */
const largeRows = Math.ceil((1.5 * (await socketBufferBytes())) / 1_024);

describeWith({ mariadb: mariadbMissing }, 'A dump during the work of an application', () => {
  const engine = createMariadbEngine();
  const apps: Connection[] = [];
  const dumps: { readonly running: RunningDump; readonly abort: AbortController }[] = [];
  let server: MariadbServer;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-locks-'));
    server = await startMariadb(['--plugin-maturity=unknown']);
    await server.sql(`CREATE DATABASE shop; CREATE DATABASE depot; CREATE DATABASE files; USE shop;
      CREATE TABLE large (id INT PRIMARY KEY, v TEXT) ENGINE=InnoDB;
      INSERT INTO large SELECT seq, CONCAT(SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512),
        SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512)) FROM seq_1_to_${largeRows};
      CREATE TABLE files.large ENGINE=MyISAM AS SELECT * FROM large; CREATE TABLE depot.large AS SELECT * FROM large;
      CREATE TABLE shop.small (a INT); CREATE TABLE depot.small (a INT); INSERT INTO depot.small VALUES (1);
      CREATE USER app IDENTIFIED BY 'app'; GRANT ALL ON *.* TO app;
      CREATE USER reader IDENTIFIED BY 'r';
      GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON *.* TO reader;
      INSTALL SONAME 'metadata_lock_info';`);
  }, 120_000);

  afterEach(async () => {
    for (const { running, abort } of dumps.splice(0)) {
      abort.abort();
      running.stored.destroy();
      await running.ended;
    }
    await Promise.all(apps.splice(0).map((app) => app.end().catch(() => undefined)));
    expect(childrenNamed('mariadb-dump', 'zstd', 'perl')).toEqual([]);
  });
  afterAll(async () => {
    await server.stop();
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
  ): Promise<RunningDump & { readonly warnings: readonly string[]; readAll(): Promise<void> }> {
    const of = { ...connection, databases: [database] };
    const workFolder = await mkdtemp(join(folder, 'work-'));
    const abort = new AbortController();
    const context = { workFolder, signal: abort.signal, ...limits };
    const { report, ...running } = await startDump(engine, of, context, beforeItStarts);
    dumps.push({ running, abort });
    const readAll = async () => {
      for await (const _ of running.stored);
    };
    return { ...running, warnings: report.warnings, readAll };
  }

  const reading = (database: string) =>
    until(async () => {
      const [count] = (
        await server.sql(`SELECT COUNT(*) FROM information_schema.processlist
          WHERE db = '${database}' AND info LIKE 'SELECT /*!40001%large%' AND state = 'Writing to net'`)
      ).split('\n');
      return count !== '0';
    }, `the large table of ${database} is being dumped`);
  const waitsLong = (connectionId: number | string) =>
    until(async () => {
      const waited = await server.sql(`SELECT TIME_MS > ${longMs} FROM information_schema.processlist
        WHERE id = ${connectionId} AND state LIKE 'Waiting for%'`);
      return waited.trim() === '1';
    }, `connection ${connectionId} has waited for ${longMs} ms`);

  async function failureOf(running: RunningDump): Promise<StowageError> {
    const { failure } = await running.ended;
    running.stored.destroy();
    if (failure instanceof StowageError) return failure;
    throw new Error(`The dump did not fail as expected: ${String(failure)}`);
  }

  test.each<[string, string, string]>([
    ['shop', 'ALTER TABLE', "ALTER TABLE large ADD COLUMN added VARCHAR(40) DEFAULT 'a customer''s value'"],
    ['shop', 'CREATE INDEX', 'CREATE INDEX i ON large (v(10))'],
    ['shop', 'OPTIMIZE TABLE', 'OPTIMIZE TABLE large'],
    ['shop', 'LOCK TABLES', 'LOCK TABLES small READ, large WRITE'],
    ['shop', 'CREATE TRIGGER', 'CREATE TRIGGER t BEFORE INSERT ON large FOR EACH ROW SET NEW.id = NEW.id'],
    ['files', 'UPDATE', "UPDATE large SET v = 'a customer''s value' WHERE id = 1"],
    ['files', 'RENAME TABLE', 'RENAME TABLE large TO larger, larger TO large'],
  ])('of %s ends so that %s can run', async (database, kind, statement) => {
    const running = await dump(database, { lockPatienceMs: patienceMs });
    await reading(database);
    const app = await application();
    await app.query(`USE ${database}`);
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
      new RegExp(
        `user 'app' at \\S+:\\d+ \\(connection ${app.threadId}\\) waited .* '${database}.large'.* to run ${kind}`,
      ),
    );
    expect(JSON.stringify([failure.message, failure.details, failure.toolOutput ?? ''])).not.toContain('customer');
  });

  test('counts every session that queues behind the waiting session, and names the session that waits longest', async () => {
    const running = await dump('shop', { lockPatienceMs: 2_000 });
    await reading('shop');
    const [first, second] = [await application(), await application()];
    const altered = first.query('ALTER TABLE shop.large COMMENT = "altered"');
    await until(async () => {
      const waiting = await server.sql(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table m%'",
      );
      return waiting.trim() === '1';
    }, 'the ALTER TABLE waits');
    const read = second.query("SELECT id FROM shop.large WHERE v = 'a customer''s value'");
    await Promise.all([altered, read]);
    const failure = await failureOf(running);
    expect(failure.message).toMatch(`connection ${first.threadId}`);
    expect(failure.message).toMatch(/1 more session waits with it\.$/);
    expect(failure.message).not.toMatch(/customer/);
  });

  test('ends so that DROP DATABASE can run', async () => {
    await server.sql('CREATE DATABASE gone; CREATE TABLE gone.large AS SELECT * FROM shop.large;');
    const running = await dump('gone', { lockPatienceMs: patienceMs });
    await reading('gone');
    const app = await application();
    await app.query('DROP DATABASE gone');
    expect((await failureOf(running)).message).toMatch(/to run DROP DATABASE/);
  });

  test('does not end if the service has no limit for waiting sessions: the statement waits until the table is dumped', async () => {
    const running = await dump('shop', { lockPatienceMs: null, lockWaitMs: 60_000 });
    await reading('shop');
    const app = await application();
    const altered = app.query('ALTER TABLE shop.large COMMENT = "later"');
    await waitsLong(app.threadId);
    await running.readAll();
    expect(await running.ended).toMatchObject({ failure: null });
    await altered;
  });

  test.each([
    ['with', 'INSTALL'],
    ['without', 'UNINSTALL'],
  ])('does not end if sessions wait for another session, %s the plugin that shows the locks', async (_, install) => {
    await server.sql(`${install} SONAME 'metadata_lock_info';`).catch(() => undefined);
    const running = await dump('shop', { lockPatienceMs: patienceMs });
    await reading('shop');
    const [holder, waiter, reader] = [await application(), await application(), await application()];
    await holder.query('LOCK TABLES depot.large WRITE, depot.small WRITE');
    const waits = [
      waiter.query('ALTER TABLE depot.large COMMENT = "other"'),
      reader.query('SELECT depot.small.a FROM depot.small, shop.large'),
    ];
    await waitsLong(waiter.threadId);
    await waitsLong(reader.threadId);
    await running.readAll();
    expect(await running.ended).toMatchObject({ failure: null, warnings: [] });
    await holder.query('UNLOCK TABLES');
    await Promise.all(waits);
  });

  test('is distinguished from another dump of the same account: only the dump that blocks others ends', async () => {
    const [query, other] = [
      await dump('shop', { lockPatienceMs: patienceMs }),
      await dump('depot', { lockPatienceMs: patienceMs }),
    ];
    await Promise.all([reading('shop'), reading('depot')]);
    const app = await application();
    await app.query('ALTER TABLE shop.large COMMENT = "one"');
    expect((await failureOf(query)).details).toMatchObject({ table: { database: 'shop', table: 'large' } });
    await other.readAll();
    expect(await other.ended).toMatchObject({ failure: null });
  });

  test('ends also if the session of the watch was killed before', async () => {
    const running = await dump('shop', { lockPatienceMs: patienceMs });
    await reading('shop');
    // The watch, and for a moment other sessions of ours that do not dump.
    const sessions = async () => {
      const ids = await server.sql(
        "SELECT id FROM information_schema.processlist WHERE user = 'stowage' AND db IS NULL",
      );
      return ids.split('\n').filter((id) => id !== '');
    };
    let killed: readonly string[] = [];
    await until(async () => (killed = await sessions()).length > 0, 'the watch is logged in');
    for (const id of killed) await server.sql(`KILL ${id};`).catch(() => undefined);
    await until(async () => (await sessions()).some((id) => !killed.includes(id)), 'the watch is back');
    const app = await application();
    await app.query('ALTER TABLE shop.large COMMENT = "again"');
    expect((await failureOf(running)).code).toBe('SERVICE_BUSY');
  });

  test('continues if the account may not see who waits, and the warning names the missing privilege', async () => {
    const reader = server.connection({ username: 'reader', password: new Secret('r') });
    const running = await dump('depot', { lockPatienceMs: patienceMs }, reader);
    expect(running.warnings).toContainEqual(expect.stringMatching(/GRANT PROCESS ON \*\.\* TO 'reader'@'%';/));
    await reading('depot');
    const app = await application();
    const altered = app.query('ALTER TABLE depot.large COMMENT = "unseen"');
    await waitsLong(app.threadId);
    await running.readAll();
    expect(await running.ended).toMatchObject({ failure: null });
    await altered;
  });

  test('that waits for a lock names the session that holds it, with or without the privilege to see other sessions', async () => {
    await server.sql("INSTALL SONAME 'metadata_lock_info';").catch(() => undefined);
    const holder = await application();
    const locking = () => holder.query('LOCK TABLES depot.small WRITE');
    const reader = server.connection({ username: 'reader', password: new Secret('r') });
    for (const [connection, name] of [
      [server.connection(), `user 'app' at \\S+ \\(connection ${holder.threadId}\\)`],
      [reader, `connection ${holder.threadId}`],
    ] as const) {
      const running = await dump('depot', { lockPatienceMs: null, lockWaitMs: 500 }, connection, locking);
      const reads = running.readAll();
      const failure = await failureOf(running);
      await reads.catch(() => undefined);
      expect(failure).toMatchObject({ code: 'SERVICE_BUSY', retriable: true });
      await holder.query('UNLOCK TABLES');
      expect(failure.message).toMatch(
        new RegExp(`^The dump waited .* for table 'depot.small': ${name} holds it \\(LOCK TABLES … WRITE\\)`),
      );
    }
  });

  test('that waits for a lock explains how to show the holder if the server does not show it', async () => {
    await server.sql("UNINSTALL SONAME 'metadata_lock_info';").catch(() => undefined);
    const holder = await application();
    const locking = () => holder.query('LOCK TABLES depot.small WRITE');
    const running = await dump('depot', { lockPatienceMs: null, lockWaitMs: 500 }, server.connection(), locking);
    const reads = running.readAll();
    const failure = await failureOf(running);
    await reads.catch(() => undefined);
    expect(failure).toMatchObject({ code: 'SERVICE_BUSY', help: expect.stringContaining('metadata_lock_info') });
    expect(failure.message).toMatch(/for table 'depot\.small'/);
  });

  test.each([
    ['with', 'INSTALL'],
    ['without', 'UNINSTALL'],
  ])(
    'sends no query that waits for a lock without a limit: the error names the holder, %s the plugin',
    async (_, install) => {
      await server.sql(`${install} SONAME 'metadata_lock_info';`).catch(() => undefined);
      const holder = await application();
      await holder.query('LOCK TABLES depot.small WRITE');
      const options = { signal: new AbortController().signal, ...anySession(), lockWaitMs: 1_000 };
      const query = withPatientSession(server.connection(), options, (session) =>
        session.query('SET STATEMENT max_statement_time = 0 FOR SELECT COUNT(*) AS n FROM `depot`.`small`'),
      );
      const who = install === 'INSTALL' ? `\\(connection ${holder.threadId}\\) holds it` : 'does not show which';
      await expect(query).rejects.toMatchObject({
        code: 'SERVICE_BUSY',
        message: expect.stringMatching(new RegExp(`for table 'depot.small': .*${who}`)),
      });
    },
  );

  test('that is restored into a server with a write lock ends, and the error names the holder', async () => {
    await server.sql("INSTALL SONAME 'metadata_lock_info';").catch(() => undefined);
    const source = server.connection({ databases: ['depot'] });
    const context = { workFolder: folder, signal: new AbortController().signal };
    const { report, ...dumped } = await startDump(engine, source, context);
    const bytes: Buffer[] = [];
    for await (const chunk of dumped.stored) bytes.push(Buffer.from(chunk));
    const holder = await application();
    await holder.query('FLUSH TABLES WITH READ LOCK');
    const what = { restoreId: randomUUID(), inventory: report.inventory };
    const running = await startRestore(engine, source, databasesPart, what, { ...context, lockWaitMs: 500 });
    running.stored.on('error', () => undefined);
    running.stored.end(Buffer.concat(bytes));
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

describeWith(
  { mariadb: mariadbMissing, 'mariadb-versions': mariadbVersionsMissing },
  'A dump of another release',
  () => {
    test.each(mariadbVersions)('%s ends so that the waiting session can continue', async (version) => {
      const folder = await mkdtemp(join(tmpdir(), 'stowage-locks-'));
      const server = await startMariadb([], mariadbHome(version));
      const abort = new AbortController();
      try {
        await server.sql(`CREATE DATABASE shop; USE shop; CREATE TABLE large (id INT PRIMARY KEY, v TEXT);
        SET max_recursive_iterations = 1000000;
        INSERT INTO large WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${largeRows})
          SELECT i, CONCAT(SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512),
            SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512)) FROM n;`);
        const engine = createMariadbEngine();
        const of = server.connection({ databases: ['shop'] });
        const context = { workFolder: folder, signal: abort.signal, lockPatienceMs: patienceMs, lockWaitMs: 60_000 };
        const running = await startDump(engine, of, context);
        const beingRead = until(async () => {
          const reading = await server.sql(`SELECT COUNT(*) FROM information_schema.processlist
          WHERE info LIKE 'SELECT /*!40001%large%' AND state IN ('Writing to net', 'Sending data')`);
          return reading.trim() === '1';
        }, 'the large table is being dumped');
        // If the dump ends earlier, this reports the reason instead of waiting for nothing.
        const endedBefore = running.ended.then(({ failure }) => {
          throw failure ?? new Error('The dump ended before anybody waited for it.');
        });
        endedBefore.catch(() => undefined);
        await Promise.race([beingRead, endedBefore]);
        await server.sql('FLUSH TABLES; ALTER TABLE shop.large COMMENT = "altered";');
        const { failure } = await running.ended;
        running.stored.destroy();
        expect(failure).toMatchObject({ code: 'SERVICE_BUSY' });
      } finally {
        abort.abort();
        await server.stop();
        await rm(folder, { recursive: true, force: true });
      }
    });
  },
);
