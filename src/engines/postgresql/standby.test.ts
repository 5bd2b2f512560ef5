import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { dumpAll, restoreAll } from '../../../test/fixtures/dumpAllParts.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import {
  postgresVersionsMissing,
  startPostgresServer,
  startPostgresStandby,
  type PostgresServer,
} from '../../../test/fixtures/servers/postgresVersions.js';
import { until } from '../../../test/fixtures/until.js';
import { createPostgresqlEngine } from './postgresqlEngine.js';

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'a standby of PostgreSQL', () => {
  const engine = createPostgresqlEngine();
  let primary: PostgresServer;
  let standby: PostgresServer;
  let folder: string;
  const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(120_000) });
  const shop = () => standby.connection({ databases: ['shop'] });
  const replayed = async () => {
    const position = (await primary.sql('postgres', 'SELECT pg_current_wal_lsn()')).trim();
    await until(async () => {
      const done = await standby.sql('postgres', `SELECT pg_last_wal_replay_lsn() >= '${position}'::pg_lsn`);
      return done.trim() === 't';
    }, 'the standby has replayed the changes');
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-standby-test-'));
    primary = await startPostgresServer('15', ['autovacuum=off']);
    await primary.sql('postgres', 'CREATE DATABASE shop');
    await primary.sql(
      'shop',
      `CREATE TABLE orders (id int PRIMARY KEY, note text);
       INSERT INTO orders SELECT i, (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 60) j) FROM generate_series(1, 20000) i;
       CREATE UNLOGGED TABLE quick (id int); INSERT INTO quick VALUES (1)`,
    );
    standby = await startPostgresStandby(primary, '15', ['hot_standby_feedback=off', 'max_standby_streaming_delay=0']);
    await replayed();
  });
  afterAll(async () => {
    await engine.close();
    await standby.stop();
    await primary.stop();
    await rm(folder, { recursive: true });
  });

  test('is backed up, with a warning of what it may end and of what it does not have', async () => {
    const dumped = await dumpAll(engine, shop(), context());
    expect(dumped.report.warnings).toContainEqual(expect.stringContaining('a standby that may end the dump after 0'));
    expect(dumped.report.warnings).toContainEqual(
      expect.stringMatching(/no rows of unlogged tables[^\n]*: public\.quick\./),
    );
    expect(dumped.inventory.databases[0]?.tables).toMatchObject([
      { name: 'public.orders', rows: 20_000 },
      { name: 'public.quick', rows: 0 },
    ]);
    await primary.sql('postgres', 'DROP DATABASE shop WITH (FORCE)');
    await restoreAll(engine, primary.connection(), dumped, context());
    expect(await primary.sql('shop', 'SELECT count(*), sum(length(note)) FROM orders')).toBe('20000|38400000\n');
    await replayed();
  });

  test('is refused as a target before anything is sent', async () => {
    const { inventory } = await dumpAll(engine, shop(), context());
    await expect(engine.restorePreflight(standby.connection(), { inventory }, context())).rejects.toMatchObject({
      code: 'TARGET_UNFIT',
      message: expect.stringContaining('standby'),
    });
  });
});
