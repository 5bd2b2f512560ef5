import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beginAttempt, objectsIn, type WrittenAttempt } from '../../../test/fixtures/attempts.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { shelfDriver, shelfKind } from '../../../test/fixtures/shelf/shelfKind.js';
import { startShelfServer, type ShelfServer } from '../../../test/fixtures/shelf/shelfServer.js';
import { startSwift, swiftMissing, type SwiftServer } from '../../../test/fixtures/servers/swift.js';
import { eventually, replacing, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { deleteBackup } from '../../archive/deleteBackup.js';
import { claimPrefix } from '../../endpoints/installationMarker.js';
import { findAudits, type AuditRecord, type ContainerAudit } from '../../endpoints/containerAudit.js';
import { StowageError } from '../../errors.js';
import { Secret } from '../../secret.js';
import { decideDeletion } from '../../backups/backupJobCommands.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import { filesystemDriver } from '../../storage/filesystem/filesystemDriver.js';
import type { Storage } from '../../storage/storage.js';
import { createSwiftDriver } from '../../storage/swift/swiftDriver.js';
import type { Worker } from '../worker.js';

const hourMs = 3_600_000;
const signal = () => AbortSignal.timeout(120_000);

describeWith({ postgresql: await postgresMissing() }, 'A container is compared with the log', () => {
  let harness: WorkerHarness;
  let swift: SwiftServer | undefined;
  let shelf: ShelfServer;
  const workers: Worker[] = [];
  let aheadMs = 0;

  beforeAll(async () => {
    [harness, swift, shelf] = await Promise.all([
      startWorkerHarness([shelfKind]),
      swiftMissing === undefined ? startSwift() : undefined,
      startShelfServer(),
    ]);
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
    aheadMs = 0;
  });
  afterAll(async () => {
    await Promise.all([harness.stop(), swift?.stop(), shelf.stop()]);
  });

  const now = () => new Date(Date.now() + aheadMs);
  /** Segments are small, so that a small object counts as a large one. */
  const swiftDriver = createSwiftDriver({ smallSegmentBytes: 65_536, largeSegmentBytes: 65_536 });

  async function startAuditor(options: Parameters<WorkerHarness['startWorker']>[0] = {}): Promise<void> {
    const { times, ...others } = options;
    const audits = { engines: new Map(), now, swift: swiftDriver, times: { audit: 100, ...times } };
    workers.push(await harness.startWorker({ ...audits, ...others }));
  }
  const recordOf = async (id: string): Promise<AuditRecord | null> =>
    (await findAudits(harness.dataSource.manager, [id]))[0] ?? null;
  /** The result of an audit that began after this call. The first two results may come from earlier audits. */
  async function audited(id: string): Promise<ContainerAudit> {
    const seen: string[] = [];
    return eventually('a new audit', async () => {
      const result = (await recordOf(id))?.result ?? undefined;
      if (result === undefined || seen.at(-1) === result.at) return undefined;
      return seen.push(result.at) >= 3 ? result : undefined;
    });
  }
  const availability = async ({ id }: WrittenAttempt) =>
    (await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id })).availability;
  const typesOf = async ({ id }: WrittenAttempt) => (await harness.eventsOf(id)).map(({ type }) => type);
  const folderAt = (path: string): Storage => filesystemDriver.open({ root: harness.ground.root, path });

  type Place = {
    readonly fileEndpointId: string;
    readonly storage: Storage;
    /** Leaves an unfinished upload in a folder. Absent for a kind without such uploads. */
    readonly leaveUpload?: (folder: string) => Promise<void>;
  };
  async function openFolder(path: string): Promise<Required<Place>> {
    const fileEndpointId = await harness.addFolder({ path });
    const leaveUpload = async (folder: string) => {
      const partial = join(harness.ground.root, path, folder, '.stowage-partial-1');
      await mkdir(dirname(partial), { recursive: true });
      await writeFile(partial, 'half');
    };
    return { fileEndpointId, storage: folderAt(path), leaveUpload };
  }
  async function openShelf(name: string): Promise<Required<Place>> {
    const { url, key } = shelf;
    const settings = { url, shelf: name, key: new Secret(key), createShelf: true, allowHost: () => true };
    const fileEndpointId = await harness.addEndpoint({ kind: 'SHELF', url, shelf: name }, '', key);
    const leaveUpload = (folder: string) => {
      shelf.beginUpload(name, `${folder}databases.sql.zst`, Buffer.from('half'));
      return Promise.resolve();
    };
    return { fileEndpointId, storage: shelfDriver.open(settings), leaveUpload };
  }
  const kinds: readonly [string, (name: string) => Promise<Place>][] = [
    ['a folder', openFolder],
    ['a shelf', openShelf],
    [
      'Swift',
      async (name) => {
        if (swift === undefined) throw new Error(swiftMissing);
        const fileEndpointId = await harness.addSwift(swift, name);
        return { fileEndpointId, storage: swiftDriver.open(swift.settings(name)) };
      },
    ],
  ];

  describe.each(swiftMissing === undefined ? kinds : kinds.slice(0, 2))('%s', (kind, open) => {
    const name = (what: string) => `${what}-${kind.replace(' ', '-')}`;

    test('late bytes of a failed attempt or a deleted backup are deleted again; the bytes of a running attempt stay', async () => {
      const { fileEndpointId, storage } = await open(name('late'));
      const [lost, deleted, running] = [
        await beginAttempt(harness, fileEndpointId),
        await beginAttempt(harness, fileEndpointId),
        await beginAttempt(harness, fileEndpointId),
      ];
      await deleted.store(storage);
      await deleted.succeed();
      await lost.end('WORKER_LOST');
      const job = { id: deleted.id, projectId: harness.projectId };
      await harness.transact((tx) => decideDeletion(tx, job, { reason: 'BY_HAND', by: 'a person', at: new Date() }));
      await startAuditor();
      await harness.until(lost.id, 'BackupRemainsRemoved');
      await harness.until(deleted.id, 'BackupDeleted');

      // The worker of the attempt has stored a complete backup too late.
      await lost.store(storage, 200_000);
      await deleted.store(storage, 200_000);
      await running.store(storage, 200_000);
      await eventually('the late bytes are gone', async () =>
        (await objectsIn(storage)).every((object) => object.startsWith(running.folder)) ? true : undefined,
      );
      expect(await audited(fileEndpointId)).toMatchObject({ backups: 0, missing: 0, unknownObjects: 0 });
      const left = await objectsIn(storage);
      expect(left).toContain(`${running.folder}backup.json`);
      expect(left).toContain(`${running.folder}databases.sql.zst`);
      expect(await typesOf(lost)).not.toContain('BackupSucceeded');
      await storage.close();
    });

    test('a backup with a missing part is MISSING after two checks an hour apart, and is found again at once', async () => {
      const { fileEndpointId, storage } = await open(name('missing'));
      const backups = await Promise.all(Array.from({ length: 4 }, () => beginAttempt(harness, fileEndpointId)));
      for (const backup of backups) {
        await backup.store(storage, 200_000);
        await backup.succeed();
      }
      const [whole, noDocument, noObject, hurt] = backups;
      if (whole === undefined || noDocument === undefined || noObject === undefined || hurt === undefined)
        throw new Error();
      await startAuditor();
      expect(await audited(fileEndpointId)).toMatchObject({ backups: 4, missing: 0, unknownObjects: 0 });

      await storage.delete(`${noDocument.folder}backup.json`, { signal: signal() });
      await storage.delete(`${noObject.folder}databases.sql.zst`, { signal: signal() });
      await hurtOf(storage, hurt);
      const damaged = [noDocument, noObject, hurt];
      for (const { id } of damaged) await harness.until(id, 'BackupAbsent');
      expect(await audited(fileEndpointId)).toMatchObject({ backups: 4, missing: 3, unknownObjects: 0 });
      for (const backup of damaged) expect(await availability(backup)).toBe('STORED');

      aheadMs = hourMs + 1_000;
      for (const { id } of damaged) await harness.until(id, 'BackupMissing');
      expect(await typesOf(whole)).not.toContain('BackupAbsent');
      for (const backup of damaged) expect(await availability(backup)).toBe('MISSING');

      for (const backup of damaged) {
        await deleteBackup({ storage, folder: backup.folder, signal: signal() });
        await backup.store(storage, 200_000);
      }
      for (const { id } of damaged) await harness.until(id, 'BackupFound');
      for (const backup of damaged) expect(await availability(backup)).toBe('STORED');
      expect(await audited(fileEndpointId)).toMatchObject({ backups: 4, missing: 0 });
      await storage.close();
    });
  });

  describe.each([
    ['a folder', openFolder],
    ['a shelf', openShelf],
  ])('unfinished uploads in %s', (kind, open) => {
    test('are deleted once their attempt has ended; uploads of a running attempt and unknown uploads stay', async () => {
      const { fileEndpointId, storage, leaveUpload } = await open(`uploads-${kind.replace(' ', '-')}`);
      const attempts = await Promise.all(Array.from({ length: 4 }, () => beginAttempt(harness, fileEndpointId)));
      const [failed, succeeded, late, running] = attempts;
      if (failed === undefined || succeeded === undefined || late === undefined || running === undefined)
        throw new Error();
      await succeeded.store(storage);
      await succeeded.succeed();
      const unknown = 'harbour-00000000/2024/02/20240229T102030Z-00000000-a1/';
      for (const { folder } of [failed, succeeded, running]) await leaveUpload(folder);
      await leaveUpload(unknown);
      await failed.end('FAILED');
      await late.end('WORKER_LOST');
      await startAuditor();
      for (const { id } of [failed, late]) await harness.until(id, 'BackupRemainsRemoved');
      await leaveUpload(late.folder);

      const uploads = async () => {
        const names: string[] = [];
        for await (const upload of storage.unfinishedUploads('', { signal: signal() }))
          names.push(dirname(upload.name));
        return names.map((each) => `${each}/`);
      };
      const staying = [unknown, running.folder].sort();
      await eventually('the others are gone', async () => {
        const left = (await uploads()).sort();
        return left.join() === staying.join() ? true : undefined;
      });
      expect(await audited(fileEndpointId)).toMatchObject({
        backups: 1,
        missing: 0,
        unknownObjects: 1,
        unknownSizeBytes: 4,
      });
      expect(await typesOf(succeeded)).not.toContain('BackupAbsent');
      await storage.close();
    });
  });

  /** A segment of the large object is missing, or its file is truncated. */
  async function hurtOf(storage: Storage, { folder }: WrittenAttempt): Promise<void> {
    if (storage.listsSegments) return storage.delete(`${folder}segments/databases/00000001`, { signal: signal() });
    await storage.putBytes(`${folder}databases.sql.zst`, Buffer.from('cut'), { signal: signal(), overwrite: true });
  }

  (swiftMissing === undefined ? test : test.skip)(
    'a listing that lags behind does not make a backup absent',
    async () => {
      if (swift === undefined) throw new Error(swiftMissing);
      const fileEndpointId = await harness.addSwift(swift, 'lagging');
      const storage = swiftDriver.open(swift.settings('lagging'));
      const backup = await beginAttempt(harness, fileEndpointId);
      await backup.store(storage, 200_000);
      await backup.succeed();
      async function* withoutLast(...given: Parameters<Storage['list']>): ReturnType<Storage['list']> {
        for await (const info of storage.list(...given)) if (!info.name.endsWith('/00000003')) yield info;
      }
      await startAuditor({ wrapStorage: (opened) => replacing(opened, { list: withoutLast }) });
      expect(await audited(fileEndpointId)).toMatchObject({ backups: 1, missing: 0 });
      expect(await typesOf(backup)).not.toContain('BackupAbsent');
      await storage.close();
    },
  );

  test('a worker stops even if calls to a missing disk never return', async () => {
    await harness.addFolder({ path: 'gone' });
    let isCalled = false;
    await startAuditor({
      wrapStorage: (opened) =>
        replacing(opened, {
          head: () => {
            isCalled = true;
            return new Promise(() => undefined);
          },
        }),
    });
    await eventually('a question', () => (isCalled ? true : undefined));
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  });

  test('unknown objects are reported with their size and never deleted; objects outside the prefix are not read', async () => {
    const fileEndpointId = await harness.addFolder({ path: 'shared', prefix: 'team/' });
    const storage = folderAt('shared');
    const known = await beginAttempt(harness, fileEndpointId, 'team/');
    await known.store(storage);
    await known.succeed();
    const put = (object: string, bytes = 'twelve bytes') =>
      storage.putBytes(object, Buffer.from(bytes), { signal: signal() });
    const strange = 'team/harbour-00000000/2024/02/20240229T102030Z-00000000-a1/';
    await put(`${strange}backup.json`);
    await put(`${strange}segments/databases/00000001`);
    await put('team/notes.txt');
    // Similar to a known folder: another attempt of a known job.
    await put(`${known.folder.replace(/-a1\/$/, '-a2/')}databases.sql.zst`);
    // Files of another installation below our prefix, and files of people beside it.
    await put('team/others/.stowage.json', JSON.stringify({ format: 1, installation: 'another' }));
    await put('team/others/harbour-00000000/2024/02/20240229T102030Z-00000000-a1/backup.json');
    await put('photos/summer.jpg');
    await put('teams.txt');
    const before = await objectsIn(storage);
    const readNames: string[] = [];
    await startAuditor({
      wrapStorage: (opened) =>
        replacing(opened, {
          list: async function* (prefix, options) {
            for await (const object of opened.list(prefix, options)) {
              readNames.push(object.name);
              yield object;
            }
          },
        }),
    });
    const audit = await audited(fileEndpointId);
    expect(audit).toMatchObject({ backups: 1, missing: 0, unknownObjects: 4, removedSizeBytes: 0 });
    expect(audit.unknownSizeBytes).toBe(4 * 12);
    expect(audit.unknownSample).toContain(strange);
    expect(audit.unknownSample).toContain('team/notes.txt');
    expect(audit.unknownSample).toHaveLength(3);
    expect(await objectsIn(storage)).toEqual(before);
    expect(readNames).toContain('team/notes.txt');
    for (const beside of ['photos/summer.jpg', 'teams.txt']) expect(readNames).not.toContain(beside);
    expect(await typesOf(known)).not.toContain('BackupAbsent');
  });

  test.each([
    ['with their markers', true],
    ['also if somebody has deleted the markers', false],
  ])('prefixes inside of each other share no object, %s', async (_when, marked) => {
    const { url, key } = shelf;
    const name = `nested-${String(marked)}`;
    // The second prefix looks like the folder of a service.
    const prefixes = ['', 'harbour-01234567/', 'harbour-01234567/2026/', 'team/'];
    const endpoints: { id: string; kept: WrittenAttempt; lost: WrittenAttempt; deleted: WrittenAttempt }[] = [];
    const settings = { url, shelf: name, key: new Secret(key), createShelf: true, allowHost: () => true };
    const storage = shelfDriver.open(settings);
    for (const prefix of prefixes) {
      const id = await harness.addEndpoint({ kind: 'SHELF', url, shelf: name }, prefix, key);
      const begin = () => beginAttempt(harness, id, prefix);
      const [kept, lost, deleted] = [await begin(), await begin(), await begin()];
      for (const each of [kept, deleted]) {
        await each.store(storage);
        await each.succeed();
      }
      await lost.store(storage);
      await lost.end('WORKER_LOST');
      const job = { id: deleted.id, projectId: harness.projectId };
      await harness.transact((tx) => decideDeletion(tx, job, { reason: 'BY_HAND', by: 'a person', at: new Date() }));
      endpoints.push({ id, kept, lost, deleted });
    }
    if (!marked) {
      for (const prefix of prefixes) await storage.delete(`${prefix}.stowage.json`, { signal: signal() });
    }
    await startAuditor();
    for (const { lost, deleted } of endpoints) {
      await harness.until(lost.id, 'BackupRemainsRemoved');
      await harness.until(deleted.id, 'BackupDeleted');
    }
    // Late bytes are deleted by the audit of their own endpoint.
    for (const { lost, deleted } of endpoints) {
      await lost.store(storage);
      await deleted.store(storage);
    }
    const isKept = (object: string) => endpoints.some(({ kept }) => object.startsWith(kept.folder));
    await eventually('the late bytes are gone', async () =>
      (await objectsIn(storage)).every(isKept) ? true : undefined,
    );
    for (const { id } of endpoints) expect(await audited(id)).toMatchObject({ backups: 1, missing: 0 });
    for (const { kept } of endpoints) {
      expect(await typesOf(kept)).not.toContain('BackupAbsent');
      const left = (await objectsIn(storage)).filter((object) => object.startsWith(kept.folder));
      expect(left).toEqual([`${kept.folder}backup.json`, `${kept.folder}databases.sql.zst`]);
    }
    await storage.close();
  });

  test('no backup becomes absent if a container does not answer, a disk is unmounted or a prefix is foreign', async () => {
    const [dead, unmounted, foreign] = await Promise.all(
      ['dead', 'unmounted', 'foreign'].map((path) => harness.addFolder({ path })),
    );
    if (dead === undefined || unmounted === undefined || foreign === undefined) throw new Error();
    const backups: WrittenAttempt[] = [];
    for (const id of [dead, unmounted, foreign]) {
      const backup = await beginAttempt(harness, id);
      await backup.store(folderAt(id === dead ? 'dead' : id === unmounted ? 'unmounted' : 'foreign'));
      await backup.succeed();
      backups.push(backup);
    }
    const { root } = harness.ground;
    await rename(join(root, 'unmounted'), join(root, 'elsewhere'));
    await mkdir(join(root, 'unmounted'));
    await folderAt('foreign').putBytes('.stowage.json', Buffer.from('{"format":1,"installation":"another"}'), {
      ...{ signal: signal(), overwrite: true },
    });
    for (const backup of backups.slice(2)) await rm(join(root, 'foreign', backup.folder), { recursive: true });
    let answers = false;
    await startAuditor({
      wrapStorage: (storage) =>
        replacing(storage, {
          list: (prefix, options) => {
            if (answers) return storage.list(prefix, options);
            throw new StowageError('ENDPOINT_UNREACHABLE', 'It does not answer.');
          },
        }),
    });
    const problem = (id: string, code: string) =>
      eventually(`${code} of the audit`, async () => {
        const record = await recordOf(id);
        return record?.problem?.code === code && record.failures >= 2 ? record : undefined;
      });
    expect(await problem(dead, 'ENDPOINT_UNREACHABLE')).toMatchObject({ result: null });
    await problem(unmounted, 'ENDPOINT_NOT_FOUND');
    await problem(foreign, 'CONFLICT');
    for (const backup of backups) expect(await typesOf(backup)).not.toContain('BackupAbsent');
    answers = true;
    expect(await audited(dead)).toMatchObject({ backups: 1, missing: 0 });
    expect(await recordOf(dead)).toMatchObject({ problem: null, failures: 0 });
  });

  test('a foreign prefix, or a prefix whose container does not answer, does not stop the audit of the others', async () => {
    const fileEndpointId = await harness.addFolder({ path: 'several', prefix: 'foreign/' });
    const storage = folderAt('several');
    const at = async (prefix: string) => {
      await claimPrefix(storage, prefix, harness, signal());
      const backup = await beginAttempt(harness, fileEndpointId, prefix);
      await backup.store(storage);
      await backup.succeed();
      await deleteBackup({ storage, folder: backup.folder, signal: signal() });
      return backup;
    };
    const [foreign, silent, damaged] = [await at('foreign/'), await at('silent/'), await at('gone/')];
    await storage.putBytes('foreign/.stowage.json', Buffer.from('{"format":1,"installation":"another"}'), {
      ...{ signal: signal(), overwrite: true },
    });
    await startAuditor({
      wrapStorage: (opened) =>
        replacing(opened, {
          list: (prefix, options) => {
            if (prefix !== 'silent/') return opened.list(prefix, options);
            throw new StowageError('ENDPOINT_UNREACHABLE', 'It does not answer.');
          },
        }),
    });
    await harness.until(damaged.id, 'BackupAbsent');
    const record = await eventually('two audits', async () => {
      const found = await recordOf(fileEndpointId);
      return found !== null && found.failures >= 2 ? found : undefined;
    });
    expect(record.result).toMatchObject({ backups: 1, missing: 1 });
    expect(record.result?.prefixesNotSeen?.toSorted()).toEqual(['foreign/', 'silent/']);
    expect(record.problem).toMatchObject({ code: 'CONFLICT' });
    expect(record.problem?.message).toMatch(/^The prefix "foreign\/" could not be checked\. /);
    for (const backup of [foreign, silent]) expect(await typesOf(backup)).not.toContain('BackupAbsent');
    expect(await availability(foreign)).toBe('STORED');
  });

  test('one worker at a time audits, and another worker takes over when the first is gone', async () => {
    const fileEndpointId = await harness.addFolder({ path: 'turns' });
    let atOnce = 0;
    let most = 0;
    const counted = (storage: Storage): Storage =>
      replacing(storage, {
        list: async function* (prefix, options) {
          most = Math.max(most, (atOnce += 1));
          try {
            await new Promise((resolve) => setImmediate(resolve));
            yield* storage.list(prefix, options);
          } finally {
            atOnce -= 1;
          }
        },
      });
    await startAuditor({ wrapStorage: counted });
    await startAuditor({ wrapStorage: counted });
    await audited(fileEndpointId);
    expect(most).toBe(1);
    await workers.shift()?.stop();
    await audited(fileEndpointId);
  });
});
