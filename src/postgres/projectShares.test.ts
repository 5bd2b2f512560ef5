import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import { seededRandom } from '../../test/faults/seededRandom.js';
import { kindNames } from '../../test/fixtures/kindNames.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { advisoryLocks } from './advisoryLocks.js';
import type { JobQueue, QueuedJob } from './contracts/jobQueue.js';
import type { WorkerRegistry } from './contracts/workerRegistry.js';
import { createJobQueue } from './jobQueue.js';
import { createNotifications, type Notifications } from './notifications.js';
import { createWorkerRegistry } from './workerRegistry.js';

describeWith({ postgresql: await postgresMissing() }, 'projects share the slots of all workers', () => {
  let postgres: TestPostgres;
  let app: DataSource;
  let queue: JobQueue;
  let workers: WorkerRegistry;
  let notifications: Notifications;
  beforeAll(async () => {
    postgres = await startPostgres();
    app = await postgres.connect();
    queue = createJobQueue(app);
    notifications = createNotifications({ connectionString: postgres.appUrl, onError: () => undefined });
    workers = createWorkerRegistry(app, notifications);
  });
  afterAll(async () => {
    await notifications.stop();
    await postgres.stop();
  });
  beforeEach(() =>
    app.query(
      'DELETE FROM job_queue; DELETE FROM job_queue_slots; DELETE FROM job_queue_projects; DELETE FROM workers',
    ),
  );

  const worker = (id: string, concurrency: number, engines = ['MARIADB']) =>
    workers.report({
      ...{ id, concurrency, host: 'h', pid: 1, programVersion: '1', draining: false, lostAfterMs: 600_000 },
      engines: engines.map((engine) => ({ engine, tool: 't', version: '1' })),
    });
  const enqueue = async (projectId: string, count = 1, change: Partial<QueuedJob> = {}) => {
    const at = new Date(Date.now() - 60_000);
    for (let n = 0; n < count; n += 1) {
      await queue.enqueue(app.manager, {
        ...{ jobId: `${projectId} ${randomUUID()}`, kind: 'BACKUP', projectId, serviceId: randomUUID() },
        ...{ engine: 'MARIADB', dueAt: at, queuedAt: at, priority: 'SCHEDULED', ...change },
      });
    }
  };
  const claim = (workerId: string, share: number | null = null, engines = ['MARIADB']) =>
    app.transaction((manager) => queue.claim(manager, workerId, engines, 600_000, kindNames, share));
  const claimed = async (workerId: string, share?: number | null, engines?: string[]) =>
    (await claim(workerId, share, engines))?.projectId;
  const end = async (projectId: string, workerId = 'w') => {
    const [{ id } = { id: '' }] = await app.query<{ id: string }[]>(
      'SELECT job_id AS id FROM job_queue WHERE worker_id = $2 AND project_id = $1 LIMIT 1',
      [projectId, workerId],
    );
    await app.transaction((manager) => queue.remove(manager, id));
  };
  const endAny = async () => {
    const [{ id } = { id: '' }] = await app.query<{ id: string }[]>(
      "SELECT job_id AS id FROM job_queue WHERE worker_id = 'w' AND project_id <> 'own' LIMIT 1",
    );
    await app.transaction((manager) => queue.remove(manager, id));
  };
  const byHand = { priority: 'BY_HAND' } as const;

  test('a project that holds every slot does not get the next one, whatever it waits with', async () => {
    await worker('w', 2);
    await worker('v', 2);
    await enqueue('greedy', 9, byHand);
    for (const id of ['w', 'w', 'v', 'v']) await expect(claimed(id)).resolves.toBe('greedy');
    await enqueue('other');
    const why = async (projectId: string) => {
      const [{ id } = { id: '' }] = await app.query<{ id: string }[]>(
        'SELECT job_id AS id FROM job_queue WHERE worker_id IS NULL AND project_id = $1 LIMIT 1',
        [projectId],
      );
      return (await workers.whyWaiting([id])).get(id);
    };
    const reason = { kind: 'NO_FREE_SLOT', slots: 4, othersWait: true };
    await expect(why('greedy')).resolves.toEqual({ ...reason, own: 4 });
    await expect(why('other')).resolves.toEqual({ ...reason, own: 0 });
    await end('greedy');
    await expect(why('other')).resolves.toBeUndefined();
    await expect(claimed('w')).resolves.toBe('other');
  });

  test('a project does not get the last free slot while another one waits, and gets it if none does', async () => {
    await worker('w', 4);
    await enqueue('greedy', 9, byHand);
    for (let n = 0; n < 3; n += 1) await claim('w');
    await enqueue('later', 1, { dueAt: new Date(Date.now() + 600_000) });
    await enqueue('other', 2);
    await expect(claimed('w')).resolves.toBe('other');
    await end('other');
    await expect(claimed('w')).resolves.toBe('other');
    await end('other');
    await expect(claimed('w')).resolves.toBe('greedy');
  });

  test('a share is a part of the slots, and is free for all while nobody else waits', async () => {
    await worker('w', 8);
    await enqueue('greedy', 9, byHand);
    for (const [projectId, count] of [
      ['a', 2],
      ['b', 2],
      ['c', 1],
    ] as const)
      await enqueue(projectId, count);
    const taken: (string | undefined)[] = [];
    for (let n = 0; n < 7; n += 1) taken.push(await claimed('w', 0.25));
    expect(taken.filter((project) => project === 'greedy')).toHaveLength(2);
    await expect(claimed('w', 0.25)).resolves.toBe('greedy');
  });

  test.each(['SCHEDULED', 'BY_HAND'] as const)(
    'a single slot goes by turns, also beside a project with ever more urgent jobs (%s before)',
    async (before) => {
      await worker('w', 1);
      await enqueue('greedy', 1, { priority: before });
      await expect(claimed('w')).resolves.toBe('greedy');
      await enqueue('greedy', 9, byHand);
      await enqueue('other', 3);
      const order: (string | undefined)[] = [];
      for (let n = 0; n < 5; n += 1) {
        await end(order.at(-1) ?? 'greedy');
        order.push(await claimed('w'));
      }
      expect(order).toEqual(['other', 'greedy', 'other', 'greedy', 'other']);
    },
  );

  test('a restore waits for one slot, and not for the nightly backups of a thousand other projects', async () => {
    await worker('w', 8);
    await app.query(`
      INSERT INTO job_queue_projects (project_id) SELECT 'p' || n FROM generate_series(1, 1000) n;
      INSERT INTO job_queue_slots (service_id) SELECT 's' || n FROM generate_series(1, 1000) n;
      INSERT INTO job_queue (job_id, kind, project_id, service_id, engine, due_at, queued_at)
        SELECT 'j' || n, 'BACKUP', 'p' || n, 's' || n, 'MARIADB', at, at
        FROM generate_series(1, 1000) n, (SELECT now() - interval '1 hour' AS at) t`);
    await enqueue('own');
    for (let n = 0; n < 8; n += 1) await claim('w');
    await enqueue('own', 3, { kind: 'RESTORE', priority: 'RESTORE' });
    await endAny();
    const order: (string | undefined)[] = [];
    for (let n = 0; n < 5; n += 1) {
      order.push(await claimed('w'));
      await endAny();
    }
    expect([order[0], order[2], order[4]]).toEqual(['own', 'own', 'own']);
    expect([order[1], order[3]]).not.toContain('own');
  });

  test('of projects that wait, the one with the fewest slots is next, then the one that has waited longest', async () => {
    await worker('w', 9);
    await enqueue('a', 3);
    await enqueue('b', 2);
    await claim('w');
    await enqueue('c', 2);
    const order = [];
    for (let n = 0; n < 6; n += 1) order.push(await claimed('w'));
    expect(order.slice(0, 2).sort()).toEqual(['b', 'c']);
    expect(order.slice(2)).toEqual(['a', order[0], order[1], 'a']);
  });

  test('only slots count that could run the waiting job', async () => {
    await worker('w', 2, ['MARIADB', 'OTHER']);
    await worker('v', 8);
    await worker('draining', 8);
    await app.query("UPDATE workers SET draining = true WHERE id = 'draining'");
    await enqueue('greedy', 9, byHand);
    await claim('w', null, ['MARIADB', 'OTHER']);
    await enqueue('other', 1, { engine: 'OTHER' });
    await expect(claimed('v')).resolves.toBe('greedy');
    await expect(claimed('w', null, ['MARIADB', 'OTHER'])).resolves.toBe('other');
  });

  describe('also when many workers claim at the same moment', () => {
    test.each([
      [null, 1],
      [0.5, 2],
      [0.25, 3],
    ])('with the share %s (seed %i)', async (share, seed) => {
      const names = ['w1', 'w2', 'w3', 'w4', 'w5', 'w6'];
      for (const name of names) await worker(name, 2);
      const slots = 2 * names.length;
      const most = share === null ? slots - 1 : Math.floor(slots * share);
      await enqueue('greedy', 60, byHand);
      await enqueue('restores', 20, { kind: 'RESTORE', priority: 'RESTORE' });
      for (const projectId of ['a', 'b', 'c', 'd']) await enqueue(projectId, 8);
      const random = seededRandom(seed);
      const wrong: string[] = [];
      const order: string[] = [];

      const work = async (name: string) => {
        let held: string[] = [];
        for (;;) {
          if (held.length === 2 || (held.length > 0 && random() < 0.3)) {
            const [over = '', ...rest] = held;
            held = rest;
            await app.transaction(async (manager) => {
              await manager.query(`SELECT pg_advisory_xact_lock(${advisoryLocks.claim})`);
              await queue.remove(manager, over);
            });
          }
          const lease = await app.transaction(async (manager) => {
            const next = await queue.claim(manager, name, ['MARIADB'], 600_000, kindNames, share);
            if (next !== undefined && (await isGreedy(manager, next.projectId, most))) wrong.push(next.projectId);
            if (next !== undefined) order.push(next.projectId);
            return next;
          });
          if (lease === undefined) {
            if (held.length === 0) return;
            continue;
          }
          held.push(lease.jobId);
        }
      };
      await Promise.all(names.map(work));
      expect(wrong).toEqual([]);
      expect(order).toHaveLength(112);
      // Every second slot goes by turns among six projects. So nobody waits for long.
      for (const projectId of ['a', 'b', 'c', 'd']) expect(order.lastIndexOf(projectId)).toBeLessThan(100);
    });
  });

  /** Whether a project has more than its share while another one waits that holds fewer. Call it while claims wait. */
  async function isGreedy(manager: EntityManager, projectId: string, most: number): Promise<boolean> {
    const [{ greedy }] = await manager.query<[{ greedy: boolean }]>(
      `WITH held AS (
         SELECT project_id, count(worker_id)::int AS held, count(*) FILTER (WHERE worker_id IS NULL) AS waits
         FROM job_queue GROUP BY project_id
       )
       SELECT own.held > $2 AND EXISTS (SELECT FROM held WHERE waits > 0 AND held.held < own.held - 1) AS greedy
       FROM held own WHERE project_id = $1`,
      [projectId, most],
    );
    return greedy;
  }
});
