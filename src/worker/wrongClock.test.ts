import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { beginAttempt } from '../../test/fixtures/attempts.js';
import { setMachineClockAhead } from '../../test/fixtures/machineClock.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../test/fixtures/workerHarness.js';
import { findAudits } from '../endpoints/containerAudit.js';
import { BackupJobTable } from '../backups/backupJobView.js';
import { serverMs } from '../postgres/serverClock.js';
import type { Worker } from './worker.js';

const dayMs = 86_400_000;

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'A worker whose clock is wrong', () => {
  let harness: WorkerHarness;
  let server: MariadbServer;
  const targets: MariadbServer[] = [];
  let worker: Worker | undefined;
  let setRight: () => void = () => undefined;

  beforeAll(async () => {
    [harness, server] = await Promise.all([startWorkerHarness(), startMariadb()]);
    await server.sql('CREATE DATABASE shop; CREATE TABLE shop.t (a INT); INSERT INTO shop.t VALUES (1), (2);');
  });
  afterEach(async () => {
    await worker?.stop();
    setRight();
    await Promise.all(targets.splice(0).map((target) => target.stop()));
  });
  afterAll(() => Promise.all([harness.stop(), server.stop()]));

  test.each([
    ['ahead', dayMs],
    ['behind', -dayMs],
  ])(
    'by a day (%s) records backups and restores with the time of PostgreSQL',
    async (way, ms) => {
      const serviceId = await harness.addService(server, { databases: ['shop'] });
      const fileEndpointId = await harness.addFolder({ path: way });
      const target = await startMariadb();
      targets.push(target);
      const began = await serverMs(harness.dataSource);
      const id = await harness.queueBackup({ serviceId, fileEndpointId });
      setRight = setMachineClockAhead(ms);
      worker = await harness.startWorker();
      const events = await harness.until(id, 'BackupSucceeded');
      const restore = await harness.queueRestore(id, await harness.addService(target));
      const restored = await harness.until(restore, 'RestoreSucceeded');
      const ended = await serverMs(harness.dataSource);

      const times = [...events, ...restored]
        .filter(({ metadata }) => metadata.actor.startsWith('worker:'))
        .map(({ data }) => data as { readonly at?: string; readonly attempt: number | { readonly startedAt: string } })
        .map(({ at, attempt }) => at ?? (typeof attempt === 'object' ? attempt.startedAt : ''))
        .map((time) => Date.parse(time));
      expect(times.length).toBeGreaterThanOrEqual(4);
      // Rounding may change a time by one millisecond.
      expect(Math.min(...times)).toBeGreaterThanOrEqual(began - 1);
      expect(Math.max(...times)).toBeLessThanOrEqual(ended + 1);
      const { startedAt, finishedAt } = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
      expect(Number(startedAt)).toBeGreaterThanOrEqual(began - 1);
      expect(Number(finishedAt)).toBeGreaterThanOrEqual(Number(startedAt));
    },
    300_000,
  );

  test('by a day marks no backup MISSING if the second check is less than an hour after the first', async () => {
    const fileEndpointId = await harness.addFolder({ path: 'absent' });
    const backup = await beginAttempt(harness, fileEndpointId);
    await backup.succeed();
    worker = await harness.startWorker({ engines: new Map(), times: { audit: 100 } });
    await harness.until(backup.id, 'BackupAbsent');
    await worker.stop();
    setRight = setMachineClockAhead(dayMs);
    worker = await harness.startWorker({ engines: new Map(), times: { audit: 100 } });
    const audits = new Set<string>();
    await eventually('audits of that worker', async () => {
      const [record] = await findAudits(harness.dataSource.manager, [fileEndpointId]);
      // The first audit in this set may belong to the other worker, or be missing.
      return audits.add(record?.result?.at ?? '').size > 3 ? true : undefined;
    });
    expect((await harness.eventsOf(backup.id)).map(({ type }) => type)).not.toContain('BackupMissing');
  });
});
