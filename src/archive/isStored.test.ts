import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesystemDriver } from '../storage/filesystem/filesystemDriver.js';
import { foldersBelow } from './containerFolders.js';
import { missingFrom } from './isStored.js';

describe('A backup in its place', () => {
  const signal = AbortSignal.timeout(60_000);
  const folder = 'harbour-0a1b2c3d/2026/03/20260301T020000Z-4e5f6a7b-a1/';
  const object = `${folder}databases.sql.zst`;
  const parts = [{ name: 'databases', objectName: object, storedSizeBytes: 100 }];
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'stowage-stored-'));
    await mkdir(join(root, folder), { recursive: true });
    await writeFile(join(root, object), Buffer.alloc(100));
    await writeFile(join(root, folder, 'backup.json'), '{}');
  });
  afterEach(() => rm(root, { recursive: true }));

  const storage = () => filesystemDriver.open({ root, path: '' });
  const missing = () => missingFrom(storage(), { folder, parts }, signal);
  async function hasDocument(): Promise<boolean | undefined> {
    for await (const found of foldersBelow(storage(), '', signal)) {
      if (found.kind === 'FOLDER') return found.hasDocument;
    }
    return undefined;
  }

  test('is complete while backup.json and every part exist', async () => {
    expect(await missing()).toBeUndefined();
    expect(await hasDocument()).toBe(true);
  });

  test('is incomplete if backup.json is empty', async () => {
    await truncate(join(root, folder, 'backup.json'));
    expect(await missing()).toBe(`${folder}backup.json`);
    expect(await hasDocument()).toBe(false);
  });

  test('is incomplete if a part is truncated', async () => {
    await truncate(join(root, object), 99);
    expect(await missing()).toBe(object);
  });
});
