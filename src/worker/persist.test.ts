import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { eventually, startWorkerHarness, testTimes, type WorkerHarness } from '../../test/fixtures/workerHarness.js';
import { StowageError } from '../errors.js';
import { backupJob } from '../backups/backupJob.js';
import { backupHandling } from '../backups/backupJobCommands.js';
import { openLog } from '../log.js';
import type { Lease } from '../postgres/contracts/jobQueue.js';
import { startHeartbeat, type Heartbeat } from './heartbeat.js';
import { persist, persistEnd } from './persist.js';
import { changedStore } from '../../test/fixtures/changedStore.js';
import { kindNames } from '../../test/fixtures/kindNames.js';

const leaseMs = 600_000;
const log = openLog('json', 'error');

describeWith({ postgresql: await postgresMissing() }, 'The append of a lease holder', () => {
  let harness: WorkerHarness;

  beforeAll(async () => {
    harness = await startWorkerHarness();
  });
  afterAll(() => harness.stop());

  const metadata = { actor: 'test', correlationId: randomUUID() };
  const claim = async (): Promise<Lease> => {
    const job = { jobId: randomUUID(), kind: 'BACKUP', projectId: randomUUID(), serviceId: randomUUID() } as const;
    const at = new Date('2026-01-01T05:00:00Z');
    const queued = { ...job, engine: 'MARIADB', dueAt: at, queuedAt: at, priority: 'SCHEDULED' } as const;
    await harness.dataSource.transaction((manager) => harness.queue.enqueue(manager, queued));
    const lease = await harness.dataSource.transaction((manager) =>
      harness.queue.claim(manager, 'w', ['MARIADB'], leaseMs, kindNames),
    );
    if (lease === undefined) throw new Error('There was nothing to claim.');
    return lease;
  };
  const holding = async (lease: Lease, work: (heartbeat: Heartbeat) => Promise<void>) => {
    const heartbeat = startHeartbeat({
      ...{ queue: harness.queue, lease, askedAtMs: performance.now(), cancelRequested: () => Promise.resolve(false) },
      times: { ...testTimes, heartbeat: 20, lease: leaseMs },
    });
    await work(heartbeat).finally(() => heartbeat.stop());
  };
  const isRenewalWaiting = async () => {
    const waiting = await harness.dataSource.query<unknown[]>(
      "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE job_queue SET lease_expires_at%'",
    );
    return waiting.length > 0 ? true : undefined;
  };

  test('succeeds even if a renewal that waited for it is refused first', async () => {
    const lease = await claim();
    await holding(lease, async ({ lost }) => {
      const store = changedStore(harness.store, async (given, work) => {
        const answer = await harness.store.transact(given, work);
        if (!lost.aborted) await once(lost, 'abort');
        return answer;
      });
      const persisted = persist({ ...harness, store, log }, { lease, metadata, lost }, async (tx) => {
        await eventually('a renewal that waits', isRenewalWaiting);
        await harness.queue.remove(tx.manager, lease.jobId);
        return 'said';
      });
      await expect(persisted).resolves.toBe('said');
    });
  });

  test('is refused once the lease is lost', async () => {
    const lease = await claim();
    await harness.dataSource.transaction((manager) => harness.queue.remove(manager, lease.jobId));
    await holding(lease, async ({ lost }) => {
      const persisted = persist({ ...harness, log }, { lease, metadata, lost }, () =>
        Promise.reject(new Error('The event was appended.')),
      );
      await expect(persisted).rejects.toMatchObject({ code: 'WORKER_LOST' });
    });
  });

  test.each([
    ['the end of its attempt is known although the answer to its append was lost', 'HANDED_BACK', 'HANDED_BACK'],
    ['an end that another process has appended does not count as its own end', 'WORKER_LOST', undefined],
  ] as const)('%s', async (_name, outcome, known) => {
    const lease = await beginBackup();
    const lost = new AbortController().signal;
    let isAnswerLost = false;
    const store = changedStore(harness.store, async (given, work) => {
      const answer = await harness.store.transact(given, work);
      if (isAnswerLost) return answer;
      isAnswerLost = true;
      throw new StowageError('UNAVAILABLE', 'The connection was lost before the answer arrived.');
    });
    const persisted = persistEnd(
      { ...harness, store, log },
      { kind: backupHandling, lease, metadata, lost },
      async (tx) => {
        const at = new Date().toISOString();
        const lostWorker = {
          code: 'WORKER_LOST',
          message: 'It was lost.',
          hint: null,
          toolOutput: null,
          retriable: true,
        };
        const error = outcome === 'WORKER_LOST' ? lostWorker : null;
        const failed = { kind: 'FAIL_ATTEMPT', attempt: lease.attempt, outcome, error, at, retryAt: at } as const;
        await tx.execute(backupJob, { id: lease.jobId, projectId: lease.projectId }, failed);
        await harness.queue.requeue(tx.manager, lease, new Date(at));
        return 'HANDED_BACK';
      },
    );
    if (known === undefined) await expect(persisted).rejects.toMatchObject({ code: 'WORKER_LOST' });
    else await expect(persisted).resolves.toBe(known);
    expect(isAnswerLost).toBe(true);
    await harness.dataSource.transaction((manager) => harness.queue.remove(manager, lease.jobId));
  });

  async function beginBackup(): Promise<Lease> {
    // Nothing is ever sent to port 1.
    const serviceId = await harness.addService({ port: 1, username: 'nobody', password: 'none' });
    const id = await harness.queueBackup({ serviceId, fileEndpointId: await harness.addFolder() });
    return await harness.transact(async (tx) => {
      const lease = await harness.queue.claim(tx.manager, 'w', ['MARIADB'], leaseMs, kindNames);
      if (lease?.jobId !== id) throw new Error('Another job was waiting.');
      const attempt = { number: lease.attempt, worker: 'w', startedAt: new Date().toISOString(), folder: 'a1/' };
      await tx.execute(backupJob, { id, projectId: harness.projectId }, { kind: 'START_ATTEMPT', attempt });
      return lease;
    });
  }
});
