import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { childrenNamed } from '../../../test/fixtures/processes/childProcesses.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { startSwift, swiftMissing } from '../../../test/fixtures/servers/swift.js';
import { startTcpProxy } from '../../../test/fixtures/servers/tcpProxy.js';
import {
  createGate,
  eventually,
  replacing,
  startWorkerHarness,
  type WorkerHarness,
} from '../../../test/fixtures/workerHarness.js';
import { StowageError } from '../../errors.js';
import type { RecordedEvent } from '../../eventSourcing/event.js';
import { backupHandling } from '../../backups/backupJobCommands.js';
import { cancelJob } from '../../jobs/jobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../../backups/backupJobView.js';
import type { JobProgress } from '../../postgres/contracts/telemetry.js';
import { swiftDriver } from '../../storage/swift/swiftDriver.js';
import type { SwiftSettings } from '../../storage/swift/swiftSettings.js';
import { changedStore } from '../../../test/fixtures/changedStore.js';
import type { Worker } from '../worker.js';

const tools = ['mariadb-dump', 'mariadb', 'perl', 'zstd', 'setpriv', 'sh'];

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'A worker takes backups', () => {
  let harness: WorkerHarness;
  let server: MariadbServer;
  let serviceId: string;
  let fileEndpointId: string;
  const workers: Worker[] = [];

  beforeAll(async () => {
    [harness, server] = await Promise.all([startWorkerHarness(), startMariadb()]);
    await server.sql(`CREATE DATABASE shop; USE shop; CREATE TABLE noise (id INT PRIMARY KEY, b BLOB);
      INSERT INTO noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_4000;`);
    serviceId = await harness.addService(server, { name: 'Größe' });
    fileEndpointId = await harness.addFolder({ path: 'here', prefix: 'team/' });
  });

  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
    expect(childrenNamed(...tools)).toEqual([]);
  });
  afterAll(async () => {
    await Promise.all([harness.stop(), server.stop()]);
  });

  async function startWorker(options?: Parameters<WorkerHarness['startWorker']>[0]): Promise<Worker> {
    const worker = await harness.startWorker(options);
    workers.push(worker);
    return worker;
  }
  const backUp = (request: Partial<Parameters<WorkerHarness['queueBackup']>[0]> = {}) =>
    harness.queueBackup({ serviceId, fileEndpointId, ...request });
  const rowOf = (id: string): Promise<BackupJobRow> =>
    harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
  const cancel = async (id: string) => {
    await harness.transact((tx) =>
      cancelJob(tx, harness.queue, backupHandling, { id, projectId: harness.projectId }, 'a person', new Date()),
    );
    await harness.signals.send('cancel', id);
  };
  const isQueued = async (id: string): Promise<boolean> =>
    (await harness.dataSource.query<unknown[]>('SELECT FROM job_queue WHERE job_id = $1', [id])).length > 0;

  test('phase by phase, in a folder of the attempt’s own, and reports progress', async () => {
    const reports: JobProgress[] = [];
    const unsubscribe = harness.telemetry.subscribe((progress) => reports.push(progress));
    const gate = createGate();
    await startWorker({ wrapStorage: gate.hold });
    const id = await backUp();
    await gate.reached;
    const [seen] = await Promise.all([
      eventually('progress', () => reports[0]),
      harness.until(id, 'BackupPhaseEntered'),
    ]);
    expect(seen).toMatchObject({ jobId: id, kind: 'BACKUP', attempt: 1, projectId: harness.projectId });
    gate.release();

    const events = await harness.until(id, 'BackupSucceeded');
    unsubscribe();
    expect(events.map(story)).toEqual([
      'BackupQueued',
      'BackupAttemptStarted',
      'BackupPhaseEntered PREFLIGHT',
      'BackupPhaseEntered DUMPING',
      'BackupPhaseEntered FINALISING',
      'BackupPhaseEntered VERIFYING',
      'BackupSucceeded',
    ]);
    const { folder, status, availability, parts } = await rowOf(id);
    expect({ status, availability }).toEqual({ status: 'SUCCEEDED', availability: 'STORED' });
    expect(folder).toMatch(
      new RegExp(`^team/Gro-e-${serviceId.slice(0, 8)}/\\d{4}/\\d{2}/\\d{8}T\\d{6}Z-${id.slice(0, 8)}-a1/$`),
    );
    const names = (await harness.files('here')).filter((name) => name.startsWith(String(folder)));
    expect(names).toEqual([`${folder}backup.json`, ...parts.map(({ objectName }) => objectName)]);
    expect(await isQueued(id)).toBe(false);
    expect((await harness.telemetry.latest([id])).size).toBe(0);
  });

  test('and compresses as the plan says', async () => {
    await server.sql(`CREATE DATABASE words; USE words; CREATE TABLE words.t (id INT PRIMARY KEY, v TEXT);
      INSERT INTO words.t SELECT seq, CONCAT('crate ', MD5(seq % 5000), ' of ', MD5(seq % 999)) FROM seq_1_to_20000;`);
    const wordsId = await harness.addService(server, { databases: ['words'] });
    await startWorker();
    const sizeOf = async (compression: 'FAST' | 'SMALL') => {
      const id = await backUp({ serviceId: wordsId, compression });
      await harness.until(id, 'BackupSucceeded');
      return Number((await rowOf(id)).storedSizeBytes);
    };
    expect(await sizeOf('SMALL')).toBeLessThan(0.95 * (await sizeOf('FAST')));
  });

  test('and reports the current progress with each phase', async () => {
    const reports: JobProgress[] = [];
    const unsubscribe = harness.telemetry.subscribe((progress) => reports.push(progress));
    const gate = createGate();
    const shown: { phase: string; readBytes: number | undefined; storedBytes: number | undefined }[] = [];
    const show = async (phase: string) => {
      const { readBytes, storedBytes } = (await harness.telemetry.latest([id])).get(id) ?? {};
      shown.push({ phase, readBytes, storedBytes });
    };
    async function* showing(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
      yield* source;
      await show('FINALISING');
    }
    await startWorker({
      wrapStorage: (storage) =>
        replacing(gate.hold(storage), {
          put: (name, source, options) => gate.hold(storage).put(name, showing(source), options),
          verify: async (name, stored, options) => {
            await show('VERIFYING');
            await storage.verify(name, stored, options);
          },
        }),
    });
    const id = await backUp();
    await gate.reached;
    await eventually('progress of the beginning', () => reports.find(({ jobId }) => jobId === id));
    gate.release();
    await harness.until(id, 'BackupSucceeded');
    unsubscribe();
    const { sizeBytes, storedSizeBytes } = await rowOf(id);
    expect(shown).toMatchObject([
      { phase: 'FINALISING', readBytes: sizeBytes },
      { phase: 'VERIFYING', readBytes: sizeBytes, storedBytes: storedSizeBytes },
    ]);
  });

  test('but fails at once with a wrong password, and no log or event holds a password', async () => {
    await startWorker();
    const wrong = await harness.addService(server, { password: 'wrong-pass-2718' });
    const id = await backUp({ serviceId: wrong });
    const events = await harness.until(id, 'BackupFailed');
    expect(events.filter(({ type }) => type === 'BackupAttemptStarted')).toHaveLength(1);
    expect(await rowOf(id)).toMatchObject({ status: 'FAILED', errorCode: 'SERVICE_AUTH', retryAt: null });
    expect(await isQueued(id)).toBe(false);
    const recorded = JSON.stringify(events.map(({ data }) => data)) + harness.logged.join();
    expect(recorded).not.toContain('wrong-pass-2718');
    expect(recorded).not.toContain('quoted');
  });

  test('again later after a transient failure, in a folder of its own', async () => {
    let failures = 1;
    await startWorker({
      wrapStorage: (storage) =>
        replacing(storage, {
          putBytes: (name, bytes, options) => {
            if (failures === 0) return storage.putBytes(name, bytes, options);
            failures -= 1;
            return Promise.reject(new StowageError('ENDPOINT_UNREACHABLE', 'The storage does not answer.'));
          },
        }),
    });
    const id = await backUp();
    const events = await harness.until(id, 'BackupSucceeded');
    const ended = events.find(({ type }) => type === 'BackupAttemptEnded');
    expect(ended?.data).toMatchObject({ attempt: 1, outcome: 'FAILED', error: { code: 'ENDPOINT_UNREACHABLE' } });
    const { at, retryAt } = ended?.data as { at: string; retryAt: string };
    expect(Date.parse(retryAt) - Date.parse(at)).toBeGreaterThanOrEqual(100);
    const { folder, attempts } = await rowOf(id);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['FAILED', 'SUCCEEDED']);
    const names = (await harness.files('here')).filter((name) => name.includes(`-${id.slice(0, 8)}-`));
    expect(names.every((name) => name.startsWith(String(folder)))).toBe(true);
  });

  test('until the last attempt, and a temporary failure that persists is FAILED', async () => {
    await startWorker({
      wrapStorage: (storage) =>
        replacing(storage, {
          putBytes: () => Promise.reject(new StowageError('ENDPOINT_UNREACHABLE', 'The storage does not answer.')),
        }),
    });
    const id = await backUp({ maxAttempts: 2 });
    await harness.until(id, 'BackupFailed');
    expect((await rowOf(id)).attempts.map(({ outcome }) => outcome)).toEqual(['FAILED', 'FAILED']);
  });

  test('once for each job, and with one dump at a time for each service', async () => {
    const gate = createGate();
    await Promise.all(['a', 'b'].map((id) => startWorker({ id, wrapStorage: gate.hold })));
    const [first, second] = [await backUp(), await backUp()];
    await gate.reached;
    const { rows } = await leases();
    expect(rows).toHaveLength(1);
    gate.release();
    for (const id of [first, second]) {
      const events = await harness.until(id, 'BackupSucceeded');
      expect(events.filter(({ type }) => type === 'BackupAttemptStarted')).toHaveLength(1);
    }
  });

  async function leases(): Promise<{ rows: readonly unknown[] }> {
    return { rows: await harness.dataSource.query<unknown[]>('SELECT FROM job_queue WHERE worker_id IS NOT NULL') };
  }

  test('and ends a job that is cancelled while it dumps after its tools have ended, without leaving anything', async () => {
    const gate = createGate();
    await startWorker({ wrapStorage: gate.hold });
    const id = await backUp();
    await gate.reached;
    expect(childrenNamed('mariadb-dump', 'zstd')).not.toEqual([]);
    await cancel(id);
    await harness.until(id, 'BackupCancelled');
    expect(childrenNamed(...tools)).toEqual([]);
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
    expect((await harness.files('here')).filter((name) => name.includes(`-${id.slice(0, 8)}-`))).toEqual([]);
    expect(await isQueued(id)).toBe(false);
    gate.release();
  });

  test('and the next heartbeat repairs a lost cancel signal', async () => {
    const gate = createGate();
    await startWorker({ wrapStorage: gate.hold });
    const id = await backUp();
    await gate.reached;
    await harness.transact((tx) =>
      cancelJob(tx, harness.queue, backupHandling, { id, projectId: harness.projectId }, 'a person', new Date()),
    );
    await harness.until(id, 'BackupCancelled');
    gate.release();
  });

  test('successfully if PostgreSQL was unavailable for less than the lease', async () => {
    const { port } = new URL(harness.ground.appUrl);
    const proxy = await startTcpProxy(Number(port));
    const appUrl = Object.assign(new URL(harness.ground.appUrl), { port: String(proxy.port) }).href;
    const gate = createGate();
    const worker = await harness.startWorker({ ground: { ...harness.ground, appUrl }, wrapStorage: gate.hold });
    try {
      const id = await backUp();
      await gate.reached;
      const before = harness.logged.length;
      await proxy.cut();
      gate.release();
      await eventually('a line that PostgreSQL does not answer', () =>
        harness.logged.slice(before).find((line) => line.includes('PostgreSQL does not answer')),
      );
      await proxy.heal();
      const events = await harness.until(id, 'BackupSucceeded');
      expect(events.filter(({ type }) => type === 'BackupAttemptStarted')).toHaveLength(1);
      expect(events.filter(({ type }) => type === 'BackupSucceeded')).toHaveLength(1);
    } finally {
      await worker.stop();
      await proxy.stop();
    }
  });

  test('and finds its success in the log if the connection died during the commit', async () => {
    const id = await backUp();
    let isAnswerLost = false;
    await startWorker({
      wrapStore: (store) =>
        changedStore(store, async (metadata, work) => {
          const answer = await store.transact(metadata, work);
          if (isAnswerLost || !(await harness.eventsOf(id)).some(({ type }) => type === 'BackupSucceeded'))
            return answer;
          isAnswerLost = true;
          throw new StowageError('UNAVAILABLE', 'The connection was lost before the answer arrived.');
        }),
    });
    const end = await eventually('the end of the attempt', () =>
      harness.logged.find((line) => line.includes(id) && line.includes('An attempt has ended')),
    );
    expect(isAnswerLost).toBe(true);
    expect(JSON.parse(end)).toMatchObject({ end: 'SUCCEEDED' });
  });

  test('and stops in time if PostgreSQL stays unavailable', async () => {
    const { port } = new URL(harness.ground.appUrl);
    const proxy = await startTcpProxy(Number(port));
    const appUrl = Object.assign(new URL(harness.ground.appUrl), { port: String(proxy.port) }).href;
    const gate = createGate();
    const worker = await harness.startWorker({
      ground: { ...harness.ground, appUrl },
      wrapStorage: gate.hold,
      times: { lease: 8_000, grace: 0 },
    });
    const id = await backUp();
    await gate.reached;
    await proxy.cut();
    await worker.stop();
    expect(childrenNamed(...tools)).toEqual([]);
    gate.release();
    await proxy.stop();
    expect((await harness.eventsOf(id)).map(({ type }) => type)).not.toContain('BackupSucceeded');
    await startWorker();
    const events = await harness.until(id, 'BackupSucceeded');
    expect(events.filter(({ type }) => type === 'BackupAttemptEnded').map(({ data }) => data)).toEqual([
      expect.objectContaining({ attempt: 1, outcome: 'WORKER_LOST' }),
    ]);
  });
});

