import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { createDataSource } from '../../ormconfig.js';
import { fillWithBackupJobs } from '../fixtures/manyBackupJobs.js';
import { startApi } from '../fixtures/processes/stowageProcess.js';
import { startPostgres } from '../fixtures/servers/postgres.js';
import { createProjectOfOthers } from './projectOfOthers.js';
import type { StrangersGround, StrangersIds } from './stranger.js';

export type RunningGround = StrangersGround & {
  /** Whether the process still runs. */
  isAlive(): boolean;
  /** The output of the process. */
  output(): string;
  stop(): Promise<void>;
};

/**
 * `stowage serve` in a separate process, with a PostgreSQL that contains a few hundred plans, backups and long texts.
 */
export async function startGround({
  main,
  all,
  seed,
}: {
  /** The built program: dist/src/main.js. */
  readonly main: string;
  readonly all: boolean;
  readonly seed: number;
}): Promise<RunningGround> {
  const closing: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const close of closing.reverse()) await close();
  };
  try {
    const postgres = await startPostgres();
    closing.push(() => postgres.stop());
    const owner = await createDataSource({ url: postgres.ownerUrl, poolSize: 2 }).initialize();
    closing.push(() => owner.destroy());
    const ids = await fill(owner);
    const token = randomBytes(32).toString('hex');
    const folder = await mkdtemp(join(tmpdir(), 'stowage-strangers-'));
    closing.push(() => rm(folder, { recursive: true }));
    const api = await startApi(main, {
      STOWAGE_FILESYSTEM_ROOT: folder,
      DATABASE_URL: postgres.appUrl,
      MIGRATION_DATABASE_URL: postgres.ownerUrl,
      SCHEDULE_STORE_URL: 'postgres',
      STOWAGE_MASTER_KEY: randomBytes(32).toString('base64'),
      STOWAGE_ADMIN_TOKEN: token,
      STOWAGE_ALLOWED_TARGETS: 'default,loopback',
    });
    closing.push(() => api.terminate());
    const others = await createProjectOfOthers({ url: api.url, token }, 'Others');
    return {
      ...{ url: api.url, token, otherToken: others.token, pid: api.pid, main, owner, ids, all, seed, stop },
      output: api.output,
      isAlive: () => isAlive(api.pid),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function fill(owner: DataSource): Promise<StrangersIds> {
  await fillWithBackupJobs(owner, { projects: 4, services: 200, jobs: 4_000 });
  await owner.query(`
    UPDATE services SET tls = jsonb_build_object('mode', 'VERIFY', 'ca', repeat('x', 64000));
    UPDATE backup_jobs SET inventory = jsonb_set(inventory, '{databases}', (
        SELECT jsonb_build_array(jsonb_build_object('name', 'orders', 'tables', jsonb_agg(jsonb_build_object(
          'name', 'table_' || n, 'rows', n, 'rowsEstimated', false))))
        FROM generate_series(1, 3000) n))
      WHERE id IN (SELECT id FROM backup_jobs WHERE status = 'SUCCEEDED' ORDER BY queued_at DESC LIMIT 100);
  `);
  const ids = async (sql: string) => (await owner.query<{ id: string }[]>(sql)).map(({ id }) => id);
  return {
    projectIds: await ids('SELECT id FROM projects ORDER BY id'),
    serviceIds: await ids('SELECT id FROM services ORDER BY id'),
    planIds: await ids('SELECT id FROM backup_plans WHERE NOT paused ORDER BY id'),
    jobIds: await ids(`SELECT id FROM backup_jobs WHERE status = 'SUCCEEDED' ORDER BY queued_at DESC LIMIT 100`),
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
