import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { archiveBench, type ArchiveBench } from '../../test/fixtures/archive.js';
import { createCabinetEngine } from '../../test/fixtures/engines/cabinetEngine.js';
import { makeCabinets, type Cabinets } from '../../test/fixtures/engines/cabinets.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { startSwift, swiftMissing, type SwiftServer } from '../../test/fixtures/servers/swift.js';
import type { Engine } from '../engines/engine.js';
import type { Storage } from '../storage/storage.js';
import { swiftDriver } from '../storage/swift/swiftDriver.js';
import type { TakenBackup } from './archive.js';
import { readBackupDocument } from './backupDocument.js';
import { deleteBackup } from './deleteBackup.js';
import { findBackup } from './findBackup.js';
import { isStored } from './isStored.js';
import { restoreBackup } from './restoreBackup.js';
import { takeBackup } from './takeBackup.js';

type Ground = { readonly storage: Storage; readonly download: (name: string) => string; stop(): Promise<void> };

/**
 * A backup of several parts without counts. One of them is never replayed, and some names differ only in letter case.
 */
function severalParts(ground: (bench: ArchiveBench) => Promise<Ground>): void {
  const { signal } = new AbortController();
  let bench: ArchiveBench;
  let cabinets: Cabinets;
  let engine: Engine;
  let on: Ground;
  let backup: TakenBackup;

  beforeAll(async () => {
    [bench, cabinets] = await Promise.all([archiveBench(), makeCabinets()]);
    on = await ground(bench);
    engine = createCabinetEngine(cabinets.root);
    backup = await take();
  });
  afterEach(() => cabinets.clearTarget());
  afterAll(async () => {
    await on.stop();
    await Promise.all([bench.remove(), cabinets.remove()]);
  });

  const take = async () =>
    takeBackup(await bench.backup(engine, cabinets.source, { storage: on.storage, downloadCommand: on.download }));

  const restore = async (of: TakenBackup = backup) =>
    restoreBackup({
      ...{ restoreId: 'this restore', engine, target: cabinets.target, storage: on.storage, backup: of, signal },
      workFolder: await bench.workFolder(),
      stallTimeoutMs: 20_000,
      onPhase: () => Promise.resolve(),
      onProgress: () => undefined,
      onToolStarting: () => Promise.resolve(),
    });

  test('stores each part under a name that stays unique if letter case is ignored', () => {
    expect(backup.parts.map(({ objectName }) => objectName.slice(backup.folder.length))).toEqual([
      'globals.txt.zst',
      '~53hop.tar.zst',
      'shop.tar.zst',
    ]);
  });

  test('is restored without the part that is never replayed', async () => {
    expect(await restore()).toEqual({
      differences: [],
      warnings: ['The definitions were not compared: the backup does not record them.'],
    });
    expect(await cabinets.contents(cabinets.target)).toEqual(await cabinets.contents(cabinets.source));
    await expect(readFile(join(cabinets.folderOf(cabinets.target), 'roles'))).rejects.toThrow('ENOENT');
  });

  test('is restored also if the part that is never replayed is damaged', async () => {
    const parts = backup.parts.map((part) => (part.replay === false ? { ...part, checksum: 'f'.repeat(64) } : part));
    await restore({ ...backup, parts });
  });

  test('names each part, its databases and its steps in backup.json, which older versions refuse', async () => {
    const document = await readBackupDocument(on.storage, backup.folder);
    expect(document).toMatchObject({
      formatVersion: 5,
      engine: 'POSTGRESQL',
      parts: [
        { name: 'globals', databases: [], replay: false, steps: ['zstd'] },
        { name: 'Shop', databases: ['Shop'], steps: ['zstd'] },
        { name: 'shop', databases: ['shop'], steps: ['zstd'] },
      ],
    });
    expect(document).not.toHaveProperty('compression');
  });

  test('lists the tables of the server as estimates, because the dump does not count them', () => {
    expect(backup.inventory.databases).toMatchObject([
      { name: 'Shop', tables: [{ name: 'Orders', rows: 3, rowsEstimated: true }, { name: 'orders' }] },
      { name: 'shop', tables: [{ name: 'Orders', rows: 2, rowsEstimated: true }, { name: 'orders' }] },
    ]);
    expect(backup.warnings).toEqual([]);
  });

  test('is restored by hand, each part with its own command', async () => {
    const [globals, ...databases] = backup.parts.map(({ restoreByHand }) => restoreByHand);
    const shell = (line: string) => promisify(execFile)('bash', ['-o', 'pipefail', '-c', line]);
    expect((await shell(globals!)).stdout).toBe('CREATE ROLE clerk\n');
    for (const line of databases) await shell(`${line} '${cabinets.folderOf(cabinets.target)}'`);
    expect(await cabinets.contents(cabinets.target)).toEqual(await cabinets.contents(cabinets.source));
    expect(backup.parts.map(({ restoreByHandNeeds }) => restoreByHandNeeds)).toEqual([
      'zstd 1.4 or newer.',
      'zstd 1.4 or newer, and tar.',
      'zstd 1.4 or newer, and tar.',
    ]);
  });

  test('is found as it was stored, and deleted completely', async () => {
    const whole = await take();
    const { serviceName: _, ...description } = (await readBackupDocument(on.storage, whole.folder))!.description;
    const found = await findBackup({
      ...{ storage: on.storage, folder: whole.folder, engine: 'POSTGRESQL', description, signal },
      onAnswer: () => undefined,
    });
    expect(found).toMatchObject({ kind: 'WHOLE', backup: whole });
    expect(await isStored(on.storage, whole, signal)).toBe(true);
    await deleteBackup({ storage: on.storage, folder: whole.folder, signal });
    expect(await isStored(on.storage, whole, signal)).toBe(false);
  });

  test('does not exist if a later part fails', async () => {
    const tools = await bench.tool(
      'tar',
      '#!/bin/sh\nfor last; do :; done\n[ "$last" != shop ] && exec /bin/tar "$@"\nexit 2',
    );
    const input = await bench.backup(createCabinetEngine(cabinets.root, { folders: [tools] }), cabinets.source, {
      storage: on.storage,
    });
    await expect(takeBackup(input)).rejects.toMatchObject({
      ...{ code: 'TOOL_FAILED', message: 'tar ended with exit code 2.' },
    });
    expect(await readBackupDocument(on.storage, input.folder)).toBeUndefined();
    await deleteBackup({ storage: on.storage, folder: input.folder, signal });
  });
}

describeWith({}, 'A backup of several parts in a folder', () => {
  severalParts((bench) =>
    Promise.resolve({
      storage: bench.storage,
      download: (name) => `cat '${join(bench.root, name)}'`,
      stop: () => Promise.resolve(),
    }),
  );
});

describeWith({ swift: swiftMissing }, 'A backup of several parts in a Swift container', () => {
  let swift: SwiftServer;
  severalParts(async () => {
    swift = await startSwift();
    const storage = swiftDriver.open(swift.settings('backups'));
    return {
      storage,
      download: (name) => `swift -A ${swift.url}/auth/v1.0 -U test:tester -K testing download -o - backups '${name}'`,
      stop: async () => {
        await storage.close();
        await swift.stop();
      },
    };
  });
});