describeWith(
  { postgresql: await postgresMissing(), mariadb: mariadbMissing, swift: swiftMissing },
  'A worker with Swift',
  () => {
    test('takes a backup, and removes the remains of a failed attempt', async () => {
      const [harness, server, swift] = await Promise.all([startWorkerHarness(), startMariadb(), startSwift()]);
      try {
        await server.sql('CREATE DATABASE shop; CREATE TABLE shop.t (a INT); INSERT INTO shop.t VALUES (1), (2);');
        const serviceId = await harness.addService(server);
        const fileEndpointId = await harness.addSwift(swift, 'backups');
        let refusals = 1;
        const worker = await harness.startWorker({
          wrapStorage: (storage) =>
            replacing(storage, {
              verify: (name, stored, options) => {
                refusals -= 1;
                if (refusals < 0) return storage.verify(name, stored, options);
                return Promise.reject(new StowageError('CHECKSUM', 'The bytes differ when they are read back.'));
              },
            }),
        });
        const id = await harness.queueBackup({ serviceId, fileEndpointId });
        await harness.until(id, 'BackupSucceeded');
        await worker.stop();
        const { folder, attempts } = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
        expect(attempts.map(({ outcome }) => outcome)).toEqual(['FAILED', 'SUCCEEDED']);
        const names = await namesIn(swift.settings('backups'));
        expect(names.filter((name) => name.startsWith(String(folder)))).toContain(`${folder}backup.json`);
        expect(names.filter((name) => !name.startsWith(String(folder)))).toEqual(['.stowage.json']);
      } finally {
        await Promise.all([harness.stop(), server.stop(), swift.stop()]);
      }
    });
  },
);

async function namesIn(settings: SwiftSettings): Promise<readonly string[]> {
  const storage = swiftDriver.open(settings);
  const names: string[] = [];
  try {
    for await (const { name } of storage.list('', { signal: AbortSignal.timeout(120_000) })) names.push(name);
  } finally {
    await storage.close();
  }
  return names;
}

function story({ type, data }: RecordedEvent): string {
  return type === 'BackupPhaseEntered' ? `${type} ${(data as { phase: string }).phase}` : type;
}
