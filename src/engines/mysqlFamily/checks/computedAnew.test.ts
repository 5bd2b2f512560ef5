import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preflightOf, restoreDump, takeDump } from '../../../../test/fixtures/dumpAndRestore.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import type { EngineContext } from '../../engineContext.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';

describeWith({ mariadb: mariadbMissing }, 'Columns that a restore computes anew', () => {
  const engine = createMariadbEngine();
  let folder: string;
  let server: MariadbServer;
  const context = (): EngineContext => ({ workFolder: folder, signal: new AbortController().signal });
  const connection = () => server.connection({ databases: ['made'] });
  /** Runs the SQL in the database `made`, in a session whose time zone is two hours ahead of UTC. */
  const createMade = (sql: string) =>
    server.sql(`CREATE DATABASE IF NOT EXISTS made; USE made; SET time_zone = '+02:00'; ${sql}`);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-anew-'));
    server = await startMariadb();
  });
  beforeEach(() => server.sql('DROP DATABASE IF EXISTS made'));
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const moment = "t TIMESTAMP NOT NULL DEFAULT '2020-05-05 01:00:00'";

  test.each([
    ['the day of a TIMESTAMP', `${moment}, v DATE AS (DATE(t)) STORED`, '(1)'],
    ['a DATETIME made from a TIMESTAMP', `${moment}, v DATETIME AS (t) STORED`, '(1)'],
    ['a text made from a TIMESTAMP', `${moment}, v VARCHAR(30) AS (CAST(t AS CHAR)) STORED`, '(1)'],
    ['the hour of a TIMESTAMP', `${moment}, v INT AS (HOUR(t)) STORED`, '(1)'],
    ['the seconds of a DATETIME', "d DATETIME DEFAULT '2020-05-05', v BIGINT AS (UNIX_TIMESTAMP(d)) STORED", '(1)'],
    ['a TIMESTAMP made from a DATETIME', "d DATETIME DEFAULT '2020-05-05', v TIMESTAMP AS (d) STORED", '(1)'],
    [
      'a column that is computed from such a column',
      `${moment}, w DATE AS (DATE(t)) VIRTUAL, v INT AS (DAY(w)) STORED`,
      '(1)',
    ],
    ['a day made from a TIME', "d TIME DEFAULT '01:00', v DATETIME AS (CAST(d AS DATETIME)) STORED", '(1)'],
  ])('a backup warns of %s', async (_what, columns, values) => {
    await createMade(`CREATE TABLE t (id INT, ${columns}); INSERT INTO t (id) VALUES ${values};`);
    const stored = () => server.sql("SET time_zone = '+02:00'; SELECT v FROM made.t");
    const before = await stored();
    const taken = await takeDump(engine, connection(), context());
    expect(taken.failure).toBeNull();
    expect(taken.report.warnings).toEqual(
      expect.arrayContaining([expect.stringMatching(/computes them again.*: made\.t\.v/)]),
    );
    if (columns.includes('TIME DEFAULT')) return; // The value differs on another day.
    await server.sql('DROP DATABASE made');
    await restoreDump(engine, connection(), taken, context());
    expect(await stored()).not.toBe(before);
  });

  test.each([
    ['a text as a date', "d VARCHAR(20) DEFAULT '2024-02-30', v DATE AS (d) STORED", "''"],
    [
      'a zero date as a text',
      "d DATETIME DEFAULT 0, v VARCHAR(20) AS (STR_TO_DATE(d, '%Y-%m-%d')) STORED",
      "'NO_ZERO_IN_DATE,NO_ZERO_DATE'",
    ],
  ])('a backup warns of %s, because the sql mode decides', async (_what, columns, mode) => {
    await createMade(`SET sql_mode = ''; CREATE TABLE t (id INT, ${columns}); SET sql_mode = ${mode};
      INSERT INTO t (id) VALUES (1);`);
    const stored = () => server.sql('SELECT v FROM made.t');
    const before = await stored();
    const taken = await takeDump(engine, connection(), context());
    expect(taken.report.warnings).toContainEqual(expect.stringMatching(/computes them again.*: made\.t\.v/));
    await server.sql('DROP DATABASE made');
    await restoreDump(engine, connection(), taken, context());
    expect(await stored()).not.toBe(before);
  });

  test('a backup does not warn of values that a restore computes unchanged', async () => {
    await createMade(`CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, d DATETIME(3), ${moment}, z TIME(2), s VARCHAR(30) COLLATE utf8mb4_bin,
        q DECIMAL(10,2) AS (a / b) STORED, r VARCHAR(4) AS (CAST(a / b AS CHAR)) STORED, i INT AS (a / b) STORED, e DOUBLE AS (a / b) STORED,
        n INT UNSIGNED AS (TIMESTAMPDIFF(SECOND, '2020-01-01', d)) STORED, m DATE AS (d) STORED, y TIME(2) AS (z) STORED,
        x VARCHAR(30) AS (REGEXP_REPLACE(s, 'A', 'x')) STORED, l INT AS (LENGTH(s)) VIRTUAL, KEY (l), u INT AS (YEAR(t)) STORED)
        CHARACTER SET utf8mb4;
      SET sql_mode = '';
      INSERT INTO t (id, a, b, d, z, s) VALUES (1, 2, 3, '2020-05-05 23:59:59.999', '01:00:00.99', 'aAé'), (2, NULL, 0, NULL, NULL, NULL);`);
    const { warnings } = await preflightOf(engine, connection(), context());
    expect(warnings.filter((warning) => /generated|virtual/.test(warning))).toEqual([]);
  });

  test('a backup warns of a quotient that a session computed with other digits', async () => {
    await createMade(
      `SET div_precision_increment = 20; CREATE TABLE t (a INT, v DOUBLE AS (a / 3) STORED); INSERT INTO t (a) VALUES (1);`,
    );
    const { warnings } = await preflightOf(engine, connection(), context());
    expect(warnings).toEqual(expect.arrayContaining([expect.stringMatching(/made\.t\.v/)]));
  });

  test('a restore brings back differences of UNSIGNED columns that are negative', async () => {
    await createMade(`SET sql_mode = 'NO_UNSIGNED_SUBTRACTION';
      CREATE TABLE s (a BIGINT UNSIGNED, v BIGINT AS (a - 5) STORED); INSERT INTO s (a) VALUES (1), (9);
      CREATE TABLE i (a INT UNSIGNED, v BIGINT AS (a - 5) VIRTUAL, KEY (v)); INSERT INTO i (a) VALUES (1), (9);
      CREATE TABLE p (a INT UNSIGNED) PARTITION BY HASH (a - 10) PARTITIONS 3; INSERT INTO p VALUES (1), (20);`);
    const rows = () =>
      server.sql(`USE made; SET sql_mode = 'NO_UNSIGNED_SUBTRACTION'; SELECT * FROM s ORDER BY a;
        SELECT v FROM i FORCE INDEX (v) ORDER BY v; SELECT * FROM p PARTITION (p0); SELECT 9; SELECT * FROM p PARTITION (p1)`);
    const before = await rows();
    expect(before).toMatch(/^1\t-4\n/);
    const taken = await takeDump(engine, connection(), context());
    await server.sql('DROP DATABASE made');
    await restoreDump(engine, connection(), taken, context());
    expect(await rows()).toBe(before);
  });

  test('a restore brings back a table whose columns are all generated', async () => {
    await createMade(
      "CREATE TABLE t (v INT AS (1) VIRTUAL, w VARCHAR(9) AS ('x') STORED); INSERT INTO t VALUES (), ();",
    );
    const taken = await takeDump(engine, connection(), context());
    await server.sql('DROP DATABASE made');
    await restoreDump(engine, connection(), taken, context());
    expect(await server.sql('SELECT * FROM made.t')).toBe('1\tx\n1\tx\n');
  });

  test('a backup warns of an index on a virtual column of a TIMESTAMP', async () => {
    await createMade(
      `CREATE TABLE t (id INT, ${moment}, v DATE AS (DATE(t)) VIRTUAL, KEY (v)); INSERT INTO t (id) VALUES (1);`,
    );
    const { warnings } = await preflightOf(engine, connection(), context());
    expect(warnings).toEqual(
      expect.arrayContaining([expect.stringMatching(/^A restore changes indexes on these virtual.*: made\.t\.v/)]),
    );
  });

  test.each(['STORED', 'VIRTUAL'])(
    'a backup refuses a unique key whose %s values become equal in UTC',
    async (kind) => {
      await createMade(`CREATE TABLE t (id INT, ${moment}, v DATE AS (DATE(t)) ${kind}, UNIQUE KEY (v));
      INSERT INTO t (id, t) VALUES (1, '2020-05-05 23:00:00'), (2, '2020-05-06 01:00:00');`);
      await expect(preflightOf(engine, connection(), context())).rejects.toMatchObject({
        code: 'TOOL_FAILED',
        message: expect.stringMatching(/made\.t cannot be restored.* column v/),
        help: expect.stringContaining('from a DATETIME column'),
      });
    },
  );

  test('a restore brings back checks and partitions of a TIMESTAMP', async () => {
    await createMade(`CREATE TABLE c (${moment}, CHECK (HOUR(t) < 2)); INSERT INTO c VALUES ('2020-05-05 01:00:00');
      CREATE TABLE p (${moment}) PARTITION BY RANGE (UNIX_TIMESTAMP(t)) (PARTITION a VALUES LESS THAN (UNIX_TIMESTAMP('2020-06-01 00:00:00')), PARTITION b VALUES LESS THAN MAXVALUE);
      INSERT INTO p VALUES ('2020-05-31 23:30:00'), ('2020-06-01 00:30:00'), ('2020-06-01 01:30:00');`);
    const rows = () =>
      server.sql('USE made; SELECT * FROM c; SELECT * FROM p PARTITION (a); SELECT 9; SELECT * FROM p PARTITION (b)');
    const before = await rows();
    const taken = await takeDump(engine, connection(), context());
    await server.sql('DROP DATABASE made');
    await restoreDump(engine, connection(), taken, context());
    expect(await rows()).toBe(before);
  });
});
