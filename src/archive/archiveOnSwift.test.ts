import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { archiveBench, heldAfterFirstBytes, type ArchiveBench } from '../../test/fixtures/archive.js';
import { childrenNamed } from '../../test/fixtures/processes/childProcesses.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { fingerprint } from '../../test/fixtures/mariadbFingerprint.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { startSwift, swiftMissing, type SwiftServer } from '../../test/fixtures/servers/swift.js';
import { createMariadbEngine } from '../engines/mariadb/mariadbEngine.js';
import { manifestFolder, type Storage } from '../storage/storage.js';
import { swiftDriver } from '../storage/swift/swiftDriver.js';
import type { TakenBackup } from './archive.js';
import { readBackupDocument } from './backupDocument.js';
import { foldersBelow, type FoundInContainer } from './containerFolders.js';
import { deleteBackup } from './deleteBackup.js';
import { isStored, missingFrom } from './isStored.js';
import { attemptFolder, segmentFolder } from './layout.js';
import { restoreBackup } from './restoreBackup.js';
import { takeBackup } from './takeBackup.js';

const engine = createMariadbEngine();
const { signal } = new AbortController();

describeWith({ mariadb: mariadbMissing, swift: swiftMissing }, 'A backup in a Swift container', () => {
  let source: MariadbServer;
  let target: MariadbServer;
  let swift: SwiftServer;
  let bench: ArchiveBench;
  let storage: Storage;
  let backup: TakenBackup;
  const connection = () => source.connection({ databases: ['harbour', 'bulk'] });

  beforeAll(async () => {
    [source, target, swift, bench] = await Promise.all([
      startMariadb(),
      startMariadb(),
      startSwift({ maxSloSegments: 2 }),
      archiveBench(),
    ]);
    storage = swiftDriver.open(swift.settings('backups'));
    await source.sql(await readFile('scripts/quickstart-sample.sql', 'utf8'));
    // The object has more than one segment, even after the compression.
    await source.sql(`CREATE DATABASE bulk; USE bulk; CREATE TABLE noise (id INT PRIMARY KEY, b BLOB);
      INSERT INTO noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_36000;`);
    const [serviceId, jobId] = [randomUUID(), randomUUID()];
    const startedAt = new Date().toISOString();
    const folder = attemptFolder({ prefix: '', serviceName: 'harbour', serviceId, startedAt, jobId, attempt: 1 });
    const downloadCommand = (name: string) =>
      `swift -A ${swift.url}/auth/v1.0 -U test:tester -K testing download -o - backups ${name}`;
    backup = await takeBackup(await bench.backup(engine, connection(), { storage, folder, downloadCommand }));
  });

  afterAll(async () => {
    await storage.close();
    await Promise.all([source.stop(), target.stop(), swift.stop(), bench.remove()]);
  });

  async function expectIdentical(): Promise<void> {
    expect(await fingerprint(target, ['harbour', 'bulk'])).toEqual(await fingerprint(source, ['harbour', 'bulk']));
    await target.sql('DROP DATABASE harbour; DROP DATABASE bulk;');
  }

  test('is restored identically, from more segments than one manifest names', async () => {
    expect(backup.parts[0]!.segments.length).toBeGreaterThan(2);
    const restored = await restoreBackup({
      restoreId: 'this restore',
      engine,
      target: target.connection(),
      storage,
      backup,
      workFolder: await bench.workFolder(),
      signal,
      stallTimeoutMs: 20_000,
      onPhase: () => Promise.resolve(),
      onProgress: () => undefined,
      onToolStarting: () => Promise.resolve(),
    });
    expect(restored.differences).toEqual([]);
    await expectIdentical();
  });

  test('is restored identically by hand, with the command in backup.json', async () => {
    const document = await readBackupDocument(storage, backup.folder);
    const line = `${document!.restoreByHand[0]!} --user=root --socket=${join(target.folder, 's')}`;
    await promisify(execFile)('bash', ['-o', 'pipefail', '-c', line]);
    await expectIdentical();
  });

  test('is listed with all its bytes, and its backup.json has a format version that older versions refuse', async () => {
    expect(await readBackupDocument(storage, backup.folder)).toMatchObject({ formatVersion: 5 });
    const found: FoundInContainer[] = [];
    for await (const each of foldersBelow(storage, '', signal)) found.push(each);
    const bytes = backup.storedSizeBytes;
    expect(found).toMatchObject([{ kind: 'FOLDER', hasDocument: true, partsBytes: bytes, segmentsBytes: bytes }]);
    expect(await missingFrom(storage, backup, signal)).toBeUndefined();
    const manifests = manifestFolder(segmentFolder(backup.folder, backup.parts[0]!));
    await storage.delete(`${manifests}00000001`, { signal });
    expect(await isStored(storage, backup, signal)).toBe(false);
  });

  test('does not exist if the dump was killed in the middle', async () => {
    const held = heldAfterFirstBytes(storage);
    const input = await bench.backup(engine, connection(), { storage: held.storage });
    const attempt = takeBackup(input);
    await held.holding;
    process.kill(childrenNamed('mariadb-dump')[0]!.pid, 'SIGKILL');
    held.release();
    await expect(attempt).rejects.toMatchObject({ code: 'TOOL_FAILED' });
    for await (const { name } of storage.list(input.folder, { signal })) {
      expect(name).toMatch(/\/segments\/databases\//);
    }
  });

  test('leaves nothing in the container after its deletion, not even segments', async () => {
    await deleteBackup({ storage, folder: backup.folder, signal });
    const left: string[] = [];
    for await (const { name } of storage.list(backup.folder, { signal })) left.push(name);
    expect(left).toEqual([]);
  });
});
