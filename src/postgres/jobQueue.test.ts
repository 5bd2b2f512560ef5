import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { longestPauseMs, type JobQueue, type Lease, type QueuedJob } from './contracts/jobQueue.js';
import { createJobQueue } from './jobQueue.js';
import { until } from '../../test/fixtures/until.js';
import { kindNames } from '../../test/fixtures/kindNames.js';

describeWith({ postgresql: await postgresMissing() }, 'job queue', () => {
  let postgres: TestPostgres;
  let app: DataSource;
  let queue: JobQueue;
  beforeAll(async () => {
    postgres = await startPostgres();
    app = await postgres.connect();
    queue = createJobQueue(app);
  });
  afterAll(() => postgres.stop());
  beforeEach(() => app.query('DELETE FROM job_queue; DELETE FROM job_queue_slots; DELETE FROM job_queue_projects'));

  const minuteMs = 60_000;
  const ago = (ms: number) => new Date(Date.now() - ms);
  const job = (change: Partial<QueuedJob> = {}): QueuedJob => ({
    jobId: randomUUID(),
    kind: 'BACKUP',
    projectId: 'p',
    serviceId: randomUUID(),
    engine: 'MARIADB',
    dueAt: ago(minuteMs),
    queuedAt: ago(minuteMs),
    priority: change.kind === 'RESTORE' ? 'RESTORE' : 'SCHEDULED',
    ...change,
  });
  const enqueue = async (...jobs: QueuedJob[]) => {
    for (const each of jobs) await queue.enqueue(app.manager, each);
  };
  const claim = (worker = 'w', leaseMs = minuteMs) =>
    app.transaction((manager) => queue.claim(manager, worker, ['MARIADB'], leaseMs, kindNames));
  const claimed = async (leaseMs?: number): Promise<Lease> => {
    const lease = await claim('w', leaseMs);
    if (lease === undefined) throw new Error('Nothing was claimed.');
    return lease;
  };
  const remove = (jobId: string) => app.transaction((manager) => queue.remove(manager, jobId));

  test('a job is claimed once, with the next attempt and the end of its lease', async () => {
    const due = job();
    await enqueue(due, due);
    const lease = await claimed();
    expect(lease).toMatchObject({ jobId: due.jobId, kind: 'BACKUP', workerId: 'w', attempt: 1 });
    expect(lease.expiresAt.getTime() - Date.now()).toBeGreaterThan(minuteMs / 2);
    await expect(claim()).resolves.toBeUndefined();
  });

  test('a job is not claimed if it is not due, or if the worker does not have its engine', async () => {
    const later = new Date(Date.now() + minuteMs);
    await enqueue(job({ dueAt: later, jobId: 'later' }), job({ engine: 'MONGODB' }));
    await expect(claim()).resolves.toBeUndefined();
    await expect(queue.waiting()).resolves.toHaveLength(2);
    await remove('later');
    await expect(queue.nextDue().then((due) => due?.getTime())).resolves.toBeLessThan(Date.now());
  });

  test('after the clock goes back, due jobs do not wait, and retries wait no longer than the longest pause', async () => {
    const ahead = (ms: number) => new Date(Date.now() + ms);
    const soon = ahead(5 * minuteMs);
    await enqueue(job({ jobId: 'queued in the future', dueAt: soon, queuedAt: soon }));
    await expect(claimed()).resolves.toMatchObject({ jobId: 'queued in the future' });
    const retry = job({ jobId: 'retry', dueAt: ahead(61 * minuteMs), queuedAt: ahead(59 * minuteMs) });
    await enqueue(retry, job({ dueAt: ahead(longestPauseMs - minuteMs) }));
    await expect(claimed()).resolves.toMatchObject({ jobId: 'retry' });
    await expect(claim()).resolves.toBeUndefined();
  });

  test('every second slot goes by turns, however many urgent jobs wait, and a project gets its urgent jobs first', async () => {
    const busy = ['a', 'b', 'c'].map((name, index) =>
      job({ jobId: `busy-${name}`, projectId: 'busy', dueAt: ago((10 - index) * minuteMs) }),
    );
    const quiet = job({ jobId: 'quiet', projectId: 'quiet' });
    const urgent = [1, 2].map((n) =>
      job({ jobId: `manual ${n}`, projectId: 'p', priority: 'BY_HAND', dueAt: ago(9 - n) }),
    );
    const restore = job({ jobId: 'restore', projectId: 'p', kind: 'RESTORE', priority: 'RESTORE', dueAt: ago(1) });
    await enqueue(...busy, quiet, ...urgent, restore, job({ jobId: 'own', projectId: 'p', dueAt: ago(20 * minuteMs) }));
    const order: string[] = [];
    for (let lease = await claim(); lease !== undefined; lease = await claim()) {
      order.push(lease.jobId);
      await remove(lease.jobId);
    }
    expect(order[0]).toBe('restore');
    expect(order.filter((id) => id.startsWith('manual'))).toEqual(['manual 1', 'manual 2']);
    expect([order[2], order[4]]).toEqual(['manual 1', 'manual 2']);
    expect(new Set([order[1], order[3]])).toEqual(new Set(['busy-a', 'quiet']));
    expect(order.slice(5).sort()).toEqual(['busy-b', 'busy-c', 'own']);
  });

  test('a service has one lease at a time, for jobs of all kinds', async () => {
    const serviceId = randomUUID();
    await enqueue(job({ serviceId, jobId: 'one' }), job({ serviceId, jobId: 'two', kind: 'RESTORE' }));
    const lease = await claimed();
    expect(lease.jobId).toBe('two');
    await expect(claim()).resolves.toBeUndefined();
    await remove(lease.jobId);
    await expect(claim()).resolves.toMatchObject({ jobId: 'one' });
  });

  test('a free service is found anywhere among busy ones, and none is found if all are busy', async () => {
    const services = ['a', 'b', 'c', 'd'];
    for (const serviceId of services) {
      await enqueue(job({ serviceId, jobId: `first-${serviceId}`, dueAt: ago(9 * minuteMs) }), job({ serviceId }));
    }
    for (const _ of services) await claimed();
    await expect(claim()).resolves.toBeUndefined();
    for (const serviceId of ['b', 'd', 'a', 'c']) {
      await remove(`first-${serviceId}`);
      await expect(claim()).resolves.toMatchObject({ serviceId });
      await expect(claim()).resolves.toBeUndefined();
    }
  });

  test('8 simultaneous claimers never share a job or a service, and claim all jobs', async () => {
    const services = Array.from({ length: 12 }, () => randomUUID());
    const jobs = services.flatMap((serviceId, index) =>
      Array.from({ length: 5 }, () => job({ serviceId, projectId: `p${index % 3}` })),
    );
    await enqueue(...jobs);
    const active = new Set<string>();
    const done: string[] = [];
    const work = async (worker: string) => {
      while (done.length < jobs.length) {
        const lease = await claim(worker);
        if (lease === undefined) continue;
        expect(active.has(lease.serviceId)).toBe(false);
        active.add(lease.serviceId);
        await app.transaction(async (manager) => {
          await queue.fence(manager, lease);
          active.delete(lease.serviceId);
          await queue.remove(manager, lease.jobId);
        });
        done.push(lease.jobId);
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, index) => work(`w${index}`)));
    expect(done.sort()).toEqual(jobs.map(({ jobId }) => jobId).sort());
  });

  test('a claim follows a claim whose transaction is still open, and sees what that has taken', async () => {
    await enqueue(job({ projectId: 'p' }), job({ projectId: 'p' }), job({ projectId: 'q', dueAt: ago(1) }));
    const order: (string | undefined)[] = [];
    let second: Promise<unknown> | undefined;
    await app.transaction(async (manager) => {
      order.push((await queue.claim(manager, 'a', ['MARIADB'], minuteMs, kindNames))?.projectId);
      second = claim('b').then((lease) => order.push(lease?.projectId));
      await until(async () => {
        const waiting = await manager.query<object[]>(
          "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
        );
        return waiting.length > 0;
      }, 'the second claim waits');
      expect(order).toHaveLength(1);
    });
    await second;
    expect(order.sort()).toEqual(['p', 'q']);
  });

  test('a project with 1,000 jobs does not starve another: 8 claimers claim its 5 jobs within the first few claims', async () => {
    await app.query(`
      INSERT INTO job_queue_projects (project_id) VALUES ('crowd'), ('quiet');
      INSERT INTO job_queue_slots (service_id) SELECT 'crowd-' || n FROM generate_series(1, 1000) n
        UNION ALL SELECT 'quiet-' || n FROM generate_series(1, 5) n;
      INSERT INTO job_queue (job_id, kind, project_id, service_id, engine, due_at, queued_at)
        SELECT service_id, 'BACKUP', split_part(service_id, '-', 1), service_id, 'MARIADB', at, at FROM job_queue_slots,
          LATERAL (SELECT now() - CASE WHEN service_id LIKE 'crowd-%' THEN interval '1 hour' ELSE interval '1 minute' END AS at) t`);
    const order: string[] = [];
    const work = async (worker: string) => {
      while (order.length < 60) {
        const lease = await claim(worker);
        if (lease === undefined) throw new Error('Nothing was claimed, with 1,000 jobs waiting.');
        order.push(lease.projectId);
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, index) => work(`w${index}`)));
    // The answers of simultaneous claims may arrive in another order.
    expect(order.lastIndexOf('quiet')).toBeLessThan(20);
    expect(order.filter((projectId) => projectId === 'quiet')).toHaveLength(5);
  });

  test('a postponed job comes after others, and its count of postponements restarts after a claim', async () => {
    await enqueue(job({ jobId: 'broken', dueAt: ago(9 * minuteMs) }), job({ jobId: 'sound' }));
    await app.transaction((manager) => queue.putOff(manager, 'broken', minuteMs));
    await app.transaction((manager) => queue.putOff(manager, 'broken', 0));
    await expect(claim()).resolves.toMatchObject({ jobId: 'sound', putOff: 0 });
    const lease = await claimed();
    expect(lease).toMatchObject({ jobId: 'broken', putOff: 2 });
    await app.transaction((manager) => queue.putOff(manager, 'broken', minuteMs));
    await app.transaction((manager) => queue.requeue(manager, lease, ago(1)));
    await expect(claim()).resolves.toMatchObject({ jobId: 'broken', attempt: 2, putOff: 0 });
  });

  test('after a rolled back claim the job can be claimed', async () => {
    await enqueue(job({ jobId: 'one' }));
    const broken = app.transaction(async (manager) => {
      await queue.claim(manager, 'w', ['MARIADB'], minuteMs, kindNames);
      throw new Error('rolled back');
    });
    await expect(broken).rejects.toThrow('rolled back');
    await expect(claim()).resolves.toMatchObject({ jobId: 'one', attempt: 1 });
  });

  test('only the holder of the lease may append events of the run and renew the lease', async () => {
    await enqueue(job());
    const lease = await claimed();
    const fence = (held: Lease) => app.transaction((manager) => queue.fence(manager, held));
    await fence(lease);
    await expect(queue.renew(lease, 2 * minuteMs)).resolves.toBe(true);
    for (const stranger of [
      { ...lease, workerId: 'other' },
      { ...lease, attempt: 0 },
    ]) {
      await expect(fence(stranger)).rejects.toMatchObject({ code: 'WORKER_LOST' });
      await expect(queue.renew(stranger, minuteMs)).resolves.toBe(false);
    }
  });

  test('an expired lease is lost: the reaper finds it and the next attempt fences the old one', async () => {
    await enqueue(job());
    const lease = await claimed(0);
    await expect(queue.renew(lease, minuteMs)).resolves.toBe(false);
    await expect(queue.expired()).resolves.toMatchObject([{ jobId: lease.jobId, attempt: 1 }]);
    await app.transaction(async (manager) => {
      expect(await queue.takeExpired(manager, lease)).toBe(true);
      await app.transaction(async (other) => expect(await queue.takeExpired(other, lease)).toBe(false));
      await queue.requeue(manager, lease, ago(1));
    });
    await app.transaction(async (manager) => expect(await queue.takeExpired(manager, lease)).toBe(false));
    await expect(claim('next')).resolves.toMatchObject({ jobId: lease.jobId, attempt: 2, workerId: 'next' });
    const stale = app.transaction((manager) => queue.requeue(manager, lease, ago(1)));
    await expect(stale).rejects.toMatchObject({ code: 'WORKER_LOST' });
    await expect(claim()).resolves.toBeUndefined();
  });

  test('no job is claimed for a service that is kept after its job, until the service is released', async () => {
    const serviceId = randomUUID();
    await enqueue(job({ serviceId, jobId: 'over', kind: 'RESTORE' }), job({ serviceId, jobId: 'next' }));
    await claimed();
    await app.transaction((manager) => queue.removeKeeping(manager, 'over', minuteMs));
    await remove('over');
    await expect(claim()).resolves.toBeUndefined();
    await expect(queue.expired()).resolves.toEqual([]);
    await expect(queue.keptServices()).resolves.toEqual([{ jobId: 'over', isOverdue: false }]);
    const letGo = (jobId: string) => app.transaction((manager) => queue.letGo(manager, jobId));
    await expect(letGo('next')).resolves.toBe(false);
    await expect(letGo('over')).resolves.toBe(true);
    await expect(claimed()).resolves.toMatchObject({ jobId: 'next' });
    // A worker that slept comes too late, because the service now belongs to another job.
    for (const jobId of ['over', 'next']) await expect(letGo(jobId)).resolves.toBe(false);
    await enqueue(job({ serviceId, jobId: 'last' }));
    await expect(claim()).resolves.toBeUndefined();
    await expect(queue.keptServices()).resolves.toEqual([]);
  });

  test('a service that is kept beyond its limit is overdue, and still no job is claimed for it', async () => {
    const serviceId = randomUUID();
    await enqueue(job({ serviceId, jobId: 'over' }), job({ serviceId, jobId: 'next' }));
    const { jobId } = await claimed();
    await app.transaction((manager) => queue.removeKeeping(manager, jobId, 0));
    await expect(queue.keptServices()).resolves.toEqual([{ jobId, isOverdue: true }]);
    await expect(claim()).resolves.toBeUndefined();
  });

  test('a query for the holder blocks claims of the job until the transaction of the query ends', async () => {
    await enqueue(job({ jobId: 'one' }));
    await app.transaction(async (manager) => {
      await expect(queue.holder(manager, 'one')).resolves.toBeUndefined();
      await expect(claim()).resolves.toBeUndefined();
    });
    await claimed();
    await app.transaction(async (manager) =>
      expect(await queue.holder(manager, 'one')).toMatchObject({ workerId: 'w', attempt: 1 }),
    );
  });
});
