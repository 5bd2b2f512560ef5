import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { createGate, eventually, startWorkerHarness, type WorkerHarness } from '../../test/fixtures/workerHarness.js';
import { BackupJobTable } from '../backups/backupJobView.js';
import type { Worker } from './worker.js';

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'A worker', () => {
  let harness: WorkerHarness;
  let server: MariadbServer;
  let fileEndpointId: string;
  const workers: Worker[] = [];

  beforeAll(async () => {
    [harness, server] = await Promise.all([startWorkerHarness(), startMariadb()]);
    await server.sql(
      'CREATE DATABASE shop; CREATE TABLE shop.ships (id INT PRIMARY KEY); INSERT INTO shop.ships VALUES (1)',
    );
    fileEndpointId = await harness.addFolder();
  });
  afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.stop())));
  afterAll(() => Promise.all([harness.stop(), server.stop()]));

  async function startWorker(options?: Parameters<WorkerHarness['startWorker']>[0]): Promise<Worker> {
    const worker = await harness.startWorker(options);
    workers.push(worker);
    return worker;
  }
  const backUp = async (serviceId?: string) =>
    harness.queueBackup({
      ...{ serviceId: serviceId ?? (await harness.addService(server, { databases: ['shop'] })), fileEndpointId },
    });
  const shown = () => harness.workers.list();

  test('is listed with its tools, its jobs and its draining state, and is not listed after it has stopped', async () => {
    const gate = createGate();
    const worker = await startWorker({ id: 'shown', wrapStorage: gate.hold });
    const [idle] = await shown();
    expect(idle).toMatchObject({ id: 'shown', pid: process.pid, concurrency: 2, draining: false, leases: [] });
    expect(idle?.engines).toContainEqual({
      ...{ engine: 'MARIADB', tool: 'mariadb-dump', version: expect.stringMatching(/\d+\.\d+/) },
    });
    const id = await backUp();
    await gate.reached;
    await expect(shown()).resolves.toMatchObject([{ leases: [{ jobId: id, kind: 'BACKUP', attempt: 1 }] }]);
    const stopped = worker.stop();
    await eventually('it drains', async () => ((await shown())[0]?.draining === true ? true : undefined));
    const lastReportMs = (await shown())[0]?.lastHeardAt.getTime() ?? 0;
    await eventually('it reports while it drains', async () =>
      ((await shown())[0]?.lastHeardAt.getTime() ?? 0) > lastReportMs ? true : undefined,
    );
    gate.release();
    await stopped;
    await expect(shown()).resolves.toEqual([]);
    expect((await harness.eventsOf(id)).at(-1)?.type).toBe('BackupSucceeded');
  });

  test('runs at most as many jobs at once as its concurrency', async () => {
    const gate = createGate();
    await startWorker({ concurrency: 2, wrapStorage: gate.hold });
    const ids = [await backUp(), await backUp(), await backUp()];
    const leases = async () => (await shown()).flatMap((each) => each.leases);
    await eventually('two are claimed', async () => ((await leases()).length === 2 ? true : undefined));
    // This is longer than a round of claims.
    const lastReportMs = (await shown())[0]?.lastHeardAt.getTime() ?? 0;
    await eventually('it has reported again', async () =>
      ((await shown())[0]?.lastHeardAt.getTime() ?? 0) > lastReportMs ? true : undefined,
    );
    expect(await leases()).toHaveLength(2);
    gate.release();
    for (const id of ids) await harness.until(id, 'BackupSucceeded');
  });

  test('warns once about a waiting job whose tools it does not have, and does not claim it', async () => {
    const id = await backUp();
    await startWorker({ id: 'bare', engines: new Map() });
    const warnings = () => harness.logged.filter((line) => line.includes('Jobs wait for a worker with the tools for'));
    await eventually('a warning', () => (warnings().length > 0 ? true : undefined));
    const lastReportMs = (await shown())[0]?.lastHeardAt.getTime() ?? 0;
    await eventually('it has reported again', async () =>
      ((await shown())[0]?.lastHeardAt.getTime() ?? 0) > lastReportMs ? true : undefined,
    );
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toContain('MARIADB');
    await expect(harness.workers.whyWaiting([id])).resolves.toEqual(
      new Map([[id, { kind: 'NO_TOOLS', engine: 'MARIADB' }]]),
    );
    await startWorker({ id: 'equipped' });
    await harness.until(id, 'BackupSucceeded');
  });

  test('postpones a job that it cannot start, runs other jobs, and finally fails the job', async () => {
    const vanished = await harness.addService(server, { databases: ['shop'] });
    const broken = await backUp(vanished);
    const sound = await backUp();
    await harness.dataSource.query('DELETE FROM services WHERE id = $1', [vanished]);
    await startWorker({ concurrency: 1 });
    await harness.until(sound, 'BackupSucceeded');
    const events = await harness.until(broken, 'BackupFailed');
    expect(events.map(({ type }) => type)).toEqual([
      ...['BackupQueued', 'BackupAttemptStarted', 'BackupAttemptEnded', 'BackupFailed', 'BackupRemainsRemoved'],
    ]);
    const row = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id: broken });
    expect(row).toMatchObject({ status: 'FAILED', errorCode: 'INTERNAL' });
    await expect(harness.dataSource.query('SELECT FROM job_queue WHERE job_id = $1', [broken])).resolves.toEqual([]);
    expect(harness.logged.filter((line) => line.includes('A job could not be started'))).toHaveLength(3);
  });
});
