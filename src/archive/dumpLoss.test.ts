import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { archiveBench, type ArchiveBench } from '../../test/fixtures/archive.js';
import { faultyTool } from '../../test/fixtures/faultyTools.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { until } from '../../test/fixtures/until.js';
import { createMariadbEngine } from '../engines/mariadb/mariadbEngine.js';
import type { TakenBackup } from './archive.js';
import { takeBackup } from './takeBackup.js';

describeWith({ mariadb: mariadbMissing }, 'A dump that lacks something and that its tool calls complete', () => {
  let server: MariadbServer;
  let bench: ArchiveBench;

  beforeAll(async () => {
    [server, bench] = await Promise.all([startMariadb(), archiveBench()]);
    await server.sql(`CREATE DATABASE yard; USE yard;
      CREATE TABLE crates (id INT PRIMARY KEY, text VARCHAR(9)); INSERT INTO crates SELECT seq, 'crate' FROM seq_1_to_40;
      CREATE TABLE ropes (id INT PRIMARY KEY); INSERT INTO ropes VALUES (1), (2);`);
  });
  afterAll(async () => {
    await Promise.all([server.stop(), bench.remove()]);
  });

  async function backup(script: string, database = 'yard'): Promise<TakenBackup> {
    const tools = await faultyTool('mariadb-dump', script, bench.folder);
    const engine = createMariadbEngine({ toolsPath: [tools] });
    return takeBackup(await bench.backup(engine, server.connection({ databases: [database] })));
  }

  test.each([
    ['the rows of some lines', `"$real" "$@" | sed -E '/^\\((7|8|9),/d'`, 'yard.crates (37 rows of 40)'],
    ['all rows of a table', `"$real" "$@" | sed '/^INSERT INTO .crates./,/;$/d'`, 'yard.crates (0 rows of 40)'],
    ['a row twice', `"$real" "$@" | sed '/^(7,/p'`, 'yard.crates (41 rows of 40)'],
    ['a whole table', `"$real" "$1" --ignore-table=yard.ropes --databases yard`, 'yard.ropes (not in it)'],
  ])('is no backup: %s', async (_what, script, named) => {
    const message = `The dump lacks what the server has: ${named}.`;
    await expect(backup(script)).rejects.toMatchObject({ code: 'INCOMPLETE_DUMP', message, retriable: true });
  });

  test('is not suspected where somebody adds and removes rows all the time', async () => {
    await server.sql(busy);
    const writing = server.sql('CALL busy.write_on()');
    try {
      const rounds = async () => Number(await server.sql('SELECT MAX(id) FROM busy.queue'));
      await until(async () => (await rounds()) > 0, 'rows are written');
      for (let time = 0; time < 3; time += 1) {
        const before = await rounds();
        // Holds the dump for as long as it takes to write: the server counts beside it, the tool reads later.
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
