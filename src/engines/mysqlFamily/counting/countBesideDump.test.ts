import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { holdLock } from '../../../../test/fixtures/heldLock.js';
import { anySession } from '../../../../test/fixtures/mariadbSession.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import { until } from '../../../../test/fixtures/until.js';
import { Secret } from '../../../secret.js';
import type { Inventory } from '../../inventory.js';
import type { RowCounting } from '../../rowCounting.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { countBesideDump } from './countBesideDump.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';

const enoughMs = 60_000;
const threads = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'stowage'";

describeWith({ mariadb: mariadbMissing }, 'The count of rows during a dump', () => {
  let server: MariadbServer;

  beforeAll(async () => {
    // With a binary log a server keeps all metadata locks of a transaction that might write to it.
    server = await startMariadb(['--log-bin', '--server-id=1', '--log-bin-trust-function-creators=1']);
    await server.sql(`CREATE DATABASE d; USE d; CREATE TABLE small (a INT); CREATE TABLE m (a INT) ENGINE=MyISAM;
      CREATE TABLE empty (a INT); INSERT INTO small VALUES (1), (2), (3); INSERT INTO m VALUES (1), (2);
      CREATE USER reader@'%' IDENTIFIED BY 'pw'; GRANT SELECT, PROCESS ON *.* TO reader@'%';
      CREATE TABLE history (a INT) WITH SYSTEM VERSIONING; INSERT INTO history VALUES (1), (2); DELETE FROM history WHERE a = 1;
      CREATE TABLE merged (a INT) ENGINE=MRG_MyISAM UNION=(m);`);
  });
  afterAll(() => server.stop());

  const unprivileged = () => server.connection({ username: 'reader', password: new Secret('pw') });
  const inventoryOf = (database: string): Promise<Inventory> =>
    createMariadbEngine().inventory(server.connection({ databases: [database] }), {
      workFolder: '/nowhere',
      signal: new AbortController().signal,
    });

  async function start(database: string, options: { connection?: ServiceConnection; signal?: AbortSignal } = {}) {
    const { connection = server.connection(), signal = new AbortController().signal } = options;
    return countBesideDump(connection, await inventoryOf(database), anySession(), signal);
  }

  async function endOf(counting: RowCounting | undefined): Promise<Readonly<Record<string, number>>> {
    const counted = await counting?.end(enoughMs);
    return Object.fromEntries((counted?.tables ?? []).map(({ name, rows }) => [name, rows]));
  }

  test('counts every table that has rows of its own, with its history if the dump has it', async () => {
    expect(await endOf(await start('d'))).toEqual({ small: 3, m: 2, empty: 0, history: 2 });
    expect(await server.sql(threads)).toBe('0\n');
  });

  test('counts the rows that existed when it began, and no table that was altered since', async () => {
    // There are more tables than are counted before the statements below run.
    const names = Array.from({ length: 80 }, (_, index) => `t${String(index).padStart(3, '0')}`);
    await server.sql(`CREATE DATABASE many; USE many;
      ${names.map((name) => `CREATE TABLE ${name} (a INT); INSERT INTO ${name} VALUES (1);`).join('\n')}
      CREATE TABLE zz (a INT, b CHAR(255)) ; INSERT INTO zz SELECT seq, REPEAT('x', 255) FROM seq_1_to_20000;
      CREATE TABLE zzz (a INT, b CHAR(255)); INSERT INTO zzz SELECT seq, REPEAT('x', 255) FROM seq_1_to_30000;`);
    const counting = await start('many');
    await server.sql('ALTER TABLE many.zzz FORCE; DELETE FROM many.zz WHERE a > 10;');
    const counted = await endOf(counting);
    expect(counted).toMatchObject(Object.fromEntries(names.map((name) => [name, 1])));
    expect(counted['zz']).toBe(20_000);
    // The table was counted before it was altered, or not at all.
    expect([undefined, 30_000]).toContain(counted['zzz']);
  });

  test.each([
    ['whose snapshot lives on', () => server.connection()],
    ['that may not do without the binary log', unprivileged],
  ])('keeps no lock on a table that it has counted, for a user %s', async (_, connection) => {
    await server.sql('CREATE OR REPLACE DATABASE locks; CREATE TABLE locks.t (a INT); INSERT INTO locks.t VALUES (1);');
    const inventory = await inventoryOf('locks');
    const held: Inventory = {
      ...inventory,
      databases: inventory.databases.map((database) => ({
        ...database,
        // The test has locked the second table. When the count waits for it, the first table is counted.
        tables: [...database.tables, { name: 'locked', rows: 1, rowsEstimated: true, sizeBytes: 2 ** 22 }],
      })),
    };
    await server.sql('CREATE TABLE locks.locked (a INT)');
    const lock = server
      .sql("LOCK TABLES locks.locked WRITE; SELECT GET_LOCK('locked', 0), SLEEP(1000);")
      .catch(() => '');
    const waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%'";
    await until(async () => (await server.sql("SELECT IS_USED_LOCK('locked') IS NOT NULL")) === '1\n', 'it is locked');
    const starting = countBesideDump(connection(), held, anySession(), new AbortController().signal);
    await until(async () => (await server.sql(waits)) !== '0\n', 'the count waits for the locked table');
    try {
      // A count would keep its lock until the end. The server's own threads (purge, statistics) hold one for a moment.
      await server.sql('SET STATEMENT lock_wait_timeout = 5 FOR ALTER TABLE locks.t FORCE');
      expect(await endOf(await starting)).toEqual({ t: 1 });
    } finally {
      await server.sql("SELECT CONCAT('KILL ', IS_USED_LOCK('locked')) INTO @kill; EXECUTE IMMEDIATE @kill;");
      await lock;
    }
  });

  test('opens no session if the account may have only a few, or if there are no tables', async () => {
    await server.sql(`CREATE USER few@'%' IDENTIFIED BY 'pw' WITH MAX_USER_CONNECTIONS 2; GRANT ALL ON *.* TO few@'%';
      CREATE DATABASE nothing;`);
    const connection = server.connection({ username: 'few', password: new Secret('pw') });
    expect(await start('d', { connection })).toBeUndefined();
    expect(await start('nothing')).toBeUndefined();
    expect(await start('d', { connection: server.connection({ password: new Secret('wrong') }) })).toBeUndefined();
  });

  test('ends the current count when its time is over, also on the server', async () => {
    // The view simulates a table whose rows are very slow to read: its function sleeps for every row.
    await server.sql(`CREATE DATABASE slow; CREATE FUNCTION slow.f() RETURNS INT NOT DETERMINISTIC RETURN SLEEP(1000);
      CREATE TABLE slow.base (a INT); INSERT INTO slow.base VALUES (1);
      CREATE VIEW slow.t AS SELECT * FROM slow.base WHERE slow.f() = 0;`);
    const inventory = await inventoryOf('slow');
    const table = { name: 't', rows: 1, rowsEstimated: true, sizeBytes: 1 };
    const databases = inventory.databases.map((database) => ({ ...database, tables: [table] }));
    const settings = anySession();
    const counting = await countBesideDump(
      server.connection(),
      { ...inventory, databases },
      settings,
      new AbortController().signal,
    );
    expect(await counting?.end(100)).toMatchObject({ tables: [], late: [{ database: 'slow', name: 't' }] });
    await until(async () => (await server.sql(threads)) === '0\n', 'the server has ended it');
  });

  describe('and a table that takes long:', () => {
    beforeAll(async () => {
      await server.sql(`CREATE DATABASE waits; USE waits; CREATE FUNCTION f() RETURNS INT NOT DETERMINISTIC RETURN SLEEP(7);
        CREATE TABLE base (a INT); INSERT INTO base VALUES (1); CREATE TABLE other (a INT);
        CREATE VIEW t AS SELECT * FROM base WHERE f() = 0;`);
    });

    /** Counts `t`, which takes 7 s, while somebody's statement waits for a lock. */
    async function countBeside(statement: string): Promise<Readonly<Record<string, number>>> {
      const inventory = await inventoryOf('waits');
      const table = { name: 't', rows: 1, rowsEstimated: true, sizeBytes: 1 };
      const databases = inventory.databases.map((database) => ({ ...database, tables: [table] }));
      const signal = new AbortController().signal;
      const release = await holdLock(server, 'LOCK TABLES waits.other WRITE');
      const connection = server.connection();
      const counting = await countBesideDump(connection, { ...inventory, databases }, anySession(), signal);
      const counted = endOf(counting);
      const waiting = server.sql(statement).catch(() => '');
      try {
        return await counted;
      } finally {
        await release();
        await waiting;
      }
    }

    test('a long count continues while a session waits for the lock of another table', async () => {
      expect(await countBeside('ALTER TABLE waits.other FORCE')).toEqual({ t: 1 });
    });

    test('a long count ends soon after a session starts to wait for the lock of its table', async () => {
      expect(await countBeside('RENAME TABLE waits.t TO waits.u')).toEqual({});
    });
  });

  test('does not mark a count as taken before the dump if the table has no snapshot', async () => {
    const counted = await (await start('d'))?.end(enoughMs);
    const before = (counted?.tables ?? []).filter(({ isBefore }) => isBefore).map(({ name }) => name);
    expect(before.sort()).toEqual(['empty', 'history', 'small']);
  });
});
