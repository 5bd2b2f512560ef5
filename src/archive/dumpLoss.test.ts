import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { archiveBench, type ArchiveBench } from '../../test/fixtures/archive.js';
import { faultyTool } from '../../test/fixtures/faultyTools.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { until } from '../../test/fixtures/until.js';
import { createMariadbEngine } from '../engines/mariadb/mariadbEngine.js';
import type { TakenBackup } from './archive.js';
import { takeBackup } from './takeBackup.js';

describeWith({ mariadb: mariadbMissing }, 'An incomplete dump whose tool reports success', () => {
  let server: MariadbServer;
  let bench: ArchiveBench;

  beforeAll(async () => {
    [server, bench] = await Promise.all([startMariadb(), archiveBench()]);
    await server.sql(`CREATE DATABASE yard; USE yard;
      CREATE TABLE crates (id INT PRIMARY KEY, text VARCHAR(9)); INSERT INTO crates SELECT seq, 'crate' FROM seq_1_to_40;
      CREATE TABLE ropes (id INT PRIMARY KEY); INSERT INTO ropes VALUES (1), (2);`);
    await server.sql(programs);
  });
  afterAll(async () => {
    await Promise.all([server.stop(), bench.remove()]);
  });

  async function backup(script: string, database = 'yard'): Promise<TakenBackup> {
    const tools = await faultyTool('mariadb-dump', script, bench.folder);
    const engine = createMariadbEngine({ tools: { folders: [tools] } });
    return takeBackup(await bench.backup(engine, server.connection({ databases: [database] })));
  }

  test.each([
    ['drops some lines', `"$real" "$@" | sed -E '/^\\((7|8|9),/d'`, 'yard.crates (37 rows of 40)'],
    ['drops all rows of a table', `"$real" "$@" | sed '/^INSERT INTO .crates./,/;$/d'`, 'yard.crates (0 rows of 40)'],
    ['writes a row twice', `"$real" "$@" | sed '/^(7,/p'`, 'yard.crates (41 rows of 40)'],
    ['leaves a table out', withOption('--ignore-table=yard.ropes'), 'yard.ropes (not in it)'],
  ])('is not a backup if the tool %s', async (_what, script, named) => {
    const message = `The dump lacks objects that the server has: ${named}.`;
    await expect(backup(script)).rejects.toMatchObject({ code: 'INCOMPLETE_DUMP', message, retriable: true });
  });

  test.each([
    ['triggers', withOption('--skip-triggers'), ['triggers yard.counted', 'triggers yard.zählt']],
    [
      'stored programs',
      withOption('--skip-routines'),
      ['procedures yard.tally', 'functions yard.few', 'packages yard.tools', 'packageBodies yard.tools'],
    ],
    ['events', withOption('--skip-events'), ['events yard.daily']],
    ['a view', withOption('--ignore-table=yard.all_crates'), ['views yard.all_crates']],
    ['a view, except for its stand-in', `"$real" "$@" | sed '/CREATE ALGORITHM/,/;$/d'`, ['views yard.all_crates']],
    ['a sequence', withOption('--ignore-table=yard.numbers'), ['sequences yard.numbers']],
    ['one trigger of two', `"$real" "$@" | sed '/TRIGGER counted /,/;;$/d'`, ['triggers yard.counted']],
  ])('is not a backup if it lacks %s', async (_what, script, lost) => {
    const message = `The dump lacks objects that the server has: ${lost.map((name) => `${name} (not in it)`).join(', ')}.`;
    await expect(backup(script)).rejects.toMatchObject({ code: 'INCOMPLETE_DUMP', message, retriable: true });
  });

  test('is retried if a view was dropped and created again unchanged during the dump', async () => {
    const run = (statement: string) => `mariadb "$1" -e "${statement}"`;
    const script = `${run('DROP VIEW yard.all_crates')}; "$real" "$@"; ${run('CREATE DEFINER=root@localhost VIEW yard.all_crates AS SELECT * FROM yard.crates')}`;
    await expect(backup(script)).rejects.toMatchObject({
      ...{ code: 'INCOMPLETE_DUMP', retriable: true },
      message: 'The dump lacks objects that the server has: views yard.all_crates (not in it).',
    });
    await expect(backup('"$real" "$@"')).resolves.toMatchObject({ parts: [{ name: 'databases' }] });
  });

  test('is not reported as incomplete because of names with unusual spelling or in another character set', async () => {
    await server.sql(unusual);
    const { inventory } = await backup('"$real" "$@"', 'odd');
    expect(inventory.databases[0]?.objects).toMatchObject({
      views: ['or`acle', 'vÃ¼'],
      procedures: ['by_role', 'or"acle', 'pÃ¼'],
      functions: ['average'],
      triggers: ['Mixed', 'commented', 'or"acle', 'qualified', 'quoted', 'tÃ¼'],
      events: ['eÃ¼'],
    });
  });

  test('is not reported as incomplete because of rows that are added and removed all the time', async () => {
    await server.sql(busy);
    const writing = server.sql('CALL busy.write_on()');
    try {
      const rounds = async () => Number(await server.sql('SELECT MAX(id) FROM busy.queue'));
      await until(async () => (await rounds()) > 0, 'rows are written');
      for (let time = 0; time < 3; time += 1) {
        const before = await rounds();
        // Delays the dump for as long as it takes to write. So the server counts first, and the tool reads later.
        const { inventory } = await backup('sleep 0.3; "$real" "$@"', 'busy');
        expect(await rounds()).toBeGreaterThan(before);
        expect(inventory.databases[0]?.tables.map(({ name }) => name)).toEqual(['done', 'queue', 'still']);
        expect(inventory.databases[0]?.tables[2]).toMatchObject({ rows: 3, rowsEstimated: false });
      }
    } finally {
      await server.sql('INSERT INTO busy.done VALUES (1)');
      await writing;
    }
  });
});

