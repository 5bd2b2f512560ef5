import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { beginAttempt, objectsIn } from '../../../test/fixtures/attempts.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { eventually, replacing, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { fileEndpoint } from '../../endpoints/fileEndpoint.js';
import { StowageError } from '../../errors.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import { holdsBackups } from '../../backups/location/backupsAtEndpoint.js';
import { filesystemDriver } from '../../storage/filesystem/filesystemDriver.js';
import type { Storage } from '../../storage/storage.js';
import type { Worker } from '../worker.js';

describeWith({ postgresql: await postgresMissing() }, 'The remains of an attempt without a backup are removed', () => {
  let harness: WorkerHarness;
  const workers: Worker[] = [];

  beforeAll(async () => {
    harness = await startWorkerHarness();
  });
  afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.stop())));
  afterAll(() => harness.stop());

  /** It has no engine, so it sweeps and takes no backup. */
  async function startSweeper(options: Parameters<WorkerHarness['startWorker']>[0] = {}): Promise<void> {
    workers.push(await harness.startWorker({ engines: new Map(), ...options }));
  }
  const storageAt = (path: string): Storage => filesystemDriver.open({ root: harness.ground.root, path });
  const typesOf = async (id: string) => (await harness.eventsOf(id)).map(({ type }) => type);
  const withRemains = async (id: string) =>
    (await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id })).attemptsWithRemains;

  test.each(['FAILED', 'CANCELLED', 'WORKER_LOST'] as const)(
    'after it was %s, and an event is recorded after the container has confirmed it',
    async (outcome) => {
      const fileEndpointId = await harness.addFolder({ path: outcome });
      const [left, nothing] = await Promise.all([
        beginAttempt(harness, fileEndpointId),
        beginAttempt(harness, fileEndpointId),
      ]);
      const storage = storageAt(outcome);
      await storage.putBytes(`${left.folder}segments/databases/00000001`, Buffer.from('half'), {
        signal: AbortSignal.timeout(120_000),
      });
      await Promise.all([left.end(outcome), nothing.end(outcome)]);
      expect(await withRemains(left.id)).toEqual([1]);
      const mustStay = () => holdsBackups(harness.dataSource.manager, fileEndpointId);
      expect(await mustStay()).toBe(true);
      await startSweeper();
      for (const { id } of [left, nothing]) await harness.until(id, 'BackupRemainsRemoved');
      expect(await mustStay()).toBe(false);
      expect(await objectsIn(storage)).toEqual([]);
      expect(await withRemains(left.id)).toEqual([]);
      expect(await typesOf(left.id)).not.toContain('BackupAttemptVoided');
    },
  );

  test('after an event has voided a complete backup.json', async () => {
    const fileEndpointId = await harness.addFolder({ path: 'complete' });
    const attempt = await beginAttempt(harness, fileEndpointId);
    await attempt.store(storageAt('complete'));
    await attempt.end('WORKER_LOST');
    const voidedBefore: boolean[] = [];
    await startSweeper({
      wrapStorage: (storage) =>
        replacing(storage, {
          delete: async (name, options) => {
            voidedBefore.push((await typesOf(attempt.id)).includes('BackupAttemptVoided'));
            return storage.delete(name, options);
          },
        }),
    });
    await harness.until(attempt.id, 'BackupRemainsRemoved');
    expect(await objectsIn(storageAt('complete'))).toEqual([]);
    expect(voidedBefore.length).toBeGreaterThan(0);
    expect(voidedBefore).not.toContain(false);
    expect((await typesOf(attempt.id)).filter((type) => type === 'BackupAttemptVoided')).toHaveLength(1);
  });

  test('at once after its worker was lost, and again until a lease has passed, because the worker may still be sending', async () => {
    const fileEndpointId = await harness.addFolder({ path: 'late' });
    const attempt = await beginAttempt(harness, fileEndpointId);
    const storage = storageAt('late');
    const write = (name: string) =>
      storage.putBytes(`${attempt.folder}${name}`, Buffer.from('late'), { signal: AbortSignal.timeout(120_000) });
    await write('segments/databases/00000001');
    await attempt.end('WORKER_LOST', new Date());
    await startSweeper({ times: { lease: 600_000 } });
    await eventually('the first object is deleted', async () =>
      (await objectsIn(storage)).length === 0 ? true : undefined,
    );
    expect(await withRemains(attempt.id)).toEqual([1]);
    // The sweeper runs at the same time and may delete the partial file.
    await eventually('the second object is written', () =>
      write('segments/databases/00000002').then(
        () => true,
        () => undefined,
      ),
    );
    await eventually('the second object is deleted', async () =>
      (await objectsIn(storage)).length === 0 ? true : undefined,
    );
    await startSweeper({ times: { lease: 1 } });
    await harness.until(attempt.id, 'BackupRemainsRemoved');
    expect(await objectsIn(storage)).toEqual([]);
  });

  test('later if the endpoint does not answer for a while; other endpoints do not wait for it', async () => {
    const [dead, alive] = await Promise.all([
      harness.addFolder({ path: 'dead' }),
      harness.addFolder({ path: 'alive', prefix: 'team/' }),
    ]);
    const [one, two, other] = await Promise.all([
      beginAttempt(harness, dead),
      beginAttempt(harness, dead),
      beginAttempt(harness, alive, 'team/'),
    ]);
    await one.store(storageAt('dead'));
    await other.store(storageAt('alive'));
    for (const attempt of [one, two, other]) await attempt.end('FAILED');
    let answers = false;
    let requests = 0;
    await startSweeper({
      wrapStorage: (storage) =>
        replacing(storage, {
          head: (name, options) => {
            if (answers || name.startsWith('team/')) return storage.head(name, options);
            requests += 1;
            return Promise.reject(new StowageError('ENDPOINT_UNREACHABLE', 'It does not answer.'));
          },
        }),
    });
    await harness.until(other.id, 'BackupRemainsRemoved');
    await eventually('three tries', () => (requests >= 3 ? true : undefined));
    expect(await typesOf(one.id)).not.toContain('BackupAttemptVoided');
    answers = true;
    for (const { id } of [one, two]) await harness.until(id, 'BackupRemainsRemoved');
    expect(await objectsIn(storageAt('dead'))).toEqual([]);
  });

  test('by two workers at once without a conflict, and each attempt is confirmed once', async () => {
    const fileEndpointId = await harness.addFolder({ path: 'both' });
    const attempts = await Promise.all(Array.from({ length: 8 }, () => beginAttempt(harness, fileEndpointId)));
    for (const attempt of attempts) {
      await attempt.store(storageAt('both'));
      await attempt.end('FAILED');
    }
    let atOnce = 0;
    let most = 0;
    const counted = (storage: Storage): Storage =>
      replacing(storage, {
        delete: async (name, options) => {
          most = Math.max(most, (atOnce += 1));
          await storage.delete(name, options).finally(() => (atOnce -= 1));
        },
      });
    const before = harness.logged.length;
    await Promise.all([startSweeper({ wrapStorage: counted }), startSweeper({ wrapStorage: counted })]);
    for (const { id } of attempts) {
      const events = await harness.until(id, 'BackupRemainsRemoved');
      expect(events.filter(({ type }) => type === 'BackupRemainsRemoved')).toHaveLength(1);
    }
    expect(most).toBe(1);
    expect(harness.logged.slice(before).filter((line) => line.includes('could not be deleted'))).toEqual([]);
  });

  test('never in the prefix of another installation, and not after the endpoint is removed', async () => {
    const fileEndpointId = await harness.addFolder({ path: 'foreign' });
    const attempt = await beginAttempt(harness, fileEndpointId);
    await attempt.store(storageAt('foreign'));
    await attempt.end('WORKER_LOST');
    const marker = join(harness.ground.root, 'foreign', '.stowage.json');
    await writeFile(marker, JSON.stringify({ format: 1, installation: 'another' }));
    await startSweeper();
    await eventually('the refusal in the log', () =>
      harness.logged.find((line) => line.includes('another Stowage installation') && line.includes(attempt.id)),
    );
    expect(await objectsIn(storageAt('foreign'))).toHaveLength(2);
    expect(await typesOf(attempt.id)).not.toContain('BackupAttemptVoided');

    await harness.transact((tx) =>
      tx.execute(
        fileEndpoint,
        { id: fileEndpointId, projectId: harness.projectId },
        { kind: 'REMOVE', at: new Date().toISOString() },
      ),
    );
    const [before, next] = [harness.logged.length, await harness.addFolder({ path: 'next' })];
    const swept = await beginAttempt(harness, next);
    await swept.end('FAILED');
    await harness.until(swept.id, 'BackupRemainsRemoved');
    expect(harness.logged.slice(before).filter((line) => line.includes(attempt.id))).toEqual([]);
  });

  test('below the current prefix, even if another installation owns an earlier prefix by now', async () => {
    const fileEndpointId = await harness.addFolder({ path: 'moved', prefix: 'today/' });
    const of = (prefix: string) => beginAttempt(harness, fileEndpointId, prefix);
    const before = await of('before/');
    const today = await Promise.all(Array.from({ length: 6 }, () => of('today/')));
    await before.store(storageAt('moved'));
    await storageAt('moved').putBytes(
      'before/.stowage.json',
      Buffer.from(JSON.stringify({ format: 1, installation: 'another' })),
      { signal: AbortSignal.timeout(120_000) },
    );
    for (const attempt of [before, ...today]) await attempt.end('FAILED');
    await startSweeper();
    for (const { id } of today) await harness.until(id, 'BackupRemainsRemoved');
    expect(await withRemains(before.id)).toEqual([1]);
    expect(await objectsIn(storageAt('moved'))).toHaveLength(2);
  });
});
