import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import type { JobQueue } from './contracts/jobQueue.js';
import type { WorkerRegistry, WorkerReport } from './contracts/workerRegistry.js';
import { createJobQueue } from './jobQueue.js';
import { createNotifications, type Notifications } from './notifications.js';
import { createWorkerRegistry } from './workerRegistry.js';
import { kindNames } from '../../test/fixtures/kindNames.js';

describeWith({ postgresql: await postgresMissing() }, 'registry of workers', () => {
  let postgres: TestPostgres;
  let app: DataSource;
  let notifications: Notifications;
  let workers: WorkerRegistry;
  let queue: JobQueue;

  beforeAll(async () => {
    postgres = await startPostgres();
    app = await postgres.connect();
    notifications = createNotifications({ connectionString: postgres.appUrl, onError: () => undefined });
    await notifications.start();
    workers = createWorkerRegistry(app, notifications);
    queue = createJobQueue(app);
  });
  afterAll(async () => {
    await notifications.stop();
    await postgres.stop();
  });
  beforeEach(() => app.query('DELETE FROM workers; DELETE FROM job_queue; DELETE FROM job_queue_slots'));

  const mariadb = { engine: 'MARIADB', tool: 'mariadb-dump', version: '10.11.6' };
  const report = (change: Partial<WorkerReport> = {}): WorkerReport => ({
    id: 'w',
    host: 'quay',
    pid: 7,
    programVersion: '1.2.3',
    concurrency: 2,
    engines: [mariadb],
    draining: false,
    lostAfterMs: 45_000,
    ...change,
  });
  const enqueue = async (jobId: string, engine = 'MARIADB', dueAt = new Date(Date.now() - 60_000)) =>
    queue.enqueue(app.manager, {
      ...{ jobId, kind: 'BACKUP', projectId: 'p', serviceId: `service of ${jobId}`, engine, dueAt },
      ...{ queuedAt: new Date(Date.now() - 60_000), priority: 'SCHEDULED' },
    });
  const heardAgo = (id: string, interval: string) =>
    app.query('UPDATE workers SET last_heard_at = clock_timestamp() - $2::interval WHERE id = $1', [id, interval]);
  const ids = async () => (await workers.list()).map(({ id }) => id);

  test('a worker is listed from its first report until it leaves, with the data of its report', async () => {
    await workers.report(report());
    const [worker] = await workers.list();
    expect(worker).toMatchObject({ ...report(), isLost: false, leases: [] });
    await workers.report(report({ draining: true, engines: [] }));
    await expect(workers.list()).resolves.toMatchObject([
      { draining: true, engines: [], startedAt: worker?.startedAt },
    ]);
    await workers.leave('w');
    await expect(ids()).resolves.toEqual([]);
  });

  test('a worker without a report for its limit is lost, returns with its next report, and is deleted after an hour', async () => {
    await workers.report(report());
    await heardAgo('w', '46 seconds');
    await expect(workers.list()).resolves.toMatchObject([{ isLost: true }]);
    await workers.report(report());
    await expect(workers.list()).resolves.toMatchObject([{ isLost: false }]);
    await heardAgo('w', '61 minutes');
    await expect(ids()).resolves.toEqual([]);
    await workers.report(report({ id: 'other' }));
    await expect(app.query('SELECT id FROM workers')).resolves.toEqual([{ id: 'other' }]);
  });

  test('a worker is listed with its leases', async () => {
    await workers.report(report());
    await enqueue('job');
    await app.transaction((manager) => queue.claim(manager, 'w', ['MARIADB'], 60_000, kindNames));
    await expect(workers.list()).resolves.toMatchObject([{ leases: [{ jobId: 'job', kind: 'BACKUP', attempt: 1 }] }]);
  });

  test('a due job has the reason that there is no worker, or no worker with its tools; a claimable job has no reason', async () => {
    await enqueue('due');
    await enqueue('other', 'MONGODB');
    await enqueue('later', 'MARIADB', new Date(Date.now() + 60_000));
    const why = async () => Object.fromEntries(await workers.whyWaiting(['due', 'other', 'later', 'unknown']));
    await expect(why()).resolves.toEqual({ due: { kind: 'NO_WORKER' }, other: { kind: 'NO_WORKER' } });
    await workers.report(report());
    await expect(why()).resolves.toEqual({ other: { kind: 'NO_TOOLS', engine: 'MONGODB' } });
    await expect(workers.withoutWorker()).resolves.toMatchObject([{ engine: 'MONGODB', jobs: 1 }]);
    await heardAgo('w', '1 minute');
    await expect(why()).resolves.toMatchObject({ due: { kind: 'NO_WORKER' } });
    await workers.report(report({ draining: true }));
    await expect(why()).resolves.toMatchObject({ due: { kind: 'NO_WORKER' } });
    await expect(workers.withoutWorker()).resolves.toHaveLength(2);
  });

  test('a job that needs a version of a tool waits for a worker that has it, or a newer one', async () => {
    const why = async () => (await workers.whyWaiting(['job'])).get('job')?.kind;
    const tool = (version: string, name = 'pg_dump') => ({ engine: 'POSTGRESQL', tool: name, version });
    await enqueue('job', 'POSTGRESQL');
    await queue.needTools(app.manager, 'job', 'POSTGRESQL pg_dump 15.4');
    for (const [engines, reason] of [
      [[tool('9.6'), tool('20', 'zstd'), { ...tool('18'), engine: 'OTHER' }], 'NO_TOOLS'],
      [[tool('15.3')], 'NO_TOOLS'],
      [[tool('18beta1')], 'NO_TOOLS'],
      [[tool('15.3'), tool('15.10')], undefined],
      [[tool('18')], undefined],
    ] as const) {
      await workers.report(report({ engines }));
      expect(await why()).toBe(reason);
    }
  });

  test('a job that could not be started has the end of its pause as the reason; a claimed job has no reason', async () => {
    await workers.report(report());
    await enqueue('job');
    await app.transaction((manager) => queue.putOff(manager, 'job', 60_000));
    const [[, reason] = []] = await workers.whyWaiting(['job']);
    expect(reason).toMatchObject({ kind: 'PUT_OFF' });
    await app.query('UPDATE job_queue SET due_at = clock_timestamp()');
    await app.transaction((manager) => queue.claim(manager, 'w', ['MARIADB'], 60_000, kindNames));
    await workers.leave('w');
    expect((await workers.whyWaiting(['job'])).size).toBe(0);
  });

  test('a job whose service is kept for an ended job has that reason, with its time limit', async () => {
    await workers.report(report());
    await enqueue('over');
    await app.transaction((manager) => queue.claim(manager, 'w', ['MARIADB'], 60_000, kindNames));
    await queue.enqueue(app.manager, {
      ...{ jobId: 'next', kind: 'BACKUP', projectId: 'p', serviceId: 'service of over', engine: 'MARIADB' },
      ...{ dueAt: new Date(Date.now() - 1_000), queuedAt: new Date(Date.now() - 1_000), priority: 'SCHEDULED' },
    });
    expect((await workers.whyWaiting(['next'])).size).toBe(0);
    await app.transaction((manager) => queue.removeKeeping(manager, 'over', 60_000));
    expect((await workers.whyWaiting(['next'])).get('next')).toMatchObject({ kind: 'SERVICE_KEPT' });
    await expect(workers.list()).resolves.toMatchObject([{ leases: [] }]);
    await app.transaction((manager) => queue.letGo(manager, 'over'));
    expect((await workers.whyWaiting(['next'])).size).toBe(0);
  });

  test('every report and every removal is sent to the subscribers', async () => {
    const notificationsOf = (act: () => Promise<void>) =>
      new Promise<void>((resolve, reject) => {
        const limit = setTimeout(() => reject(new Error('The listener was not called.')), 120_000);
        const stop = workers.subscribe(() => {
          clearTimeout(limit);
          stop();
          resolve();
        });
        act().catch(reject);
      });
    await notificationsOf(() => workers.report(report()));
    await notificationsOf(() => workers.leave('w'));
  });
});
