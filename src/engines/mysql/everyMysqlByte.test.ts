import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesOf, startRestore, startDump } from '../../../test/fixtures/dumpAndRestore.js';
import { everyMysqlCharacter } from '../../../test/fixtures/everyMysqlCharacter.js';
import { mysqlFingerprint } from '../../../test/fixtures/mysqlFingerprint.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mysqlHome, mysqlMissing, startMysql, type MysqlServer } from '../../../test/fixtures/servers/mysql.js';
import { compareInventories } from '../../archive/compareInventories.js';
import { createMysqlEngine } from './mysqlEngine.js';

describeWith({ mysql: mysqlMissing }, 'Every byte of MySQL comes back', () => {
  const engine = createMysqlEngine({ tools: { folders: [join(mysqlHome, 'bin')] } });
  let source: MysqlServer;
  let target: MysqlServer;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-bytes-'));
    [source, target] = await Promise.all([startMysql(), startMysql()]);
    for (const server of [source, target]) {
      await server.sql("CREATE USER 'wäx'@'%' ACCOUNT LOCK; GRANT SELECT ON *.* TO 'wäx'@'%'; CREATE ROLE reader;");
    }
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  });

  const context = () => ({ workFolder: folder, signal: new AbortController().signal });

  /** Returns the warnings of the backup, and the losses that a comparison of the inventories finds. */
  async function roundTrip(databases: readonly string[]) {
    const { report, part, ...dumped } = await startDump(engine, source.connection({ databases }), context());
    const bytes = await bytesOf(dumped.stored);
    expect((await dumped.ended).failure).toBeNull();
    const { inventory } = report;
    await engine.restorePreflight(target.connection(), { inventory }, context());
    const running = await startRestore(
      engine,
      target.connection(),
      part,
      { restoreId: databases.join(), inventory },
      context(),
    );
    running.stored.end(bytes);
    expect((await running.ended).failure).toBeNull();
    const actual = await engine.inventory(target.connection({ databases }), context());
    const judged = { expected: inventory, actual, changesByItself: false };
    const losses = compareInventories(inventory, actual)
      .differences.map((difference) => engine.judgeDifference(difference, judged))
      .filter((loss) => loss !== null);
    return { warnings: report.warnings, losses, inventory };
  }

  async function expectSame(databases: readonly string[]): Promise<void> {
    const [was, is] = [await mysqlFingerprint(source, databases), await mysqlFingerprint(target, databases)];
    expect(Object.keys(was).length).toBeGreaterThan(databases.length);
    expect(is).toEqual(was);
  }

  test('in databases that were designed to break dumps', async () => {
    const databases = ['nasty `db', '--result-file=/tmp/xx'];
    await source.sql(await readFile('test/fixtures/nastyMysqlDatabase.sql'));
    const { warnings, losses } = await roundTrip(databases);
    await expectSame(databases);
    expect(losses).toEqual([]);
    expect(warnings).toEqual([
      'Users and their grants are not part of this backup.',
      expect.stringMatching(/^These tables may have changed during the dump.*nasty `db\.archived, nasty `db\.kept\.$/),
    ]);
  });

  test('in a database whose name is not in ASCII, which mysqldump cannot select over a binary connection', async () => {
    const databases = ['-ü海 x'];
    await source.sql('USE `-ü海 x`; CREATE TABLE old (a VARCHAR(9) CHARACTER SET sjis, b BLOB, j JSON);');
    await source.sql(`INSERT INTO \`-ü海 x\`.old VALUES (0x835C, 0x00FF27F0, '{"ö": 1}')`);
    const { warnings } = await roundTrip(databases);
    await expectSame(databases);
    expect(warnings).toContainEqual(expect.stringMatching(/dumped in utf8mb4.*-ü海 x\.old\.a\.$/));
  });

  test('in every character of every character set', async () => {
    await source.sql(`CREATE DATABASE characters; USE characters; ${everyMysqlCharacter}`);
    const sets = await source.sql("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'characters'");
    expect(Number(sets)).toBeGreaterThan(35);
    await roundTrip(['characters']);
    await expectSame(['characters']);
  });

  test('in programs and comments of clients with other character sets', async () => {
    const statements = (client: string) => `CREATE DATABASE of_${client}; USE of_${client}; SET NAMES ${client};
      CREATE TABLE t (a INT) COMMENT 'ö ''';
      CREATE DEFINER='wäx'@'%' PROCEDURE \`p ö\`() COMMENT 'ö ''x' SELECT 'ö', '\\\\';
      CREATE DEFINER='wäx'@'%' FUNCTION f() RETURNS ENUM('ö','x') DETERMINISTIC COMMENT 'ö' RETURN 'ö';
      CREATE DEFINER='wäx'@'%' TRIGGER \`g ö\` BEFORE INSERT ON t FOR EACH ROW SET @o = 'ö';
      CREATE DEFINER='wäx'@'%' EVENT \`e ö\` ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' COMMENT 'ö' DO SELECT 'ö';
      CREATE VIEW \`v ö\` AS SELECT 'ö' AS \`ä\`;`;
    await source.sql(Buffer.from(statements('latin1'), 'latin1'));
    await source.sql(statements('utf8mb4'));
    const databases = ['of_latin1', 'of_utf8mb4'];
    const { losses } = await roundTrip(databases);
    await expectSame(databases);
    expect(losses).toEqual([]);
  });

  test('except JSON values of types that JSON text does not have, which a warning names', async () => {
    await source.sql(`CREATE DATABASE typed; USE typed;
      CREATE TABLE plain (j JSON); INSERT INTO plain VALUES ('{"a": 1.10, "b": "2024-01-01", "c": 1e2}'), (NULL);
      CREATE TABLE dates (j JSON); INSERT INTO dates VALUES (JSON_OBJECT('d', DATE'2024-01-01'));
      CREATE TABLE decimals (j JSON); INSERT INTO decimals VALUES (JSON_ARRAY(1.10));
      CREATE TABLE bytes (j JSON); INSERT INTO bytes VALUES (JSON_OBJECT('b', CAST('x' AS BINARY)));`);
    const { warnings } = await roundTrip(['typed']);
    expect(warnings).toContainEqual(
      expect.stringMatching(
        /^JSON values of these columns hold decimal.*: typed\.bytes\.j, typed\.dates\.j, typed\.decimals\.j\.$/,
      ),
    );
  });

  test('and the comparison of the test finds each of these planted differences', async () => {
    const databases = ['nasty `db'];
    const before = await mysqlFingerprint(target, databases);
    const changes = [
      ['UPDATE parent SET z = 0 WHERE id > 5', 'UPDATE parent SET z = -0e0 WHERE id > 5'],
      ["UPDATE child SET j = '{}' WHERE id = 4", "UPDATE child SET j = '[]' WHERE id = 4"],
      ['ALTER TABLE child ALTER INDEX unseen VISIBLE', 'ALTER TABLE child ALTER INDEX unseen INVISIBLE'],
      ['ALTER TABLE child ALTER CHECK never ENFORCED', 'ALTER TABLE child ALTER CHECK never NOT ENFORCED'],
      ['ANALYZE TABLE child DROP HISTOGRAM ON made', 'ANALYZE TABLE child UPDATE HISTOGRAM ON made WITH 7 BUCKETS'],
      ['DROP VIEW by_another_view', "CREATE DEFINER = 'wäx'@'%' VIEW by_another_view AS SELECT 1 AS a"],
      ["UPDATE kept SET b = 'Same' LIMIT 1", "UPDATE kept SET b = 'same'"],
      [
        "ALTER TABLE `ta``ble; DROP TABLE x; --` COMMENT 'it''s'",
        "ALTER TABLE `ta``ble; DROP TABLE x; --` COMMENT 'it''s \"nasty\"; 海'",
      ],
    ] as const;
    const use = "USE `nasty ``db`; SET sql_mode = ''";
    for (const [change, back] of changes) {
      await target.sql(`${use}; ${change};`).catch((error: unknown) => {
        // A constraint that rows violate cannot be enforced, so this one is only dropped.
        if (!change.includes('ENFORCED')) throw error;
        return target.sql(`${use}; ALTER TABLE child DROP CHECK never;`);
      });
      expect(await mysqlFingerprint(target, databases)).not.toEqual(before);
      await target
        .sql(`${use}; ${back};`)
        .catch(() => target.sql(`${use}; ALTER TABLE child ADD CONSTRAINT never CHECK (hidden < 0) NOT ENFORCED;`));
      expect(await mysqlFingerprint(target, databases)).toEqual(before);
    }
  });
});
