import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { eventually, startWorkerHarness, testTimes, type WorkerHarness } from '../../test/fixtures/workerHarness.js';
import { openLog } from '../log.js';
import type { Lease } from '../postgres/contracts/jobQueue.js';
import { startHeartbeat, type Heartbeat } from './heartbeat.js';
import { persist } from './persist.js';

const leaseMs = 600_000;
const log = openLog('json', 'error');

describeWith({ postgresql: await postgresMissing() }, 'What the holder of a lease says', () => {
  let harness: WorkerHarness;

  beforeAll(async () => {
    harness = await startWorkerHarness();
  });
  afterAll(() => harness.stop());

  const metadata = { actor: 'test', correlationId: randomUUID() };
  const claim = async (): Promise<Lease> => {
    const job = { jobId: randomUUID(), kind: 'BACKUP', projectId: randomUUID(), serviceId: randomUUID() } as const;
    const at = new Date('2026-01-01T05:00:00Z');
    const queued = { ...job, engine: 'MARIADB', dueAt: at, queuedAt: at };
    await harness.dataSource.transaction((manager) => harness.queue.enqueue(manager, queued));
    const lease = await harness.dataSource.transaction((manager) =>
      harness.queue.claim(manager, 'w', ['MARIADB'], leaseMs),
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

  test('is said, also where a renewal that waited for it is told first that the lease is gone', async () => {
    const lease = await claim();
    await holding(lease, async ({ lost }) => {
      const store: WorkerHarness['store'] = {
        ...harness.store,
        transact: async (given, work) => {
          const answer = await harness.store.transact(given, work);
          if (!lost.aborted) await once(lost, 'abort');
          return answer;
        },
      };
      const said = persist({ ...harness, store, log }, { lease, metadata, lost }, async (tx) => {
        await eventually('a renewal that waits', isRenewalWaiting);
        await harness.queue.remove(tx.manager, lease.jobId);
        return 'said';
      });
      await expect(said).resolves.toBe('said');
    });
  });

  test('is not said once the lease is gone', async () => {
    const lease = await claim();
    await harness.dataSource.transaction((manager) => harness.queue.remove(manager, lease.jobId));
    await holding(lease, async ({ lost }) => {
      const said = persist({ ...harness, log }, { lease, metadata, lost }, () =>
        Promise.reject(new Error('It was said.')),
      );
      await expect(said).rejects.toMatchObject({ code: 'WORKER_LOST' });
    });
  });
});
