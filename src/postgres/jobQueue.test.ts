import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { longestPauseMs, type JobQueue, type Lease, type QueuedJob } from './contracts/jobQueue.js';
import { createJobQueue } from './jobQueue.js';

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
    ...change,
  });
  const enqueue = async (...jobs: QueuedJob[]) => {
    for (const each of jobs) await queue.enqueue(app.manager, each);
  };
  const claim = (worker = 'w', leaseMs = minuteMs) =>
    app.transaction((manager) => queue.claim(manager, worker, ['MARIADB'], leaseMs));
  const claimed = async (leaseMs?: number): Promise<Lease> => {
    const lease = await claim('w', leaseMs);
    if (lease === undefined) throw new Error('Nothing was claimed.');
    return lease;
  };
  const remove = (jobId: string) => app.transaction((manager) => queue.remove(manager, jobId));

  test('a job is claimed once, with the next attempt and the time its lease ends', async () => {
    const due = job();
    await enqueue(due, due);
    const lease = await claimed();
    expect(lease).toMatchObject({ jobId: due.jobId, kind: 'BACKUP', workerId: 'w', attempt: 1 });
    expect(lease.expiresAt.getTime() - Date.now()).toBeGreaterThan(minuteMs / 2);
    await expect(claim()).resolves.toBeUndefined();
  });

  test('what is not due yet, or of an engine this worker has not, stays', async () => {
    const later = new Date(Date.now() + minuteMs);
    await enqueue(job({ dueAt: later, jobId: 'later' }), job({ engine: 'MONGODB' }));
    await expect(claim()).resolves.toBeUndefined();
    await expect(queue.waiting()).resolves.toHaveLength(2);
    await remove('later');
    await expect(queue.nextDue().then((due) => due?.getTime())).resolves.toBeLessThan(Date.now());
  });

  test('a clock that has gone back keeps nothing waiting that was due, and no retry longer than the longest pause', async () => {
    const ahead = (ms: number) => new Date(Date.now() + ms);
    await enqueue(job({ jobId: 'queued in the future', dueAt: ahead(60 * minuteMs), queuedAt: ahead(60 * minuteMs) }));
    await expect(claimed()).resolves.toMatchObject({ jobId: 'queued in the future' });
    const retry = job({ jobId: 'retry', dueAt: ahead(61 * minuteMs), queuedAt: ahead(59 * minuteMs) });
    await enqueue(retry, job({ dueAt: ahead(longestPauseMs - minuteMs) }));
    await expect(claimed()).resolves.toMatchObject({ jobId: 'retry' });
    await expect(claim()).resolves.toBeUndefined();
  });

  test('restores go first, then projects by turns, then the oldest', async () => {
    const busy = ['a', 'b', 'c'].map((name, index) =>
      job({ jobId: `busy-${name}`, projectId: 'busy', dueAt: ago((10 - index) * minuteMs) }),
    );
    const quiet = job({ jobId: 'quiet', projectId: 'quiet', dueAt: ago(minuteMs) });
    const restore = job({ jobId: 'restore', projectId: 'other', kind: 'RESTORE', dueAt: ago(1_000) });
    await enqueue(...busy, quiet, restore);
    const order: string[] = [];
    for (let lease = await claim(); lease !== undefined; lease = await claim()) order.push(lease.jobId);
    expect(order).toEqual(['restore', 'busy-a', 'quiet', 'busy-b', 'busy-c']);
  });

  test('a service has one lease at a time, whatever the kind of the jobs', async () => {
    const serviceId = randomUUID();
    await enqueue(job({ serviceId, jobId: 'one' }), job({ serviceId, jobId: 'two', kind: 'RESTORE' }));
    const lease = await claimed();
    expect(lease.jobId).toBe('two');
    await expect(claim()).resolves.toBeUndefined();
    await remove(lease.jobId);
    await expect(claim()).resolves.toMatchObject({ jobId: 'one' });
  });

  test('8 claimers at once never share a job or a service, and nothing is left over', async () => {
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

  test('a claimer does not wait for one whose transaction is still open', async () => {
    const serviceId = randomUUID();
    await enqueue(job({ serviceId, dueAt: ago(9 * minuteMs) }), job({ serviceId }), job({ jobId: 'free' }));
    await app.transaction(async (manager) => {
      await queue.claim(manager, 'slow', ['MARIADB'], minuteMs);
      await expect(claim('quick')).resolves.toMatchObject({ jobId: 'free' });
      await expect(claim('quick')).resolves.toBeUndefined();
    });
  });

  test('a claim that is rolled back leaves the job to be claimed', async () => {
    await enqueue(job({ jobId: 'one' }));
    const broken = app.transaction(async (manager) => {
      await queue.claim(manager, 'w', ['MARIADB'], minuteMs);
      throw new Error('rolled back');
    });
    await expect(broken).rejects.toThrow('rolled back');
    await expect(claim()).resolves.toMatchObject({ jobId: 'one', attempt: 1 });
  });

  test('who holds the lease may append about the run and renew, and nobody else', async () => {
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

  test('a lease past its time is lost for good: the reaper finds it and the next attempt fences the old one', async () => {
    await enqueue(job());
    const lease = await claimed(0);
    await expect(queue.renew(lease, minuteMs)).resolves.toBe(false);
    await app.transaction(async (manager) => {
      const [expired] = await queue.expired(manager, 10);
      expect(expired).toMatchObject({ jobId: lease.jobId, attempt: 1 });
      await app.transaction(async (other) => expect(await queue.expired(other, 10)).toEqual([]));
      if (expired !== undefined) await queue.requeue(manager, expired, ago(1));
    });
    await expect(claim('next')).resolves.toMatchObject({ jobId: lease.jobId, attempt: 2, workerId: 'next' });
    const stale = app.transaction((manager) => queue.requeue(manager, lease, ago(1)));
    await expect(stale).rejects.toMatchObject({ code: 'WORKER_LOST' });
    await expect(claim()).resolves.toBeUndefined();
  });

  test('whoever asks for the holder keeps the job from being claimed meanwhile', async () => {
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
