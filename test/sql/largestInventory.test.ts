import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { largestWrittenBytes } from '../../src/archive/fitBackupDocument.js';
import { describeWith } from '../fixtures/requirements.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../fixtures/servers/postgres.js';

/** The longest jsonb array or object that PostgreSQL stores. */
const mostJsonbBytes = 268_435_455;

describeWith({ postgresql: await postgresMissing() }, 'The inventory of the largest backup.json', () => {
  let postgres: TestPostgres;
  let client: Client;
  beforeAll(async () => {
    postgres = await startPostgres();
    client = new Client({ connectionString: postgres.appUrl });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await postgres.stop();
  });

  const shapes: Readonly<Record<string, (number: number) => unknown>> = {
    'empty databases': (number) => ({ name: `d${number}`, tables: [] }),
    'tables without details': (number) => ({ name: `t${number}`, rows: 1, rowsEstimated: false }),
    'tables with all details': (number) => ({
      ...{ name: `t${number}`, type: 'BASE TABLE', engine: 'InnoDB', rowFormat: 'Dynamic', collation: 'latin1_bin' },
      ...{ rows: 1, rowsEstimated: false, dataBytes: 0, changedAt: null, createdAt: '2026-01-01 00:00:00' },
    }),
    triggers: (number) => ({ name: `t${number}`, definer: 'a@b' }),
  };

  test.each(Object.keys(shapes))('of %s fits into jsonb', async (shape) => {
    const text = JSON.stringify(Array.from({ length: 20_000 }, (_, number) => shapes[shape]?.(number)));
    const { rows } = await client.query<{ bytes: number }>('SELECT pg_column_size($1::jsonb) AS bytes', [text]);
    const growth = (rows[0]?.bytes ?? Infinity) / Buffer.byteLength(text);
    expect(growth * largestWrittenBytes).toBeLessThan(mostJsonbBytes);
  });
});
