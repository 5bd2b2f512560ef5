import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { describeWith } from '../../test/fixtures/requirements.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { createDataSource } from '../../ormconfig.js';
import { withPatience } from './patience.js';

describeWith({ postgresql: await postgresMissing() }, 'the connections of a process', () => {
  let postgres: TestPostgres;
  let dataSource: DataSource;

  beforeAll(async () => {
    postgres = await startPostgres();
    dataSource = await createDataSource({ url: postgres.appUrl, poolSize: 4 }).initialize();
  });
  afterAll(async () => {
    await dataSource.destroy();
    await postgres.stop();
  });

  test('are not all held by the statements of one viewer', async () => {
    const owner = await postgres.connect(postgres.ownerUrl);
    const holder = owner.createQueryRunner();
    await holder.query('SELECT pg_advisory_lock(7)');
    let ended = 0;
    const greedy = Array.from({ length: 10 }, () =>
      withPatience(60_000, () => dataSource.query('SELECT pg_advisory_xact_lock_shared(7)'), 'greedy').then(
        () => (ended += 1),
      ),
    );
    const statement = 'SELECT 1 AS one';
    try {
      expect(await withPatience(5_000, () => dataSource.query(statement), 'other')).toEqual([{ one: 1 }]);
      expect(await dataSource.query(statement)).toEqual([{ one: 1 }]);
      expect(ended).toBe(0);
    } finally {
      await holder.query('SELECT pg_advisory_unlock(7)');
      await Promise.all(greedy);
      await holder.release();
    }
  });

  test('are free again after a wait for them was given up', async () => {
    const owner = await postgres.connect(postgres.ownerUrl);
    const holder = owner.createQueryRunner();
    await holder.query('SELECT pg_advisory_lock(7)');
    const impatient = Array.from({ length: 10 }, () =>
      withPatience(200, () => dataSource.query('SELECT pg_advisory_xact_lock_shared(7)'), 'greedy').catch(
        (error: unknown) => (error as { readonly code?: string }).code,
      ),
    );
    expect(new Set(await Promise.all(impatient))).toEqual(new Set(['UNAVAILABLE']));
    await holder.query('SELECT pg_advisory_unlock(7)');
    await holder.release();
    const all = await Promise.all(
      Array.from({ length: 10 }, () => withPatience(10_000, () => dataSource.query('SELECT 1 AS one'), 'greedy')),
    );
    expect(all).toHaveLength(10);
  });
});
