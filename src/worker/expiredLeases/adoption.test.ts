import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { objectsIn } from '../../../test/fixtures/attempts.js';
import { loseAttempt, type LostAttempt } from '../../../test/fixtures/lostAttempt.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { startSwift, swiftMissing, type SwiftServer } from '../../../test/fixtures/servers/swift.js';
import { eventually, replacing, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import type { BackupDocument } from '../../archive/backupDocument.js';
import { StowageError } from '../../errors.js';
import { backupHandling } from '../../backups/backupJobCommands.js';
import { cancelJob } from '../../jobs/jobCommands.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import { filesystemDriver } from '../../storage/filesystem/filesystemDriver.js';
import type { Storage } from '../../storage/storage.js';
import { createSwiftDriver } from '../../storage/swift/swiftDriver.js';
import type { Worker } from '../worker.js';

const limitMs = 120_000;

describeWith({ postgresql: await postgresMissing() }, 'The folder of a worker that was lost in VERIFYING', () => {
  let harness: WorkerHarness;
  let swift: SwiftServer | undefined;
  const workers: Worker[] = [];

  beforeAll(async () => {
    [harness, swift] = await Promise.all([startWorkerHarness(), swiftMissing === undefined ? startSwift() : undefined]);
  });
  afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.stop())));
  afterAll(() => Promise.all([harness.stop(), swift?.stop()]));

  /** Segments are small, so that a small object counts as a large one. */
  const swiftDriver = createSwiftDriver({ smallSegmentBytes: 65_536, largeSegmentBytes: 65_536 });
  /**
   * The worker has no engine, so it only checks and takes no backup. It assumes that a lost backup is no longer being
   * written.
   */
  async function startFinder(options: Parameters<WorkerHarness['startWorker']>[0] = {}): Promise<void> {
    const times = { lease: 1, ...options.times };
    workers.push(await harness.startWorker({ engines: new Map(), swift: swiftDriver, ...options, times }));
  }
  async function folder(path: string) {
    const fileEndpointId = await harness.addFolder({ path });
    return { fileEndpointId, storage: filesystemDriver.open({ root: harness.ground.root, path }) };
  }
  async function container(name: string) {
    if (swift === undefined) throw new Error(swiftMissing);
    const fileEndpointId = await harness.addSwift(swift, name);
    return { fileEndpointId, storage: swiftDriver.open(swift.settings(name)) };
  }
  const rowOf = ({ id }: LostAttempt) => harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
  const typesOf = async ({ id }: LostAttempt) => (await harness.eventsOf(id)).map(({ type }) => type);
  const fileOf = (path: string, objectName: string) => join(harness.ground.root, path, objectName);

  /** The end of an attempt without a complete backup: the attempt is lost, and finally all its objects are deleted. */
  async function mustBeLost(lost: LostAttempt, storage: Storage): Promise<void> {
    const events = await harness.until(lost.id, 'BackupRemainsRemoved', limitMs);
    expect(events.map(({ type }) => type)).not.toContain('BackupSucceeded');
    expect(await rowOf(lost)).toMatchObject({ status: 'FAILED', errorCode: 'WORKER_LOST', availability: null });
    expect(await objectsIn(storage)).toEqual([]);
  }
  async function mustBeAdopted(lost: LostAttempt, storage: Storage): Promise<void> {
    const events = await harness.until(lost.id, 'BackupSucceeded', limitMs);
    expect(events.map(({ type }) => type)).not.toContain('BackupAttemptEnded');
    const row = await rowOf(lost);
    expect(row).toMatchObject({ status: 'SUCCEEDED', availability: 'STORED', folder: lost.folder, warnings: ['one'] });
    expect(row.changes).toEqual(lost.document.changes);
    expect(row.finishedAt?.toISOString()).toBe(lost.document.finishedAt);
    expect(await objectsIn(storage)).toContain(`${lost.folder}backup.json`);
    const queued: unknown[] = await harness.dataSource.query('SELECT FROM job_queue WHERE job_id = $1', [lost.id]);
    expect(queued).toEqual([]);
  }

  describe('in a folder', () => {
    test('is adopted as a backup, which every reader can read completely', async () => {
      const { fileEndpointId, storage } = await folder('whole');
      const lost = await loseAttempt(harness, { fileEndpointId, storage });
      await startFinder({ id: 'finder' });
      await mustBeAdopted(lost, storage);
      expect((await rowOf(lost)).attempts).toMatchObject([{ number: 1, outcome: 'SUCCEEDED', adoptedBy: 'finder' }]);
      expect((await harness.eventsOf(lost.id)).at(-1)?.metadata.actor).toBe('worker:finder');
    });

    test('is adopted once, even if several workers check it', async () => {
      const { fileEndpointId, storage } = await folder('many');
      const lost = await loseAttempt(harness, { fileEndpointId, storage });
      await Promise.all([startFinder(), startFinder(), startFinder()]);
      await mustBeAdopted(lost, storage);
      await Promise.all(workers.splice(0).map((worker) => worker.stop()));
      expect((await typesOf(lost)).filter((type) => type === 'BackupSucceeded')).toHaveLength(1);
    });

    const changes: readonly [string, (document: BackupDocument) => unknown][] = [
      ['of another attempt', (it) => ({ ...it, description: { ...it.description, attempt: 2 } })],
      ['of another job', (it) => ({ ...it, description: { ...it.description, jobId: it.description.batchId } })],
      ['of another installation', (it) => ({ ...it, description: { ...it.description, installationId: 'x' } })],
      ['of another project', (it) => ({ ...it, description: { ...it.description, projectId: 'x' } })],
      ['begun at another time', (it) => ({ ...it, description: { ...it.description, startedAt: it.finishedAt } })],
      ['of another engine', (it) => ({ ...it, engine: 'POSTGRESQL' })],
      ['that names an object elsewhere', (it) => ({ ...it, parts: it.parts.map((p) => ({ ...p, objectName: 'x' })) })],
      ['whose sizes do not add up', (it) => ({ ...it, storedSizeBytes: it.storedSizeBytes + 1 })],
      ['with another checksum', (it) => ({ ...it, parts: it.parts.map((p) => ({ ...p, checksum: '0'.repeat(64) })) })],
      ['that is cut off', (it) => JSON.stringify(it).slice(0, -20)],
    ];
    test.each(changes)('is not adopted if its backup.json %s', async (what, change) => {
      const { fileEndpointId, storage } = await folder(what);
      const lost = await loseAttempt(harness, { fileEndpointId, storage });
      await lost.writeDocument(change(lost.document));
      await startFinder();
      await mustBeLost(lost, storage);
    });

    test('is not adopted if one byte differs, even with the old modification time, or if a part is missing', async () => {
      const [bytes, withoutPart] = [await folder('bytes'), await folder('gone')];
      const damaged = await loseAttempt(harness, bytes);
      const file = fileOf('bytes', damaged.objectName);
      const { atime, mtime } = await stat(file);
      const content = await readFile(file);
      content.writeUInt8(content.readUInt8(100_000) ^ 1, 100_000);
      await writeFile(file, content);
      await utimes(file, atime, mtime);
      const without = await loseAttempt(harness, withoutPart);
      await unlink(fileOf('gone', without.objectName));
      await startFinder();
      await mustBeLost(damaged, bytes.storage);
      await mustBeLost(without, withoutPart.storage);
    });

    test('is checked only if the attempt had entered VERIFYING and no cancellation was requested', async () => {
      const [early, cancelled] = [await folder('early'), await folder('cancelled')];
      const dumping = await loseAttempt(harness, { ...early, phase: 'DUMPING' });
      const requests = await loseAttempt(harness, cancelled);
      const job = { id: requests.id, projectId: harness.projectId };
      await harness.transact((tx) => cancelJob(tx, harness.queue, backupHandling, job, 'a person', new Date()));
      await startFinder();
      await mustBeLost(dumping, early.storage);
      const events = await harness.until(requests.id, 'BackupRemainsRemoved', limitMs);
      expect(events.map(({ type }) => type)).toContain('BackupCancelled');
      expect((await rowOf(requests)).status).toBe('CANCELLED');
      expect(await objectsIn(cancelled.storage)).toEqual([]);
    });
  });

  describe('if the container does not answer,', () => {
    const unreachable = () => Promise.reject(new StowageError('ENDPOINT_UNREACHABLE', 'It does not answer.'));

    test('is checked again, and adopted when the container answers; other lost jobs do not wait', async () => {
      const [dead, alive] = [await folder('dead'), await folder('alive')];
      const lost = await loseAttempt(harness, dead);
      const other = await loseAttempt(harness, alive);
      let requests = 0;
      let answers = false;
      await startFinder({
        wrapStorage: (storage) =>
          replacing(storage, {
            verify: (name, stored, options) => {
              if (answers || !name.includes(lost.folder)) return storage.verify(name, stored, options);
              requests += 1;
              return unreachable();
            },
          }),
      });
      await mustBeAdopted(other, alive.storage);
      await eventually('three looks', () => (requests >= 3 ? true : undefined), limitMs);
      expect((await rowOf(lost)).status).toBe('RUNNING');
      answers = true;
      await mustBeAdopted(lost, dead.storage);
    });

    test('or does not respond, is finally given up: the job ends without success', async () => {
      const { fileEndpointId, storage } = await folder('silent');
      const lost = await loseAttempt(harness, { fileEndpointId, storage, stallTimeoutMs: 500 });
      await startFinder({
        times: { adopt: 0 },
        wrapStorage: (opened) =>
          replacing(opened, { verify: () => new Promise<void>(() => undefined), delete: unreachable }),
      });
      const events = await harness.until(lost.id, 'BackupFailed', limitMs);
      expect(events.map(({ type }) => type)).not.toContain('BackupSucceeded');
      expect(await rowOf(lost)).toMatchObject({ status: 'FAILED', errorCode: 'WORKER_LOST' });
    });

    test('because its disk is not mounted, is not treated as an empty folder', async () => {
      const { fileEndpointId, storage } = await folder('unmounted');
      const lost = await loseAttempt(harness, { fileEndpointId, storage });
      const marker = fileOf('unmounted', '.stowage.json');
      const text = await readFile(marker);
      await unlink(marker);
      const before = harness.logged.length;
      await startFinder();
      await eventually('two looks', () => {
        const retries = harness.logged
          .slice(before)
          .filter((line) => line.includes('It is unknown whether a lost worker'));
        return retries.length >= 2 ? true : undefined;
      });
      expect((await rowOf(lost)).status).toBe('RUNNING');
      await writeFile(marker, text);
      await mustBeAdopted(lost, storage);
    });
  });

  (swiftMissing === undefined ? describe : describe.skip)('in Swift', () => {
    test('is adopted with all segments, but not if one of them is damaged or missing', async () => {
      const [whole, damaged, withoutPart] = [
        await container('whole'),
        await container('damaged'),
        await container('gone'),
      ];
      const adopted = await loseAttempt(harness, whole);
      const [other, without] = [await loseAttempt(harness, damaged), await loseAttempt(harness, withoutPart)];
      const signal = AbortSignal.timeout(120_000);
      const second = async ({ folder: at }: LostAttempt, storage: Storage) => {
        const segments = (await objectsIn(storage)).filter((name) => name.startsWith(`${at}segments/`));
        expect(segments).toHaveLength(4);
        return String(segments[1]);
      };
      const bytes = Buffer.alloc(65_536, 'damaged');
      await damaged.storage.putBytes(await second(other, damaged.storage), bytes, { signal, overwrite: true });
      await withoutPart.storage.delete(await second(without, withoutPart.storage), { signal });
      await startFinder();
      await mustBeAdopted(adopted, whole.storage);
      await mustBeLost(other, damaged.storage);
      await mustBeLost(without, withoutPart.storage);
      for (const { storage } of [whole, damaged, withoutPart]) await storage.close();
    });
  });
});
