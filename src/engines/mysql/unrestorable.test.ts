import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preflightOf } from '../../../test/fixtures/dumpAndRestore.js';
import { mysqlFingerprint } from '../../../test/fixtures/mysqlFingerprint.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { dumpParts, restoreParts } from '../../../test/fixtures/roundTrip.js';
import { mysqlHome, mysqlMissing, startMysql, type MysqlServer } from '../../../test/fixtures/servers/mysql.js';
import { createMysqlEngine } from './mysqlEngine.js';

describeWith({ mysql: mysqlMissing }, 'What a restore of MySQL computes, refuses or lacks', () => {
  const engine = createMysqlEngine({ tools: { folders: [join(mysqlHome, 'bin')] } });
  let source: MysqlServer;
  let target: MysqlServer;
  let folder: string;

  const context = () => ({ workFolder: folder, signal: new AbortController().signal });
  const made = (server: MysqlServer) => server.connection({ databases: ['made'] });
  const create = (sql: string) => source.sql(`CREATE DATABASE made; USE made; ${sql}`);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-unrestorable-'));
    [source, target] = await Promise.all([startMysql(), startMysql(['--disabled-storage-engines=ARCHIVE'])]);
  });
  afterEach(() => Promise.all([source, target].map((server) => server.sql('DROP DATABASE IF EXISTS made'))));
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  });

  test.each([
    ['names of days', "d DATE DEFAULT '2024-01-01', v VARCHAR(20) AS (DAYNAME(d)) STORED", "lc_time_names = 'de_DE'"],
    [
      'dates as text',
      "d DATE DEFAULT '2024-01-01', v VARCHAR(20) AS (DATE_FORMAT(d, '%M')) STORED",
      "lc_time_names = 'de_DE'",
    ],
    [
      'encrypted text',
      "d INT DEFAULT 1, v VARBINARY(99) AS (AES_ENCRYPT(d, 'k')) STORED",
      "block_encryption_mode = 'aes-256-ecb'",
    ],
    [
      'the spaces of a CHAR',
      "d CHAR(5) DEFAULT 'x', v INT AS (LENGTH(d)) STORED",
      "sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'",
    ],
    ['a text as a date', "d VARCHAR(20) DEFAULT '2024-02-30', v DATE AS (d) STORED", "sql_mode = ''"],
    ['the year of a text', "d VARCHAR(20) DEFAULT '2024-02-30', v INT AS (YEAR(d)) STORED", "sql_mode = ''"],
    [
      'a backslash',
      "d INT DEFAULT 1, v VARCHAR(20) AS (CONCAT(d, '\\\\')) STORED",
      "sql_mode = 'NO_BACKSLASH_ESCAPES'",
    ],
  ])('a backup names a stored column that a restore computes differently: %s', async (_what, columns, setting) => {
    await create(`CREATE TABLE t (id INT, ${columns}); SET ${setting}; INSERT INTO t (id) VALUES (1);`);
    const dumped = await dumpParts(engine, made(source), context());
    expect(dumped.report.warnings).toContainEqual(expect.stringMatching(/computes them again.*: made\.t\.v/));
    await restoreParts(engine, made(target), dumped, context());
    const rows = 'made: rows of t';
    expect((await mysqlFingerprint(target, ['made']))[rows]).not.toBe((await mysqlFingerprint(source, ['made']))[rows]);
  });

  test('a restore computes with the settings of the source, and a backup does not warn of them', async () => {
    await source.sql("SET GLOBAL lc_time_names = 'de_DE', GLOBAL block_encryption_mode = 'aes-256-ecb'");
    try {
      await create(`CREATE TABLE t (d DATE, c CHAR(3), v VARCHAR(20), month VARCHAR(20) AS (MONTHNAME(d)) STORED,
          secret VARBINARY(99) AS (AES_ENCRYPT(d, 'k')) STORED, day DATE AS (v) STORED, UNIQUE KEY ((LOWER(v)), c),
          CHECK (c <> 'zz'), CHECK (DATE(v) > '2020-01-01'), CHECK (MONTHNAME(d) = 'Januar'));
        INSERT INTO t (d, c, v) VALUES ('2024-01-01', 'ab', '2024-05-05'), ('2024-01-02', 'abc', '2024-05-06');`);
      const dumped = await dumpParts(engine, made(source), context());
      expect(dumped.report.warnings).toEqual([expect.stringMatching(/^Users and their grants/)]);
      expect((await restoreParts(engine, made(target), dumped, context())).losses).toEqual([]);
      expect(await mysqlFingerprint(target, ['made'])).toEqual(await mysqlFingerprint(source, ['made']));
    } finally {
      await source.sql('SET GLOBAL lc_time_names = DEFAULT, GLOBAL block_encryption_mode = DEFAULT');
    }
  });

  test.each([
    [
      'a CHECK that its rows violate in another time zone',
      "CREATE TABLE t (a TIMESTAMP, CONSTRAINT early CHECK (HOUR(a) < 12)); SET time_zone = '+10:00'; INSERT INTO t VALUES ('2024-01-02 06:00')",
      /its rows violate the CHECK 'early'/,
    ],
    [
      'a unique key whose values become equal',
      "CREATE TABLE t (a TIMESTAMP, UNIQUE KEY u ((CAST(a AS DATE)))); SET time_zone = '+10:00'; INSERT INTO t VALUES ('2024-01-02 05:00'), ('2024-01-01 22:00')",
      /become equal in the unique key 'u'/,
    ],
    [
      'a negative difference of unsigned numbers',
      "SET sql_mode = 'NO_UNSIGNED_SUBTRACTION'; CREATE TABLE t (a INT UNSIGNED, b INT UNSIGNED, c BIGINT AS (a - b) STORED); INSERT INTO t (a, b) VALUES (1, 2)",
      /out of range \(error 1690\)/,
    ],
    [
      'a table without values',
      'CREATE TABLE t (a INT AS (1) STORED, b INT AS (2)); INSERT INTO t VALUES (), ()',
      /all its columns are generated/,
    ],
    [
      'a trigger that ends in a comment',
      "CREATE TABLE t (a INT); \nDELIMITER $\nCREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1 -- it's one\n$",
      /trigger made\.g: its body ends in a comment/,
    ],
    [
      'an event that ends in a comment',
      '\nDELIMITER $\nCREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SET @a = 1 # one\n$',
      /event made\.e: its body ends in a comment/,
    ],
    [
      'a procedure that ends in a comment',
      '\nDELIMITER $\nCREATE PROCEDURE p() SELECT 1 -- one\n$',
      /procedure made\.p: its body ends in a comment/,
    ],
    [
      'an event with HIGH_NOT_PRECEDENCE',
      "SET sql_mode = 'HIGH_NOT_PRECEDENCE'; CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1",
      /event made\.e: it has the sql_mode HIGH_NOT_PRECEDENCE/,
    ],
    [
      'values of partitions in latin1',
      "SET NAMES utf8mb4; CREATE TABLE t (a VARCHAR(9) CHARACTER SET latin1) PARTITION BY LIST COLUMNS (a) (PARTITION p VALUES IN ('ä'), PARTITION q VALUES IN (NULL))",
      /table made\.t: the values of its partitions .* its column 'a' is not in UTF-8/,
    ],
  ])('a backup refuses %s, which no server restores', async (_what, sql, message) => {
    await create(sql);
    await expect(preflightOf(engine, made(source), context())).rejects.toMatchObject({
      ...{
        code: 'TOOL_FAILED',
        message: expect.stringMatching(message),
        help: expect.stringMatching(/start the backup again/),
      },
    });
  });

  test.each(["a'b", 'a"b', 'a\\b', 'a\nb'])(
    'a backup refuses the database %j, which mysqldump cannot select',
    async (name) => {
      await source.sql(`CREATE DATABASE \`${name}\`; CREATE TABLE \`${name}\`.t (a INT)`);
      try {
        await expect(preflightOf(engine, source.connection({ databases: [name] }), context())).rejects.toMatchObject({
          ...{ code: 'TOOL_FAILED', message: expect.stringMatching(/cannot dump a database whose name/) },
          help: expect.stringMatching(/list the other databases in the service/),
        });
      } finally {
        await source.sql(`DROP DATABASE \`${name}\``);
      }
    },
  );

  test('a restore keeps what resembles programs and partitions that are refused', async () => {
    await create(`SET NAMES utf8mb4; SET sql_mode = 'HIGH_NOT_PRECEDENCE';
      CREATE EVENT kept ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' ON COMPLETION PRESERVE DISABLE DO SELECT '*/';
      SET sql_mode = '';
      CREATE TABLE t (a VARCHAR(9) CHARACTER SET utf8mb4) PARTITION BY LIST COLUMNS (a)
        (PARTITION p VALUES IN ('ä') COMMENT = 'ö', PARTITION q VALUES IN (NULL));
      CREATE TABLE u (\`ä\` VARCHAR(9) CHARACTER SET latin1) PARTITION BY LIST COLUMNS (\`ä\`) (PARTITION p VALUES IN ('a') COMMENT = 'ö');
      INSERT INTO t VALUES ('ä'), (NULL); INSERT INTO u VALUES ('a');
      DELIMITER $
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN -- it's "one"
  SET @a = '*/', @b = '-- x'; /* end */ END $
CREATE PROCEDURE p() SELECT '# none' $
CREATE PROCEDURE q() SELECT 1 /* end */ $`);
    const dumped = await dumpParts(engine, made(source), context());
    expect((await restoreParts(engine, made(target), dumped, context())).losses).toEqual([]);
    expect(await mysqlFingerprint(target, ['made'])).toEqual(await mysqlFingerprint(source, ['made']));
  });

  test('a column that allows NULL and has no default comes back without one', async () => {
    const columns = [
      'a INT',
      'b VARCHAR(20)',
      'c TEXT',
      'd TIMESTAMP NULL',
      'e JSON',
      "f ENUM('a') COMMENT ' DEFAULT 1'",
    ];
    await create(`CREATE TABLE t (${columns.join(', ')}, g INT AS (a + 1), h INT);
      ALTER TABLE t ${['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `ALTER ${name} DROP DEFAULT`).join(', ')};
      INSERT INTO t (a, b, c, d, e, f) VALUES (1, 'b', 'c', NULL, '{}', NULL);`);
    const dumped = await dumpParts(engine, made(source), context());
    expect((await restoreParts(engine, made(target), dumped, context())).losses).toEqual([]);
    expect(await mysqlFingerprint(target, ['made'])).toEqual(await mysqlFingerprint(source, ['made']));
    await expect(target.sql('INSERT INTO made.t (b) VALUES (1)')).rejects.toThrow(/doesn't have a default value/);
  });

  test('a CHECK that is not enforced is not checked', async () => {
    await create(`CREATE TABLE t (a TIMESTAMP, CHECK (HOUR(a) < 12) NOT ENFORCED); SET time_zone = '+10:00';
      INSERT INTO t VALUES ('2024-01-02 06:00');`);
    const dumped = await dumpParts(engine, made(source), context());
    await restoreParts(engine, made(target), dumped, context());
    expect(await mysqlFingerprint(target, ['made'])).toEqual(await mysqlFingerprint(source, ['made']));
  });

  const srs = `CREATE SPATIAL REFERENCE SYSTEM 990001 NAME 'own' DEFINITION 'GEOGCS["own",DATUM["d",SPHEROID["s",6378137,298.257]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925],AXIS["Lat",NORTH],AXIS["Lon",EAST]]';`;
  const zone = `INSERT INTO mysql.time_zone (use_leap_seconds) VALUES ('N'); SET @id = LAST_INSERT_ID();
    INSERT INTO mysql.time_zone_name (name, time_zone_id) VALUES ('Europe/Berlin', @id);
    INSERT INTO mysql.time_zone_transition_type (time_zone_id, transition_type_id, offset, is_dst, abbreviation) VALUES (@id, 0, 3600, 0, 'CET');`;
  test.each([
    [
      "the general tablespace 'own'",
      "CREATE TABLESPACE own ADD DATAFILE 'own.ibd';",
      "CREATE TABLE t (a INT COMMENT 'TABLESPACE `x`') TABLESPACE own; INSERT INTO t VALUES (1)",
      /CREATE TABLESPACE/,
    ],
    [
      'the spatial reference system 990001',
      srs,
      "CREATE TABLE t (a POINT NOT NULL SRID 990001); INSERT INTO t VALUES (ST_GeomFromText('POINT(1 2)', 990001))",
      /CREATE SPATIAL REFERENCE SYSTEM/,
    ],
    [
      "the time zone 'Europe/Berlin'",
      zone,
      "SET time_zone = 'Europe/Berlin'; CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' DO SELECT 1",
      /mysql_tzinfo_to_sql/,
    ],
  ])('a restore needs %s on the target', async (what, object, sql, help) => {
    await source.sql(object);
    await create(sql);
    const dumped = await dumpParts(engine, made(source), context());
    await expect(restoreParts(engine, made(target), dumped, context())).rejects.toMatchObject({
      code: 'TARGET_UNFIT',
      message: expect.stringContaining(`does not have ${what}`),
      help: expect.stringMatching(help),
    });
    await target.sql(object);
    expect((await restoreParts(engine, made(target), dumped, context())).losses).toEqual([]);
    expect(await mysqlFingerprint(target, ['made'])).toEqual(await mysqlFingerprint(source, ['made']));
  });

  test.each([
    ['encryption', /does not support encryption of data .*'made\.t'/],
    ['parser mecab', /does not have the full-text parser 'mecab' .*'made\.t'/],
  ])('a restore is refused by a server without %s', async (need, message) => {
    await create('CREATE TABLE t (a INT PRIMARY KEY)');
    const { inventory } = await preflightOf(engine, made(source), context());
    const [database] = inventory.databases;
    if (database === undefined) throw new Error('The inventory has no database.');
    const needing = { ...inventory, databases: [{ ...database, needs: { [need]: ['made.t'] } }] };
    await expect(engine.restorePreflight(made(target), { inventory: needing }, context())).rejects.toMatchObject({
      ...{ code: 'TARGET_UNFIT', message: expect.stringMatching(message) },
    });
  });

  test('a restore is refused by a server that disables a storage engine of the backup', async () => {
    await create('CREATE TABLE t (a INT) ENGINE=ARCHIVE');
    const { inventory } = await preflightOf(engine, made(source), context());
    await expect(engine.restorePreflight(made(target), { inventory }, context())).rejects.toMatchObject({
      ...{ code: 'TARGET_UNFIT', help: expect.stringMatching(/disabled_storage_engines/) },
    });
  });

  test.each(['sql_require_primary_key', 'sql_generate_invisible_primary_key'])(
    'a restore needs %s off for a table that has only a unique key',
    async (setting) => {
      await create('CREATE TABLE t (a INT NOT NULL UNIQUE)');
      const dumped = await dumpParts(engine, made(source), context());
      await target.sql(`SET GLOBAL ${setting} = ON`);
      try {
        await expect(restoreParts(engine, made(target), dumped, context())).rejects.toMatchObject({
          ...{ code: 'TARGET_UNFIT', message: expect.stringContaining("'made.t'") },
          help: expect.stringContaining(`SET GLOBAL ${setting}=OFF`),
        });
      } finally {
        await target.sql(`SET GLOBAL ${setting} = OFF`);
      }
    },
  );

  test('a generated invisible primary key comes back, and a backup is refused while the server hides it', async () => {
    await create(
      'SET sql_generate_invisible_primary_key = ON; CREATE TABLE t (a INT); INSERT INTO t VALUES (4), (5); DELETE FROM t WHERE a = 4',
    );
    await source.sql('SET GLOBAL show_gipk_in_create_table_and_information_schema = OFF');
    try {
      await expect(preflightOf(engine, made(source), context())).rejects.toMatchObject({
        ...{ code: 'SERVICE_SETTING', message: expect.stringMatching(/invisible primary keys/) },
        help: expect.stringContaining('SET GLOBAL show_gipk_in_create_table_and_information_schema = 1;'),
      });
    } finally {
      await source.sql('SET GLOBAL show_gipk_in_create_table_and_information_schema = ON');
    }
    await restoreParts(engine, made(target), await dumpParts(engine, made(source), context()), context());
    expect(await mysqlFingerprint(target, ['made'])).toEqual(await mysqlFingerprint(source, ['made']));
  });

  test('the parameters of routines keep their collation, whatever the default of the source and of the target is', async () => {
    const variable = 'GLOBAL default_collation_for_utf8mb4';
    await create(`CREATE FUNCTION f(a VARCHAR(9)) RETURNS VARCHAR(9) CHARSET utf8mb4 DETERMINISTIC RETURN a;
      SET default_collation_for_utf8mb4 = utf8mb4_general_ci;
      CREATE FUNCTION g(a VARCHAR(9)) RETURNS VARCHAR(9) CHARSET utf8mb4 DETERMINISTIC RETURN a;`);
    for (const [of, at] of [
      ['utf8mb4_0900_ai_ci', 'utf8mb4_general_ci'],
      ['utf8mb4_general_ci', 'utf8mb4_0900_ai_ci'],
    ]) {
      await source.sql(`SET ${variable} = ${of}`);
      await target.sql(`SET ${variable} = ${at}`);
      await restoreParts(engine, made(target), await dumpParts(engine, made(source), context()), context());
      await Promise.all([source, target].map((server) => server.sql(`SET ${variable} = utf8mb4_0900_ai_ci`)));
      expect(await mysqlFingerprint(target, ['made'])).toEqual(await mysqlFingerprint(source, ['made']));
      await target.sql('DROP DATABASE made');
    }
  });

  test('a restore names the events that have ended, which the target drops', async () => {
    await create(`SET timestamp = 1000000000;
      CREATE EVENT once ON SCHEDULE AT '2001-09-09 12:00:00' DISABLE DO SELECT 1;
      CREATE EVENT daily ON SCHEDULE EVERY 1 DAY ENDS '2001-09-19 12:00:00' DISABLE DO SELECT 1;
      CREATE EVENT kept ON SCHEDULE AT '2001-09-09 12:00:00' ON COMPLETION PRESERVE DISABLE DO SELECT 1;
      CREATE EVENT later ON SCHEDULE AT '2037-01-01 12:00:00' DISABLE DO SELECT 1;`);
    const restored = await restoreParts(
      engine,
      made(target),
      await dumpParts(engine, made(source), context()),
      context(),
    );
    expect(restored.warnings).toContainEqual(expect.stringMatching(/events have ended.*: made\.daily, made\.once\.$/));
    expect(
      await target.sql("SELECT event_name FROM information_schema.events WHERE event_schema = 'made' ORDER BY 1"),
    ).toBe('kept\nlater\n');
  });
});
