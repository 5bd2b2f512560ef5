import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { childrenNamed } from '../../../test/fixtures/processes/childProcesses.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { fingerprint } from '../../../test/fixtures/mariadbFingerprint.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { eventually, replacing, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { StowageError } from '../../errors.js';
import { createMariadbEngine } from '../../engines/mariadb/mariadbEngine.js';
import type { RecordedEvent } from '../../eventSourcing/event.js';
import { backupJob } from '../../backups/backupJob.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import { cancelJob } from '../../jobs/jobCommands.js';
import { restoreHandling } from '../../restores/restoreJobCommands.js';
import { RestoreJobTable } from '../../restores/restoreJobView.js';
import type { Storage } from '../../storage/storage.js';
import type { Worker } from '../worker.js';

const tools = ['mariadb', 'zstd', 'setpriv', 'sh'];

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'A worker restores', () => {
  let harness: WorkerHarness;
  let source: MariadbServer;
  let target: MariadbServer;
  let serviceId: string;
  let targetServiceId: string;
  let fileEndpointId: string;
  let backup: string;
  const workers: Worker[] = [];

  beforeAll(async () => {
    [harness, source, target] = await Promise.all([startWorkerHarness(), startMariadb(), startMariadb()]);
    await source.sql(await readFile('scripts/quickstart-sample.sql', 'utf8'));
    await source.sql(`USE harbour; CREATE TABLE harbour.noise (id INT PRIMARY KEY, b BLOB);
      INSERT INTO harbour.noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_2000;`);
    serviceId = await harness.addService(source);
    targetServiceId = await harness.addService(target);
    fileEndpointId = await harness.addFolder();
    const worker = await harness.startWorker();
    backup = await harness.queueBackup({ serviceId, fileEndpointId });
    await harness.until(backup, 'BackupSucceeded');
    await worker.stop();
  });

  beforeEach(() => target.sql('DROP DATABASE IF EXISTS harbour;'));
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
    expect(childrenNamed(...tools)).toEqual([]);
  });
  afterAll(async () => {
    await Promise.all([harness.stop(), source.stop(), target.stop()]);
  });

  async function startWorker(options?: Parameters<WorkerHarness['startWorker']>[0]): Promise<Worker> {
    const worker = await harness.startWorker(options);
    workers.push(worker);
    return worker;
  }
  const restore = () => harness.queueRestore(backup, targetServiceId);
  const rowOf = (id: string) => harness.dataSource.manager.findOneByOrFail(RestoreJobTable, { id });
  const databases = async () => (await target.sql("SHOW DATABASES LIKE 'harbour'")).trim();
  const readersOf = async (id: string) => {
    const { state } = await harness.store.load(backupJob, id);
    return state.status === 'SUCCEEDED' ? state.readers : undefined;
  };

  /**
   * A restore reads a backup twice: first for the check, then for the tool. This passes the first reading, and stops
   * the second one at its end.
   */
  function holdSecondReading() {
    let readings = 0;
    let isReached = false;
    const reached = () => eventually('the second reading', () => (isReached ? true : undefined));
    async function* held(content: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
      yield* content;
      isReached = true;
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    }
    const hold = (storage: Storage): Storage =>
      replacing(storage, {
        get: (name, options) => {
          const content = storage.get(name, options);
          if (!name.endsWith('.zst')) return content;
          readings += 1;
          return readings % 2 === 0 ? held(content, options.signal) : content;
        },
      });
    return { reached, hold };
  }

  test('into another server with identical content, and enters each phase', async () => {
    await startWorker();
    const id = await restore();
    const events = await harness.until(id, 'RestoreSucceeded');
    expect(events.map(story)).toEqual([
      'RestoreQueued',
      'RestoreAttemptStarted',
      'RestorePhaseEntered PREFLIGHT',
      'RestorePhaseEntered FETCHING',
      'RestoreToolStarted',
      'RestorePhaseEntered RESTORING',
      'RestorePhaseEntered CHECKING',
      'RestoreSucceeded',
    ]);
    expect(await rowOf(id)).toMatchObject({ status: 'SUCCEEDED', differences: [] });
    expect(await fingerprint(target, ['harbour'])).toEqual(await fingerprint(source, ['harbour']));
    expect(await readersOf(backup)).toEqual([]);
  });

  test('and reports the current progress with each phase', async () => {
    const engine = createMariadbEngine();
    let id = '';
    const shown: { phase: string; readBytes: number | undefined; storedBytes: number | undefined }[] = [];
    const show = async (phase: string) => {
      const { readBytes, storedBytes } = (await harness.telemetry.latest([id])).get(id) ?? {};
      shown.push({ phase, readBytes, storedBytes });
    };
    const showing = {
      ...engine,
      restore: (...[on, part, from, context]: Parameters<typeof engine.restore>) => {
        const mayStart = async () => {
          await context.mayStart?.();
          await show('RESTORING');
        };
        return engine.restore(on, part, from, { ...context, mayStart });
      },
      inventory: async (...input: Parameters<typeof engine.inventory>) => {
        await show('CHECKING');
        return engine.inventory(...input);
      },
    };
    // The worker starts after the restore is queued, because the test must know the id of the restore.
    id = await restore();
    await startWorker({ engines: new Map([[engine.name, showing]]) });
    await harness.until(id, 'RestoreSucceeded');
    const { storedSizeBytes } = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id: backup });
    expect(shown).toEqual([
      { phase: 'RESTORING', readBytes: storedSizeBytes, storedBytes: 0 },
      { phase: 'CHECKING', readBytes: storedSizeBytes, storedBytes: storedSizeBytes },
    ]);
  });

  test('never over existing databases: the error is TARGET_EXISTS, and nothing is changed', async () => {
    await startWorker();
    await target.sql(
      'CREATE DATABASE harbour; CREATE TABLE harbour.mine (a INT); INSERT INTO harbour.mine VALUES (7);',
    );
    const id = await restore();
    const events = await harness.until(id, 'RestoreFailed');
    expect((await rowOf(id)).error).toMatchObject({ code: 'TARGET_EXISTS', retriable: false });
    expect(events.map(({ type }) => type)).not.toContain('RestoreToolStarted');
    expect((await target.sql('SHOW TABLES FROM harbour; SELECT a FROM harbour.mine')).trim().split('\n')).toEqual([
      'mine',
      '7',
    ]);
    expect(await readersOf(backup)).toEqual([]);
  });

  test('no byte of a backup that was damaged in the container: the error is CHECKSUM, before any statement', async () => {
    await startWorker();
    const damaged = await harness.queueBackup({ serviceId, fileEndpointId });
    await harness.until(damaged, 'BackupSucceeded');
    const { parts } = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id: damaged });
    await flipBit(join(harness.ground.root, String(parts[0]?.objectName)), 5_000);
    const id = await harness.queueRestore(damaged, targetServiceId);
    const events = await harness.until(id, 'RestoreFailed');
    expect((await rowOf(id)).error).toMatchObject({ code: 'CHECKSUM', retriable: false });
    expect(endings(events)).toEqual(['1 FAILED']);
    expect(events.map(({ type }) => type)).not.toContain('RestoreToolStarted');
    expect(await databases()).toBe('');
  });

  test('again after a transient failure, as long as the tool has not started', async () => {
    let failures = 1;
    await startWorker({
      wrapStorage: (storage) =>
        replacing(storage, {
          get: (name, options) => {
            failures -= 1;
            if (failures < 0) return storage.get(name, options);
            throw new StowageError('ENDPOINT_UNREACHABLE', 'The storage does not answer.');
          },
        }),
    });
    const id = await restore();
    const events = await harness.until(id, 'RestoreSucceeded');
    expect(endings(events)).toEqual(['1 FAILED', '2 SUCCEEDED']);
  });

  test('and hands the job back if it is stopped before the tool has started; another worker finishes the job', async () => {
    let isReading = false;
    const first = await harness.startWorker({
      times: { grace: 0 },
      wrapStorage: (storage) =>
        replacing(storage, {
          get: (name, options) =>
            name.endsWith('.zst') ? silence(options.signal, () => (isReading = true)) : storage.get(name, options),
        }),
    });
    const id = await restore();
    await eventually('the reading', () => (isReading ? true : undefined));
    await first.stop();
    await startWorker();
    expect(endings(await harness.until(id, 'RestoreSucceeded'))).toEqual(['1 HANDED_BACK', '2 SUCCEEDED']);
  });

  test('only once after the tool has started: a stopped worker records FAILED and what the target may hold', async () => {
    const { reached, hold } = holdSecondReading();
    const first = await harness.startWorker({ times: { grace: 0 }, wrapStorage: hold });
    const id = await restore();
    await reached();
    await first.stop();
    const events = await harness.until(id, 'RestoreFailed');
    expect(endings(events)).toEqual(['1 FAILED']);
    expect((await rowOf(id)).error).toMatchObject({
      code: 'WORKER_LOST',
      retriable: false,
      hint: expect.stringContaining('may hold a part of the data'),
    });
    expect(childrenNamed(...tools)).toEqual([]);
  });

  test('only once after the tool has started: the job of a lost worker is FAILED after its sessions on the target have ended', async () => {
    const { reached, hold } = holdSecondReading();
    await startWorker({ id: 'lost', wrapStorage: hold, times: { lease: 600_000, heartbeat: 600_000, reap: 600_000 } });
    const id = await restore();
    await reached();
    await harness.until(id, 'RestoreToolStarted');
    const ourSessions = () =>
      target
        .sql("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'stowage'")
        .then((text) => text.trim());
    expect(Number(await ourSessions())).toBeGreaterThan(0);
    await harness.dataSource.query(
      "UPDATE job_queue SET lease_expires_at = clock_timestamp() - interval '1 second' WHERE job_id = $1",
      [id],
    );
    await startWorker({ id: 'heir' });
    const events = await harness.until(id, 'RestoreFailed');
    expect(endings(events)).toEqual(['1 WORKER_LOST']);
    expect((await rowOf(id)).error).toMatchObject({ code: 'WORKER_LOST', retriable: false });
    await eventually('no session of ours on the target', async () =>
      (await ourSessions()) === '0' ? true : undefined,
    );
    expect(await readersOf(backup)).toEqual([]);
    expect((await harness.eventsOf(id)).at(-1)?.type).toBe('RestoreFailed');
  });

  test('and ends a cancelled job after its tools have ended, and records that the target was changed', async () => {
    const { reached, hold } = holdSecondReading();
    await startWorker({ wrapStorage: hold });
    const id = await restore();
    await reached();
    await harness.transact((tx) =>
      cancelJob(tx, harness.queue, restoreHandling, { id, projectId: harness.projectId }, 'a person', new Date()),
    );
    await harness.signals.send('cancel', id);
    const events = await harness.until(id, 'RestoreCancelled');
    expect(events.at(-1)?.data).toMatchObject({ attempt: 1, targetTouched: true });
    expect(childrenNamed(...tools)).toEqual([]);
  });

  test('and does not change the target if the end of its attempt was not appended, because the next restore may run there', async () => {
    const engine = createMariadbEngine();
    let ended = 0;
    let id = '';
    const withoutEnd = {
      ...engine,
      inventory: async (...input: Parameters<typeof engine.inventory>) => {
        const moved = 'UPDATE job_queue SET attempt = attempt + 1 WHERE job_id = $1';
        await harness.dataSource.query(moved, [id]);
        return engine.inventory(...input);
      },
      endOurSessions: (...input: Parameters<typeof engine.endOurSessions>) => {
        ended += 1;
        return engine.endOurSessions(...input);
      },
    };
    const worker = await harness.startWorker({
      times: { lease: 600_000, heartbeat: 600_000, reap: 600_000 },
      engines: new Map([[engine.name, withoutEnd]]),
    });
    id = await restore();
    await eventually('the end of the attempt', () =>
      harness.logged.find((line) => line.includes('LEASE_LOST') && line.includes(id)),
    );
    await worker.stop();
    expect(ended).toBe(0);
    const expired = "UPDATE job_queue SET lease_expires_at = clock_timestamp() - interval '1 second' WHERE job_id = $1";
    await harness.dataSource.query(expired, [id]);
    await startWorker();
    expect(endings(await harness.until(id, 'RestoreFailed'))).toEqual(['1 WORKER_LOST']);
  });

  test('and keeps a target locked until its sessions have ended', async () => {
    const engine = createMariadbEngine();
    let answers = false;
    const stubborn = {
      ...engine,
      endOurSessions: (...input: Parameters<typeof engine.endOurSessions>) =>
        answers ? engine.endOurSessions(...input) : Promise.resolve(false),
    };
    const { reached, hold } = holdSecondReading();
    const worker = await harness.startWorker({
      times: { grace: 0, lease: 8_000, heartbeat: 300 },
      wrapStorage: hold,
      engines: new Map([[engine.name, stubborn]]),
    });
    const id = await restore();
    await reached();
    await worker.stop();
    const { status } = await rowOf(id);
    expect(status).toBe('RUNNING');
    answers = true;
    await startWorker();
    expect(endings(await harness.until(id, 'RestoreFailed'))).toEqual(['1 WORKER_LOST']);
  });
});

async function flipBit(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  await file.close();
}

/** A storage that does not answer. */
async function* silence(signal: AbortSignal, onAsked: () => void): AsyncGenerator<Uint8Array> {
  onAsked();
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  yield new Uint8Array();
}

function endings(events: readonly RecordedEvent[]): readonly string[] {
  return events.flatMap(({ type, data }) => {
    const { attempt, outcome } = data as { attempt?: number; outcome?: string };
    if (type === 'RestoreAttemptEnded') return [`${attempt} ${outcome}`];
    return type === 'RestoreSucceeded' ? [`${attempt} SUCCEEDED`] : [];
  });
}

function story({ type, data }: RecordedEvent): string {
  return type === 'RestorePhaseEntered' ? `${type} ${(data as { phase: string }).phase}` : type;
}
