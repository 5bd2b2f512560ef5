import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { manifestFolder, type Storage, type StoredObject } from '../../src/storage/storage.js';
import { swiftDriver } from '../../src/storage/swift/swiftDriver.js';
import { startFaultProxy, type FaultProxy } from '../fixtures/servers/faultProxy.js';
import { describeWith } from '../fixtures/requirements.js';
import { startSwift, swiftMissing, type SwiftServer } from '../fixtures/servers/swift.js';
import { chunks, listed, read, rejectsWith, storageContract } from './storage.contract.js';

const segmentBytes = 16 * 1024;
const tuning = {
  ...{ smallSegmentBytes: segmentBytes, largeSegmentBytes: segmentBytes, listingPage: 5 },
  ...{ attempts: 3, backoffMs: 20, maxBackoffMs: 50 },
};
const { signal } = new AbortController();

describeWith({ swift: swiftMissing }, 'Swift whose manifests name at most two segments', () => {
  storageContract('Swift whose manifests name at most two segments', async () => {
    const server = await startSwift({ maxSloSegments: 2 });
    const storage = swiftDriver.open({ ...server.settings('backups'), tuning });
    return {
      ...{ storage, exclusive: false, segmentBytes },
      tamper: async (name, bytes) => {
        if (bytes === null) await storage.delete(name, { signal });
        else await storage.putBytes(name, bytes, { signal, overwrite: true });
      },
      lastPieceOf: (_, segmentFolder, stored) => segmentFolder + String(stored.segments.length).padStart(8, '0'),
      stop: () => server.stop(),
    };
  });
});

