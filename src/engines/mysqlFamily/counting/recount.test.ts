import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import { until } from '../../../../test/fixtures/until.js';
import type { TableState } from '../../rowCounting.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';

const engine = createMariadbEngine();
const context = { workFolder: '/nowhere', signal: new AbortController().signal };

describeWith({ mariadb: mariadbMissing }, 'The second count of a table after its dump', () => {
  let server: MariadbServer;

  beforeAll(async () => {
    server = await startMariadb();
    await server.sql('CREATE DATABASE d; CREATE TABLE d.t (a INT); INSERT INTO d.t VALUES (1);');
  });
  afterAll(() => server.stop());

  async function timesOfChange(): Promise<readonly [before: unknown, after: unknown]> {
    const connection = server.connection({ databases: ['d'] });
    const inventory = await engine.inventory(connection, context);
    const [before] = inventory.databases[0]?.tables ?? [];
    // The dump seems to hold another number of rows, so the table is counted again.
    const unsure = [{ database: 'd', name: 't', rows: 100 }];
    const [after]: readonly TableState[] = await engine.recount(connection, unsure, inventory, context);
    return [before?.changedAt, after?.changedAt];
  }

  test('shows a later change while the table is written to all the time, also if the server first reports the same second', async () => {
    const ended = new AbortController();
    const writing = (async () => {
      while (!ended.signal.aborted) await server.sql('INSERT INTO d.t VALUES (2); DELETE FROM d.t WHERE a = 2;');
    })();
    try {
      for (let round = 0; round < 3; round++) {
        const [before, after] = await timesOfChange();
        expect(before).toEqual(expect.any(String));
        expect(after).toEqual(expect.any(String));
        expect(after).not.toBe(before);
      }
    } finally {
      ended.abort();
      await writing;
    }
  });

  test('shows a change whose time the server reports only after it has shown the rows', async () => {
    const old =
      "SELECT update_time < NOW() - INTERVAL 2 SECOND FROM information_schema.tables WHERE table_schema = 'd'";
    await until(async () => (await server.sql(old)) === '1\n', 'the last change is not recent', 10_000);
    // The table is written to after its time was read for the first time: the session of the second count pauses.
    const pauses = `SELECT COUNT(*) FROM information_schema.processlist
      WHERE user = '${server.username}' AND command = 'Sleep' AND time_ms > 150`;
    const written = (async () => {
      await until(async () => (await server.sql(pauses)) !== '0\n', 'the second count pauses', 10_000);
      await server.sql('INSERT INTO d.t VALUES (4)');
    })();
    const [before, after] = await timesOfChange();
    await written;
    expect(before).toEqual(expect.any(String));
    expect(after).toEqual(expect.any(String));
    expect(after).not.toBe(before);
  });

  test('shows no time of change of a MyISAM table that is mapped into memory, because rows may change without it', async () => {
    // A row that takes the place of a deleted one changes a page of the file. If that page waits to be written, the file
    // keeps its time.
    await server.sql(`SET GLOBAL myisam_use_mmap = ON; CREATE DATABASE mapped; USE mapped;
      CREATE TABLE t (a INT) ENGINE=MyISAM; INSERT INTO t VALUES (1), (2);`);
    const connection = server.connection({ databases: ['mapped'] });
    const unsure = [{ database: 'mapped', name: 't', rows: 1 }];
    const states = async () => engine.recount(connection, unsure, await engine.inventory(connection, context), context);
    expect(await states()).toEqual([{ ...unsure[0], rows: 2, createdAt: expect.any(String) }]);
    await server.sql('SET GLOBAL myisam_use_mmap = OFF');
    expect(await states()).toEqual([
      { ...unsure[0], rows: 2, createdAt: expect.any(String), changedAt: expect.any(String) },
    ]);
  });

  test('shows the same change if the table was not written to again, also right after a write', async () => {
    await server.sql('INSERT INTO d.t VALUES (3)');
    const [before, after] = await timesOfChange();
    expect(before).toEqual(expect.any(String));
    expect(after).toBe(before);
  });
});
