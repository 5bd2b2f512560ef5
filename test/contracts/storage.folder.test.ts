import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { filesystemDriver } from '../../src/storage/filesystem/filesystemDriver.js';
import { eachOnSmallDisk } from '../fixtures/eachOnSmallDisk.js';
import { describeWith } from '../fixtures/requirements.js';
import { mountsMissing } from '../fixtures/smallDisk.js';
import { listed, read, rejectsWith } from './storage.contract.js';

const signal = new AbortController().signal;
const check = (root: string, path: string) => filesystemDriver.check({ root, path }, { signal, timeoutMs: 60_000 });

describe('a folder as storage', () => {
  let outside: string;
  let root: string;
  beforeEach(async () => {
    outside = await mkdtemp(join(tmpdir(), 'stowage-folder-'));
    root = join(outside, 'root');
    await mkdir(root);
    await writeFile(join(outside, 'precious'), 'untouched');
  });
  afterEach(() => rm(outside, { recursive: true, force: true }));
  const open = (path = 'a/b') => filesystemDriver.open({ root, path });
  const bytes = Buffer.from('bytes');

  test('files are 0600 and folders 0700', async () => {
    await open().putBytes('c/object', bytes, { signal });
    expect((await stat(join(root, 'a/b/c/object'))).mode & 0o777).toBe(0o600);
    for (const folder of ['a', 'a/b', 'a/b/c']) expect((await stat(join(root, folder))).mode & 0o777).toBe(0o700);
  });

  test('a file is verified with the segment size that it was stored with, and not with the current segment size', async () => {
    const storage = open();
    const { etag } = await storage.putBytes('object', bytes, { signal });
    const sha256 = (piece: Uint8Array) => createHash('sha256').update(piece).digest('hex');
    const stored = (pieces: readonly Uint8Array[]) => ({
      ...{ sizeBytes: bytes.length, sha256: sha256(bytes), etag },
      segments: pieces.map((piece) => ({ sizeBytes: piece.length, sha256: sha256(piece) })),
    });
    await storage.verify('object', stored([bytes.subarray(0, 2), bytes.subarray(2, 4), bytes.subarray(4)]), { signal });
    await storage.verify('object', stored([bytes]), { signal });
    const other = Buffer.from('bits');
    await rejectsWith('CHECKSUM', storage.verify('object', stored([bytes.subarray(0, 2), other]), { signal }));
    await rejectsWith('CHECKSUM', storage.verify('object', stored([Buffer.alloc(0), bytes]), { signal }));
  });

  test.each(['../other', 'a/../../other', '/etc', 'a//b', '.'])('the path %s is refused', async (path) => {
    await rejectsWith('ENDPOINT_FORBIDDEN', open(path).putBytes('x', bytes, { signal }));
    expect((await check(root, path))[0]).toMatchObject({ name: 'RESOLVE', status: 'FAILED' });
  });

  test('a symbolic link in or below the folder is not followed out of the folder', async () => {
    await symlink(outside, join(root, 'link'));
    for (const path of ['link', 'link/new', 'link/new/er']) {
      await rejectsWith('ENDPOINT_FORBIDDEN', open(path).putBytes('x', bytes, { signal }));
      expect((await check(root, path)).find(({ status }) => status === 'FAILED')).toMatchObject({
        code: 'ENDPOINT_FORBIDDEN',
      });
    }
    const storage = open('');
    await rejectsWith('ENDPOINT_FORBIDDEN', storage.putBytes('link/x', bytes, { signal }));
    await rejectsWith('ENDPOINT_FORBIDDEN', read(storage, 'link/precious', {}));
    await rejectsWith('ENDPOINT_FORBIDDEN', storage.delete('link/precious', { signal }));
    expect(await listed(storage, '')).toEqual([]);
    expect((await readdir(outside)).sort()).toEqual(['precious', 'root']);
  });

  test('a link to a sibling folder of another endpoint is not followed', async () => {
    await open('other').putBytes('secret', bytes, { signal });
    await mkdir(join(root, 'mine'));
    await symlink(join(root, 'other'), join(root, 'mine/link'));
    await rejectsWith('ENDPOINT_FORBIDDEN', read(open('mine'), 'link/secret', {}));
  });

  test('a symbolic link in the place of an object is not used for reading or writing', async () => {
    await mkdir(join(root, 'a/b'), { recursive: true });
    await symlink(join(outside, 'precious'), join(root, 'a/b/object'));
    const storage = open();
    await rejectsWith('ENDPOINT_FORBIDDEN', read(storage, 'object', {}));
    expect(await storage.head('object', { signal })).toBeUndefined();
    await storage.putBytes('object', bytes, { signal, overwrite: true });
    expect(await readFile(join(outside, 'precious'), 'utf8')).toBe('untouched');
    expect(await readFile(join(root, 'a/b/object'), 'utf8')).toBe('bytes');
  });

  test('a named pipe or a folder in the place of an object is not an object, and does not block a reader', async () => {
    await mkdir(join(root, 'a/b/folder'), { recursive: true });
    await promisify(execFile)('mkfifo', [join(root, 'a/b/pipe')]);
    for (const name of ['pipe', 'folder']) {
      await rejectsWith('CHECKSUM', read(open(), name, {}));
      expect(await open().head(name, { signal })).toBeUndefined();
    }
  });

  test('a missing root is never created', async () => {
    const storage = filesystemDriver.open({ root: join(outside, 'not mounted'), path: 'a' });
    await rejectsWith('ENDPOINT_NOT_FOUND', storage.putBytes('x', bytes, { signal }));
    expect((await readdir(outside)).sort()).toEqual(['precious', 'root']);
  });

  test('a partial file after a crash is an unfinished upload, and can be aborted', async () => {
    const storage = open();
    await storage.putBytes('part/object', bytes, { signal });
    await writeFile(join(root, 'a/b/part/.stowage-partial-1234'), 'half');
    expect((await listed(storage, 'part/')).map(({ name }) => name)).toEqual(['part/object']);
    for await (const upload of storage.unfinishedUploads('part/', { signal })) {
      expect(upload).toMatchObject({ name: 'part/.stowage-partial-1234', sizeBytes: 4 });
      await storage.abortUpload(upload, { signal });
    }
    await storage.delete('part/object', { signal });
    expect(await readdir(join(root, 'a/b'))).toEqual([]);
  });

  test('deleting a missing object removes the empty folders above it', async () => {
    await mkdir(join(root, 'a/b/service/2026'), { recursive: true });
    await open().delete('service/2026/11/attempt/backup.json', { signal });
    expect(await readdir(join(root, 'a/b'))).toEqual([]);
  });

  test('a put that fails leaves neither file nor folder', async () => {
    const storage = open('');
    async function* failing(): AsyncGenerator<Uint8Array, void, undefined> {
      yield await Promise.resolve(bytes);
      throw new Error('the dump tool died');
    }
    await expect(storage.put('a/b/c', failing(), { signal, segmentFolder: 's/' })).rejects.toThrow('dump tool');
    expect(await readdir(root)).toEqual([]);
  });

  describe('check', () => {
    test('is OK for a folder that exists or can be created, and leaves nothing behind', async () => {
      for (const path of ['new/er', '']) {
        const steps = await check(root, path);
        expect(steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
          'RESOLVE OK',
          'CONTAINER OK',
          'WRITE OK',
          'READ_BACK OK',
          'DELETE OK',
          'CAPABILITIES OK',
        ]);
        expect(await readdir(root)).toEqual([]);
      }
    });

    test('reports a missing root, and a file in the place of the folder', async () => {
      expect((await check(join(outside, 'nothing'), 'a'))[0]).toMatchObject({
        name: 'RESOLVE',
        status: 'FAILED',
        code: 'ENDPOINT_NOT_FOUND',
      });
      await writeFile(join(root, 'file'), '');
      expect((await check(root, 'file'))[1]).toMatchObject({
        name: 'CONTAINER',
        status: 'FAILED',
        code: 'ENDPOINT_NOT_FOUND',
      });
    });

    // /proc accepts no new files, not even from root.
    test('reports a file system that accepts no files', async () => {
      expect((await check('/proc', '')).find(({ status }) => status === 'FAILED')).toMatchObject({
        name: 'WRITE',
        code: expect.stringMatching(/^ENDPOINT_/),
      });
    });
  });
});

describeWith({ mounts: mountsMissing }, 'a folder on a disk that is full', () => {
  const disk = eachOnSmallDisk();
  const put = () =>
    filesystemDriver
      .open({ root: disk().folder, path: '' })
      .putBytes('a/b/object', Buffer.alloc(10_000, 1), { signal });

  test('a put to a full disk is ENDPOINT_QUOTA, and leaves neither the file nor its folders', async () => {
    await disk().fill(4096);
    await rejectsWith('ENDPOINT_QUOTA', put());
    expect(await disk().entries()).toEqual([]);
    await disk().free();
    await put();
    expect(await disk().entries()).toEqual(['a', 'a/b', 'a/b/object']);
  });

  test.each([0, 1, 2, 3])(
    'a put to a disk with space for only %i more files and folders is ENDPOINT_QUOTA too',
    async (left) => {
      await disk().takeInodes(left);
      await rejectsWith('ENDPOINT_QUOTA', put());
      expect(await disk().entries()).toEqual([]);
      await disk().free();
      await put();
      expect(await disk().entries()).toEqual(['a', 'a/b', 'a/b/object']);
    },
  );
});
