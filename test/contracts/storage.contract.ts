import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../src/errors.js';
import type { ObjectInfo, Storage, StoredObject } from '../../src/storage/storage.js';

export type StorageUnderTest = {
  readonly storage: Storage;
  /** Whether only one of several concurrent `putBytes` for a new name succeeds. */
  readonly exclusive: boolean;
  /** Bytes of a full segment. The tests use sizes around it. */
  readonly segmentBytes: number;
  /** Changes stored bytes without the storage: replaces, shortens or removes (null) a stored file or segment. */
  readonly tamper: (objectName: string, bytes: Uint8Array | null) => Promise<void>;
  /** The name that `tamper` needs to change the last piece of an object. */
  readonly lastPieceOf: (name: string, segmentFolder: string, stored: StoredObject) => string;
  readonly stop: () => Promise<void>;
};

const never = new AbortController().signal;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The requirements of every storage; see src/storage/storage.ts. */
export function storageContract(name: string, start: () => Promise<StorageUnderTest>): void {
  describe(`the storage contract over ${name}`, () => {
    let tested: StorageUnderTest;
    let storage: Storage;
    let count = 0;
    /** A folder that no other test uses. */
    const folder = () => `t${(count += 1)}/`;

    beforeAll(async () => {
      tested = await start();
      storage = tested.storage;
    });
    afterAll(async () => {
      await tested.storage.close();
      await tested.stop();
    });

    async function store(bytes: Uint8Array, chunkBytes = 10_007) {
      const inside = folder();
      const options = { signal: never, segmentFolder: `${inside}segments/` };
      const stored = await storage.put(`${inside}object`, chunks(bytes, chunkBytes), options);
      return { inside, objectName: `${inside}object`, stored };
    }

    test.each([
      ['nothing', () => 0],
      ['one byte', () => 1],
      ['one byte less than a segment', (segment: number) => segment - 1],
      ['exactly a segment', (segment: number) => segment],
      ['a segment and a byte', (segment: number) => segment + 1],
      ['exactly three segments', (segment: number) => 3 * segment],
      ['a little more than five segments', (segment: number) => 5 * segment + 4321],
    ])('an object of %s is read back unchanged, and passes verification', async (_, size) => {
      const bytes = randomBytes(size(tested.segmentBytes));
      const { inside, objectName, stored } = await store(bytes);
      expect(stored.sizeBytes).toBe(bytes.length);
      expect(stored.sha256).toBe(sha256(bytes));
      expect(stored.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBe(bytes.length);
      let at = 0;
      for (const segment of stored.segments) {
        expect(segment.sizeBytes).toBeLessThanOrEqual(32 * 1024 * 1024);
        expect(segment).toMatchObject({ sha256FromStart: sha256(bytes.subarray(0, at + segment.sizeBytes)) });
        at += segment.sizeBytes;
      }
      const afterJson = JSON.parse(JSON.stringify(stored)) as StoredObject;
      await storage.verify(objectName, afterJson, { signal: never });
      expect(sha256(await read(storage, objectName, { etag: afterJson.etag }))).toBe(stored.sha256);
      const { isLarge = false, ...found } = (await storage.head(objectName, { signal: never })) ?? {};
      expect(found).toEqual({ name: objectName, sizeBytes: bytes.length, etag: stored.etag });
      expect(isLarge).toBe((await listed(storage, `${inside}segments/`)).length > 0);
    });

    test('an object can be read from any byte on, and also at its end', async () => {
      const bytes = randomBytes(2 * tested.segmentBytes + 500);
      const { objectName, stored } = await store(bytes);
      for (const start of [0, 1, tested.segmentBytes, 2 * tested.segmentBytes + 499, bytes.length]) {
        const rest = await read(storage, objectName, { start, etag: stored.etag });
        expect(sha256(rest)).toBe(sha256(bytes.subarray(start)));
      }
    });

    test('a reader may stop in the middle of an object', async () => {
      const { objectName } = await store(randomBytes(3 * tested.segmentBytes));
      for await (const piece of storage.get(objectName, { signal: never })) {
        expect(piece.byteLength).toBeGreaterThan(0);
        break;
      }
    });

    test('progress never decreases, and ends at the size of the object', async () => {
      const bytes = randomBytes(3 * tested.segmentBytes + 10);
      const inside = folder();
      const reported: number[] = [];
      await storage.put(`${inside}object`, chunks(bytes, 5000), {
        signal: never,
        segmentFolder: `${inside}segments/`,
        onProgress: ({ storedBytes }) => void reported.push(storedBytes),
      });
      expect(reported.length).toBeGreaterThan(0);
      expect(reported).toEqual([...reported].sort((one, other) => one - other));
      expect(reported.at(-1)).toBe(bytes.length);
    });

    test.each([
      ['at once', 0],
      ['within the first segment', 0.5],
      ['after two and a half segments', 2.5],
    ])('if a source fails %s, there is no object, and the error of the source is thrown', async (_, segments) => {
      const inside = folder();
      const failure = new Error('the dump tool died');
      const source = failingAfter(Math.floor(segments * tested.segmentBytes), failure);
      const put = storage.put(`${inside}object`, source, { signal: never, segmentFolder: `${inside}segments/` });
      await expect(put).rejects.toBe(failure);
      expect(await storage.head(`${inside}object`, { signal: never })).toBeUndefined();
      expect((await listed(storage, inside)).filter(({ name }) => !name.includes('/segments/'))).toEqual([]);
    });

    test('an abort ends a put with a source that sends nothing, throws its reason, and leaves no object', async () => {
      const inside = folder();
      const controller = new AbortController();
      const reason = new Error('cancelled');
      const source = silentAfter(randomBytes(tested.segmentBytes + 100), () => controller.abort(reason));
      const options = { signal: controller.signal, segmentFolder: `${inside}segments/` };
      await expect(storage.put(`${inside}object`, source, options)).rejects.toBe(reason);
      expect(await storage.head(`${inside}object`, { signal: never })).toBeUndefined();
    });

    test('an aborted signal ends reading and throws its reason', async () => {
      const { objectName } = await store(randomBytes(2 * tested.segmentBytes));
      const controller = new AbortController();
      const reason = new Error('cancelled');
      const reading = (async () => {
        for await (const _ of storage.get(objectName, { signal: controller.signal })) controller.abort(reason);
      })();
      await expect(reading).rejects.toBe(reason);
    });

    test.each([
      'plain.sql.zst',
      'with space',
      'a#b?c=d&e',
      '100%',
      '%41 is not A',
      'ünïcödé/日本語/🗄️',
      'quote\'"`',
      'plus+semicolon;comma,',
      '.hidden/..two-dots',
      'a:b@c',
      '*[glob]{x}',
      'back\\slash',
    ])('the name %s is kept exactly', async (odd) => {
      const inside = folder();
      const objectName = inside + odd;
      const bytes = randomBytes(2 * tested.segmentBytes + 1);
      const stored = await storage.put(objectName, chunks(bytes, 4096), {
        signal: never,
        segmentFolder: `${inside}segments of ${odd}/`,
      });
      await storage.verify(objectName, stored, { signal: never });
      expect(sha256(await read(storage, objectName, { etag: stored.etag }))).toBe(stored.sha256);
      await until(async () => (await listed(storage, inside)).some(({ name }) => name === objectName));
      await storage.delete(objectName, { signal: never });
      expect(await storage.head(objectName, { signal: never })).toBeUndefined();
    });

    test.each(['../out', 'a/../../out', '/etc/passwd', '', 'a//b', '.', 'a/./b', 'nul\0'])(
      'the name %j is refused',
      async (bad) => {
        await rejectsWith('ENDPOINT_FORBIDDEN', storage.putBytes(bad, randomBytes(3), { signal: never }));
        await rejectsWith('ENDPOINT_FORBIDDEN', read(storage, bad, {}));
      },
    );

    test.each([
      ['small', () => 100],
      ['large', (segment: number) => 3 * segment],
    ])('the second writer of a name gets a CONFLICT, and the %s object of the first writer stays', async (_, size) => {
      const bytes = randomBytes(size(tested.segmentBytes));
      const { inside, objectName, stored } = await store(bytes);
      const options = { signal: never, segmentFolder: `${inside}segments/` };
      const other = chunks(randomBytes(bytes.length), 10_007);
      await rejectsWith('CONFLICT', storage.put(objectName, other, options));
      await storage.verify(objectName, stored, { signal: never });
      expect(sha256(await read(storage, objectName, {}))).toBe(stored.sha256);
    });

    test('putBytes replaces an object only with overwrite', async () => {
      const objectName = `${folder()}backup.json`;
      const { etag } = await storage.putBytes(objectName, Buffer.from('one'), { signal: never });
      await rejectsWith('CONFLICT', storage.putBytes(objectName, Buffer.from('two'), { signal: never }));
      expect((await read(storage, objectName, { etag })).toString()).toBe('one');
      await storage.putBytes(objectName, Buffer.from('three'), { signal: never, overwrite: true });
      expect((await read(storage, objectName, {})).toString()).toBe('three');
    });

    test('exactly one of several putBytes for a new name succeeds, if the storage can promise it', async () => {
      const objectName = `${folder()}owner`;
      const puts = Array.from({ length: 5 }, (_, index) =>
        storage.putBytes(objectName, Buffer.from(`owner ${index}`), { signal: never }),
      );
      const outcomes = await Promise.allSettled(puts);
      const succeeded = outcomes.filter(({ status }) => status === 'fulfilled').length;
      if (tested.exclusive) expect(succeeded).toBe(1);
      else expect(succeeded).toBeGreaterThan(0);
    });

    test('reading with the etag of another object fails with CHECKSUM', async () => {
      const objectName = `${folder()}object`;
      const { etag } = await storage.putBytes(objectName, Buffer.from('one'), { signal: never });
      await storage.putBytes(objectName, Buffer.from('other'), { signal: never, overwrite: true });
      await rejectsWith('CHECKSUM', read(storage, objectName, { etag }));
    });

    test('if an object does not exist, get throws ENDPOINT_NOT_FOUND, verify throws, and head returns undefined', async () => {
      const { stored } = await store(randomBytes(10));
      const nowhere = `${folder()}nothing`;
      await expect(read(storage, nowhere, {})).rejects.toMatchObject({
        code: 'ENDPOINT_NOT_FOUND',
        help: expect.stringContaining('restore from another backup'),
      });
      await expect(storage.verify(nowhere, stored, { signal: never })).rejects.toThrow();
      expect(await storage.head(nowhere, { signal: never })).toBeUndefined();
    });

    test('delete removes an object with its segments, and is idempotent', async () => {
      const { inside, objectName } = await store(randomBytes(3 * tested.segmentBytes));
      await storage.delete(objectName, { signal: never });
      await storage.delete(objectName, { signal: never });
      expect(await storage.head(objectName, { signal: never })).toBeUndefined();
      await until(async () => (await listed(storage, inside)).length === 0);
    });

    test('a listing has every object with the prefix, in name order, with size and etag, over several pages', async () => {
      const inside = folder();
      const names = ['b', 'a/x', 'a.txt', 'a-1', 'a/y/z', 'ä', 'B', '🗄'].map((one) => inside + one);
      for (const one of names) await storage.putBytes(one, Buffer.from(one), { signal: never });
      const expected = [...names].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
      await until(async () => (await listed(storage, inside)).length === names.length);
      const found = await listed(storage, inside);
      expect(found.map(({ name }) => name)).toEqual(expected);
      for (const info of found) expect(await storage.head(info.name, { signal: never })).toEqual(info);
      expect((await listed(storage, `${inside}a/`)).map(({ name }) => name)).toEqual([
        `${inside}a/x`,
        `${inside}a/y/z`,
      ]);
      expect(await listed(storage, `${inside}nothing/`)).toEqual([]);
    });

    describe('verify', () => {
      const changes: readonly [string, (bytes: Buffer) => Uint8Array | null][] = [
        ['replaced', (bytes) => randomBytes(bytes.length)],
        ['shortened', (bytes) => bytes.subarray(0, bytes.length - 1)],
        ['deleted', () => null],
      ];
      test.each(changes)('detects that the last piece was %s', async (_, change) => {
        const bytes = randomBytes(2 * tested.segmentBytes + 100);
        const { inside, objectName, stored } = await store(bytes);
        const piece = tested.lastPieceOf(objectName, `${inside}segments/`, stored);
        const pieceBytes = await read(storage, piece, {});
        await tested.tamper(piece, change(pieceBytes));
        await expect(storage.verify(objectName, stored, { signal: never })).rejects.toMatchObject({
          code: expect.stringMatching(/^(CHECKSUM|ENDPOINT_NOT_FOUND)$/),
        });
      });

      test('detects that the object was replaced by another object', async () => {
        const { objectName } = await store(randomBytes(2 * tested.segmentBytes));
        const other = await store(randomBytes(2 * tested.segmentBytes));
        await rejectsWith('CHECKSUM', storage.verify(objectName, other.stored, { signal: never }));
      });
    });
  });
}

export async function read(
  storage: Storage,
  name: string,
  options: { etag?: string; start?: number; signal?: AbortSignal },
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of storage.get(name, { signal: never, ...options })) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function listed(storage: Storage, prefix: string): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const info of storage.list(prefix, { signal: never })) found.push(info);
  return found;
}

export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await expect(promise).rejects.toMatchObject({ name: 'StowageError', code });
}

export async function* chunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    yield await Promise.resolve(bytes.subarray(at, at + chunkBytes));
  }
}

async function* failingAfter(sizeBytes: number, failure: Error): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks(randomBytes(sizeBytes), 10_000);
  throw failure;
}

async function* silentAfter(bytes: Uint8Array, then: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks(bytes, 10_000);
  then();
  await new Promise(() => undefined);
}

/** A listing may show a stored object late. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('The condition was not true within 10 s.');
}
