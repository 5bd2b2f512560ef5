import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import type { TableState } from '../../rowCounting.js';
import { createMariadbEngine } from '../mariadbEngine.js';

const engine = createMariadbEngine();
const context = { workFolder: '/nowhere', signal: new AbortController().signal };

describeWith({ mariadb: mariadbMissing }, 'Looking at a table once more after its dump', () => {
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
    // Of a dump that holds another number of rows.
    const unsure = [{ database: 'd', name: 't', rows: 100 }];
    const [after]: readonly TableState[] = await engine.recount(connection, unsure, inventory, context);
    return [before?.changedAt, after?.changedAt];
  }

  test('shows that it is written to all the time, also where the server tells the same second at first', async () => {
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

  test('shows that nobody has written to it since, also where it was written to just before', async () => {
    await server.sql('INSERT INTO d.t VALUES (3)');
    const [before, after] = await timesOfChange();
    expect(before).toEqual(expect.any(String));
    expect(after).toBe(before);
  });
});