describeWith({ swift: swiftMissing }, 'An object of many manifests', () => {
  let server: SwiftServer;
  let proxy: FaultProxy;
  let storage: Storage;
  let count = 0;
  const place = () => `t${count}/`;
  const name = () => `${place()}object`;
  const manifests = () => manifestFolder(`${place()}segments/`);

  beforeAll(async () => {
    server = await startSwift({ maxSloSegments: 2 });
    proxy = await startFaultProxy(server.url);
    storage = swiftDriver.open({ ...server.settings('backups', proxy.url), tuning });
    await storage.putBytes('first', Buffer.from('x'), { signal });
  });
  beforeEach(() => {
    proxy.heal();
    count += 1;
  });
  afterAll(async () => {
    await storage.close();
    await proxy.stop();
    await server.stop();
  });

  const put = (bytes: Buffer, onAnswer?: () => void): Promise<StoredObject> =>
    storage.put(name(), chunks(bytes, 10_000), {
      ...{ signal, segmentFolder: `${place()}segments/` },
      ...(onAnswer === undefined ? {} : { onAnswer }),
    });
  const names = async (prefix: string) => (await listed(storage, prefix)).map((found) => found.name);

  test('is stored, verified, read from any byte, and reports each manifest', async () => {
    const bytes = randomBytes(11 * segmentBytes + 5);
    let answers = 0;
    const stored = await put(bytes, () => (answers += 1));
    // 12 segments, in 6 manifests, in 3, in 2, which the object names.
    expect(stored).toMatchObject({ sizeBytes: bytes.length, manifestBytes: 3 * bytes.length });
    expect(stored.segments).toHaveLength(12);
    expect(await names(manifests())).toHaveLength(11);
    expect(answers).toBe(11);
    await storage.verify(name(), stored, { signal });
    expect((await read(storage, name(), { etag: stored.etag })).equals(bytes)).toBe(true);
    for (const start of [1, 5 * segmentBytes - 1, 7 * segmentBytes, bytes.length - 1]) {
      const rest = await read(storage, name(), { start, etag: stored.etag });
      expect(rest.equals(bytes.subarray(start))).toBe(true);
    }
    expect(await storage.head(name(), { signal })).toMatchObject({ sizeBytes: bytes.length, isLarge: true });
  });

  test('is refused when it has more segments than manifests of manifests can hold, and nothing is visible', async () => {
    await expect(put(randomBytes(32 * segmentBytes + 1))).rejects.toMatchObject({
      code: 'ENDPOINT_QUOTA',
      message: expect.stringContaining('32 segments'),
      retriable: false,
    });
    expect(await storage.head(name(), { signal })).toBeUndefined();
  });

  test.each([
    ['the storage fails', { kind: 'answer', status: 503 }],
    ['the answer is lost', { kind: 'loseAnswer' }],
    ['the connection is cut', { kind: 'cutRequest', afterBytes: 50 }],
  ] as const)('is stored although %s while a manifest of segments is sent', async (_, fault) => {
    proxy.inject({ method: 'PUT', path: /manifests/, times: 2, fault });
    const bytes = randomBytes(5 * segmentBytes);
    const stored = await put(bytes);
    await storage.verify(name(), stored, { signal });
    expect((await read(storage, name(), { etag: stored.etag })).equals(bytes)).toBe(true);
  });

  test('does not become visible when a manifest of segments cannot be stored', async () => {
    proxy.inject({ method: 'PUT', path: /manifests\/00000002/, times: 99, fault: { kind: 'answer', status: 503 } });
    await rejectsWith('ENDPOINT_UNREACHABLE', put(randomBytes(5 * segmentBytes)));
    proxy.heal();
    expect(await storage.head(name(), { signal })).toBeUndefined();
  });

  describe('verification detects', () => {
    test('that a manifest of segments is gone', async () => {
      const stored = await put(randomBytes(5 * segmentBytes));
      await remove(`${manifests()}00000002`);
      await rejectsWith('CHECKSUM', storage.verify(name(), stored, { signal }));
    });

    test('that a manifest of segments was replaced by one of other segments', async () => {
      const other = await put(randomBytes(5 * segmentBytes));
      const folder = `/backups/${place()}segments/`;
      const lines = other.segments.slice(0, 2).map(({ etag, sizeBytes }, index) => ({
        ...{ path: `${folder}0000000${index + 1}`, etag, size_bytes: sizeBytes },
      }));
      count += 1;
      const stored = await put(randomBytes(5 * segmentBytes));
      await request('PUT', `${manifests()}00000001?multipart-manifest=put`, JSON.stringify(lines));
      await rejectsWith('CHECKSUM', storage.verify(name(), stored, { signal }));
    });

    test('that a segment is gone', async () => {
      const stored = await put(randomBytes(5 * segmentBytes));
      await remove(`${place()}segments/00000004`);
      await rejectsWith('CHECKSUM', storage.verify(name(), stored, { signal }));
    });
  });

  describe('deletion', () => {
    test('leaves nothing', async () => {
      await put(randomBytes(11 * segmentBytes));
      await storage.delete(name(), { signal });
      expect(await names(place())).toEqual([]);
    });

    test.each([1, 2, 3, 4, 5, 6, 7])(
      'that was cut at its %d. request leaves nothing when it is repeated',
      async (at) => {
        await put(randomBytes(5 * segmentBytes));
        proxy.inject({ method: 'DELETE', path: /./, after: at - 1, times: 99, fault: { kind: 'answer', status: 503 } });
        await storage.delete(name(), { signal }).catch(() => undefined);
        proxy.heal();
        await storage.delete(name(), { signal });
        expect(await names(place())).toEqual([]);
      },
    );

    test('of a copy of the manifest keeps the segments and manifests of the original', async () => {
      const bytes = randomBytes(5 * segmentBytes);
      const stored = await put(bytes);
      const original = name();
      count += 1;
      await request('PUT', `${name()}?multipart-manifest=put`, JSON.stringify(await manifestOf(original)));
      await storage.delete(name(), { signal });
      expect(await names(place())).toEqual([]);
      expect((await read(storage, original, { etag: stored.etag })).equals(bytes)).toBe(true);
    });
  });

  /** Another client of the container. */
  async function request(method: string, path: string, body?: string): Promise<Response> {
    const login = await fetch(`${server.url}/auth/v1.0`, {
      headers: { 'x-auth-user': 'test:tester', 'x-auth-key': 'testing' },
    });
    const token = login.headers.get('x-auth-token') ?? '';
    const url = `${login.headers.get('x-storage-url') ?? ''}/backups/${path}`;
    const answer = await fetch(url, {
      method,
      headers: { 'x-auth-token': token },
      ...(body === undefined ? {} : { body }),
    });
    expect(answer.ok).toBe(true);
    return answer;
  }

  const remove = (path: string) => request('DELETE', path);

  async function manifestOf(path: string): Promise<unknown> {
    const answer = await request('GET', `${path}?multipart-manifest=get`);
    const lines = (await answer.json()) as { name: string; hash: string; bytes: number }[];
    return lines.map(({ name: each, hash, bytes }) => ({ path: each, etag: hash, size_bytes: bytes }));
  }
});