const busy = `CREATE DATABASE busy; USE busy;
  CREATE TABLE queue (id BIGINT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100)); INSERT INTO queue VALUES (1, 'first');
  CREATE TABLE still (id INT PRIMARY KEY); INSERT INTO still VALUES (1), (2), (3);
  CREATE TABLE done (id INT PRIMARY KEY);
  DELIMITER ;;
  CREATE PROCEDURE write_on() WHILE NOT EXISTS (SELECT * FROM done) DO
    INSERT INTO queue (text) SELECT 'waiting' FROM seq_1_to_20;
    DELETE FROM queue WHERE id % 3 < 2 ORDER BY id LIMIT 15;
    DO SLEEP(0.005);
  END WHILE;;
  DELIMITER ;`;

/** The arguments of the tool with one more argument, before the names of databases. */
function withOption(option: string): string {
  return `for each; do shift; [ "$each" != --databases ] || set -- "$@" ${option}; set -- "$@" "$each"; done; "$real" "$@"`;
}

const programs = `SET NAMES utf8mb4; USE yard;
  CREATE VIEW all_crates AS SELECT * FROM crates;
  CREATE SEQUENCE numbers;
  CREATE TRIGGER counted BEFORE INSERT ON crates FOR EACH ROW SET @counted = 1;
  CREATE TRIGGER \`zählt\` AFTER INSERT ON crates FOR EACH ROW SET @counted = 1;
  CREATE PROCEDURE tally() SELECT COUNT(*) FROM crates;
  CREATE FUNCTION few() RETURNS INT DETERMINISTIC RETURN 2;
  CREATE EVENT daily ON SCHEDULE EVERY 1 DAY DO SELECT 1;
  SET sql_mode = ORACLE;
  DELIMITER ;;
  CREATE PACKAGE tools AS PROCEDURE x(); END;;
  CREATE PACKAGE BODY tools AS PROCEDURE x() AS BEGIN NULL; END; END;;
  DELIMITER ;`;

/** Statements as people write them. A latin1 client writes the last ones. */
const unusual = `CREATE DATABASE odd; USE odd; CREATE TABLE t (a INT); CREATE ROLE IF NOT EXISTS keeper;
  DELIMITER ;;
  CREATE TRIGGER IF NOT EXISTS odd.qualified BEFORE INSERT ON t FOR EACH ROW SET @a = 1;;
  CREATE OR REPLACE TRIGGER \`odd\` . \`quoted\` AFTER INSERT ON t FOR EACH ROW SET @a = 1;;
  CREATE TRIGGER /*!50003 commented */ BEFORE UPDATE ON t FOR EACH ROW SET @a = 1;;
  CREATE TRIGGER Mixed AFTER UPDATE ON t FOR EACH ROW SET @a = 1;;
  CREATE DEFINER = keeper PROCEDURE by_role() SELECT 1;;
  CREATE AGGREGATE FUNCTION average(x INT) RETURNS INT BEGIN
    DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN 1; LOOP FETCH GROUP NEXT ROW; END LOOP; END;;
  SET sql_mode = ORACLE;;
  CREATE TRIGGER "or""acle" BEFORE DELETE ON t FOR EACH ROW BEGIN NULL; END;;
  CREATE PROCEDURE "or""acle" AS BEGIN NULL; END;;
  CREATE VIEW "or\`acle" AS SELECT 1 AS x;;
  SET sql_mode = '';;
  SET NAMES latin1;;
  \\C latin1;;
  CREATE TRIGGER \`tü\` AFTER DELETE ON t FOR EACH ROW SET @a = 1;;
  CREATE PROCEDURE \`pü\`() SELECT 1;;
  CREATE VIEW \`vü\` AS SELECT 1 AS x;;
  CREATE EVENT \`eü\` ON SCHEDULE EVERY 1 DAY DO SELECT 1;;
  DELIMITER ;`;
