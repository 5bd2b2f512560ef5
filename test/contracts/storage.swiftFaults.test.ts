import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Secret } from '../../src/secret.js';
import type { Storage } from '../../src/storage/storage.js';
import { swiftDriver } from '../../src/storage/swift/swiftDriver.js';
import type { SwiftSettings } from '../../src/storage/swift/swiftSettings.js';
import { startFaultProxy, type FaultProxy } from '../fixtures/servers/faultProxy.js';
import { describeWith } from '../fixtures/requirements.js';
import { startSwift, swiftMissing, type SwiftServer } from '../fixtures/servers/swift.js';
import { chunks, read, rejectsWith } from './storage.contract.js';

const segmentBytes = 64 * 1024;
const tuning = {
  smallSegmentBytes: segmentBytes,
  largeSegmentBytes: segmentBytes,
  backoffMs: 10,
  maxBackoffMs: 50,
  attempts: 4,
};
const signal = new AbortController().signal;

describeWith({ swift: swiftMissing }, 'Swift with faults', () => {
  let server: SwiftServer;
  let proxy: FaultProxy;
  let storage: Storage;
  const opened: Storage[] = [];
  let count = 0;

  function open(settings: Partial<SwiftSettings> = {}): Storage {
    const one = swiftDriver.open({ ...server.settings('backups', proxy.url), tuning, ...settings });
    opened.push(one);
    return one;
  }

  beforeAll(async () => {
    server = await startSwift({ maxSloSegments: 6, tokenLifeSeconds: 5 });
    proxy = await startFaultProxy(server.url);
    storage = open();
    await storage.putBytes('first', Buffer.from('x'), { signal });
  });
  beforeEach(() => {
    proxy.heal();
    count += 1;
  });
  afterAll(async () => {
    await Promise.all(opened.map((one) => one.close()));
    await proxy.stop();
    await server.stop();
  });

  const put = (bytes: Buffer, to: Storage = storage) =>
    to.put(`t${count}/object`, chunks(bytes, 10_000), { signal, segmentFolder: `t${count}/segments/` });
  const segmentsSent = () => proxy.requests.filter((line) => /^PUT .*segments/.test(line)).length;

  async function storesInSpiteOf(sizeBytes = 3 * segmentBytes): Promise<void> {
    const bytes = randomBytes(sizeBytes);
    const stored = await put(bytes);
    await storage.verify(`t${count}/object`, stored, { signal });
    expect((await read(storage, `t${count}/object`, { etag: stored.etag })).equals(bytes)).toBe(true);
  }

  async function names(prefix: string): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const { name } of storage.list(prefix, { signal })) found.push(name);
    return found;
  }

  async function nothingIsVisible(): Promise<void> {
    proxy.heal();
    expect(await storage.head(`t${count}/object`, { signal })).toBeUndefined();
  }

  describe('a segment is sent again from its buffer', () => {
    test.each([
      ['the storage is busy', { kind: 'answer', status: 503 }],
      ['the storage limits the rate', { kind: 'answer', status: 429 }],
      ['the storage fails', { kind: 'answer', status: 500 }],
      ['the connection is cut while it is sent', { kind: 'cutRequest', afterBytes: 20_000 }],
      ['the answer is lost', { kind: 'loseAnswer' }],
      ['a flipped bit', { kind: 'flipRequestByte', at: 40_000 }],
    ] as const)('if %s', async (_, fault) => {
      proxy.inject({ method: 'PUT', path: /segments\/00000002/, times: 2, fault });
      await storesInSpiteOf();
      expect(segmentsSent()).toBe(5);
    });

    test('if the storage does not respond', async () => {
      const hasty = open({ tuning: { ...tuning, headersTimeoutMs: 3_000 } });
      proxy.inject({ method: 'PUT', path: /segments\/00000001/, fault: { kind: 'stall' } });
      await put(randomBytes(2 * segmentBytes), hasty);
      expect(segmentsSent()).toBe(3);
    });

    test('after the time of Retry-After, and with a new token if the old one has expired meanwhile', async () => {
      proxy.inject({
        method: 'PUT',
        path: /segments\/00000001/,
        fault: { kind: 'answer', status: 503, headers: { 'retry-after': '5' } },
      });
      const began = performance.now();
      await storesInSpiteOf();
      expect(performance.now() - began).toBeGreaterThanOrEqual(5000);
      expect(proxy.requests.filter((line) => line.includes('/auth/v1.0')).length).toBeGreaterThan(0);
    });
  });

  test('a refused token is renewed once', async () => {
    proxy.inject({ method: 'PUT', path: /segments/, fault: { kind: 'answer', status: 401 } });
    await storesInSpiteOf();
    expect(proxy.requests.filter((line) => line.includes('/auth/v1.0'))).toHaveLength(1);
  });

  test('a new token that is also refused is ENDPOINT_AUTH', async () => {
    proxy.inject({ method: 'PUT', path: /segments/, times: 100, fault: { kind: 'answer', status: 401 } });
    await rejectsWith('ENDPOINT_AUTH', put(randomBytes(2 * segmentBytes)));
    await nothingIsVisible();
  });

  test('a lost answer to the manifest has no effect', async () => {
    proxy.inject({ method: 'PUT', path: /multipart-manifest/, fault: { kind: 'loseAnswer' } });
    await storesInSpiteOf();
  });

  test.each([
    ['the manifest', /multipart-manifest/, { kind: 'answer', status: 503 }, 'ENDPOINT_UNREACHABLE'],
    ['the answer to the manifest', /multipart-manifest/, { kind: 'loseAnswer' }, 'ENDPOINT_UNREACHABLE'],
    ['a segment', /segments\/00000002/, { kind: 'answer', status: 500 }, 'ENDPOINT_UNREACHABLE'],
    ['a segment, for lack of space', /segments\/00000002/, { kind: 'answer', status: 507 }, 'ENDPOINT_QUOTA'],
    ['a segment that arrives damaged', /segments\/00000001/, { kind: 'flipRequestByte', at: 7 }, 'CHECKSUM'],
    ['a segment, for lack of a privilege', /segments\/00000001/, { kind: 'answer', status: 403 }, 'ENDPOINT_FORBIDDEN'],
  ] as const)('%s that is never sent completely leaves nothing visible', async (_, path, fault, code) => {
    proxy.inject({ method: 'PUT', path, times: 1000, fault });
    await rejectsWith(code, put(randomBytes(4 * segmentBytes)));
    await nothingIsVisible();
  });

  test.each([
    ['a segment', /segments\/00000002/],
    ['the manifest', /multipart-manifest/],
  ])('one 507 of a storage node to %s has no effect', async (_, path) => {
    proxy.inject({ method: 'PUT', path, fault: { kind: 'answer', status: 507 } });
    await storesInSpiteOf();
  });

  test('one 507 for a segment of the manifest has no effect', async () => {
    const body = 'Errors:\n/c/segments/00000002, 507 Insufficient Storage\n';
    proxy.inject({ method: 'PUT', path: /multipart-manifest/, fault: { kind: 'replaceAnswer', status: 400, body } });
    await storesInSpiteOf();
  });

  test('storage nodes without space are not reported as a used-up quota, and the job can be retried', async () => {
    proxy.inject({ method: 'PUT', path: /segments/, times: 1000, fault: { kind: 'answer', status: 507 } });
    await expect(put(randomBytes(4 * segmentBytes))).rejects.toMatchObject({
      code: 'ENDPOINT_QUOTA',
      message: expect.stringContaining('no space (507)'),
      help: expect.stringContaining('not a quota'),
      retriable: true,
    });
    proxy.heal();
    proxy.inject({ method: 'PUT', path: /segments/, times: 1000, fault: { kind: 'answer', status: 413 } });
    await expect(put(randomBytes(4 * segmentBytes))).rejects.toMatchObject({
      code: 'ENDPOINT_QUOTA',
      message: expect.stringContaining('quota'),
      retriable: false,
    });
  });

  test('a small object does not stay visible if its answers are lost', async () => {
    proxy.inject({ method: 'PUT', path: /object/, times: 1000, fault: { kind: 'loseAnswer' } });
    await rejectsWith('ENDPOINT_UNREACHABLE', put(randomBytes(100)));
    await nothingIsVisible();
  });

  test('putBytes recognises its own object after a lost answer', async () => {
    proxy.inject({ method: 'PUT', path: /once/, fault: { kind: 'loseAnswer' } });
    await storage.putBytes(`t${count}/once`, Buffer.from('mine'), { signal });
    await rejectsWith('CONFLICT', storage.putBytes(`t${count}/once`, Buffer.from('other'), { signal }));
  });

  test('as many segments as one manifest may name need no other manifest', async () => {
    await storesInSpiteOf(6 * segmentBytes);
    expect(await names(`t${count}/segments/`)).toHaveLength(6);
  });

  describe('reading', () => {
    test('resumes where the connection was cut', async () => {
      const bytes = randomBytes(5 * segmentBytes);
      const { etag } = await put(bytes);
      proxy.heal();
      proxy.inject({ method: 'GET', path: /object/, times: 3, fault: { kind: 'cutAnswer', afterBytes: 70_000 } });
      proxy.inject({ method: 'GET', path: /object/, fault: { kind: 'answer', status: 503 } });
      expect((await read(storage, `t${count}/object`, { etag })).equals(bytes)).toBe(true);
      expect(proxy.requests.filter((line) => line.startsWith('GET') && line.includes('/object'))).toHaveLength(5);
    });

    test.each([undefined, 'given'])(
      'ends with CHECKSUM if the object was replaced meanwhile (etag %s)',
      async (given) => {
        const { etag } = await put(randomBytes(2 * segmentBytes));
        proxy.inject({ method: 'GET', path: /object/, fault: { kind: 'cutAnswer', afterBytes: 70_000 } });
        const reading = (async () => {
          let replaced = false;
          const options = { signal, ...(given === undefined ? {} : { etag }) };
          for await (const _ of storage.get(`t${count}/object`, options)) {
            if (replaced) continue;
            replaced = true;
            await storage.delete(`t${count}/object`, { signal });
            await put(randomBytes(2 * segmentBytes));
          }
        })();
        await rejectsWith('CHECKSUM', reading);
      },
    );

    test.each([1, 2, 3])('an object without its segment %d is CHECKSUM and never a short read', async (lost) => {
      const { etag } = await put(randomBytes(3 * segmentBytes));
      await storage.delete(`t${count}/segments/0000000${lost}`, { signal });
      await rejectsWith('CHECKSUM', read(storage, `t${count}/object`, { etag }));
    });

    test('ends with ENDPOINT_UNREACHABLE if the server no longer answers', async () => {
      const { etag } = await put(randomBytes(100));
      proxy.inject({ method: 'GET', path: /object/, times: 1000, fault: { kind: 'answer', status: 502 } });
      await rejectsWith('ENDPOINT_UNREACHABLE', read(storage, `t${count}/object`, { etag }));
    });

    test('requests an answer again if it stalls', async () => {
      const bytes = randomBytes(1000);
      const { etag } = await put(bytes);
      const hasty = open({ tuning: { ...tuning, headersTimeoutMs: 3_000 } });
      proxy.inject({ method: 'GET', path: /object/, fault: { kind: 'stall' } });
      expect((await read(hasty, `t${count}/object`, { etag })).equals(bytes)).toBe(true);
    });
  });

  describe('a wrong answer', () => {
    const unreadable = { kind: 'replaceAnswer', status: 200, body: '<html>' } as const;

    test('to a read of an object is CHECKSUM, and causes no unhandled rejection', async () => {
      const { etag } = await put(randomBytes(2 * segmentBytes));
      proxy.inject({ method: 'GET', path: /object/, times: 10, fault: unreadable });
      await rejectsWith('CHECKSUM', read(storage, `t${count}/object`, { etag }));
    });

    test('to a read of a manifest is CHECKSUM', async () => {
      const stored = await put(randomBytes(2 * segmentBytes));
      proxy.inject({ method: 'GET', path: /multipart-manifest=get/, fault: unreadable });
      await rejectsWith('CHECKSUM', storage.verify(`t${count}/object`, stored, { signal }));
    });

    test('to a listing is ENDPOINT_UNREACHABLE', async () => {
      proxy.inject({ method: 'GET', path: /format=json/, fault: unreadable });
      await rejectsWith('ENDPOINT_UNREACHABLE', names(`t${count}/`));
    });

    test('to a deletion causes another request', async () => {
      await put(randomBytes(2 * segmentBytes));
      proxy.inject({ method: 'DELETE', path: /multipart-manifest/, fault: unreadable });
      await storage.delete(`t${count}/object`, { signal });
      expect(await names(`t${count}/`)).toEqual([]);
    });
  });

  test('a partial deletion of a large object is an error, and the next try finishes it', async () => {
    await put(randomBytes(3 * segmentBytes));
    proxy.inject({ method: 'DELETE', path: /multipart-manifest/, times: 4, fault: { kind: 'answer', status: 500 } });
    await rejectsWith('ENDPOINT_UNREACHABLE', storage.delete(`t${count}/object`, { signal }));
    await storage.delete(`t${count}/object`, { signal });
    await nothingIsVisible();
  });

  test('an abort ends the pause before another try, and throws its reason', async () => {
    const patient = open({ tuning: { ...tuning, backoffMs: 60_000, maxBackoffMs: 60_000 } });
    const controller = new AbortController();
    const reason = new Error('cancelled');
    proxy.inject({ method: 'HEAD', path: /object/, times: 100, fault: { kind: 'answer', status: 503 } });
    const looking = patient.head(`t${count}/object`, { signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await expect(looking).rejects.toBe(reason);
  });

  test('a login that fails after its request was aborted causes no unhandled rejection', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const aborted = open({ credentials: { kind: 'V1', user: 'test:tester', key: new Secret('wrong') } });
    await expect(aborted.head('x', { signal: AbortSignal.abort(new Error('cancelled')) })).rejects.toThrow('cancelled');
    // The next caller waits for the same login, which fails.
    await rejectsWith('ENDPOINT_AUTH', aborted.head('x', { signal }));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  test('the container quota is ENDPOINT_QUOTA, and nothing is visible', async () => {
    // The object is smaller than one segment, because Swift updates the used bytes only after a while.
    await makeLimited(server, 'limited', 50_000);
    const limited = open({ container: 'limited' });
    await rejectsWith('ENDPOINT_QUOTA', put(randomBytes(3 * segmentBytes), limited));
    expect(await limited.head(`t${count}/object`, { signal })).toBeUndefined();
  });

  test("if the account's quota is used up when the manifest is written, it is ENDPOINT_QUOTA, and nothing is visible", async () => {
    // In this case Swift answers 400, and its text has a 413 for each segment.
    const act = () => setAccountQuota(server, '1');
    proxy.inject({ method: 'PUT', path: /multipart-manifest=put/, fault: { kind: 'call', when: 'BEFORE', act } });
    try {
      await rejectsWith('ENDPOINT_QUOTA', put(randomBytes(3 * segmentBytes)));
    } finally {
      await setAccountQuota(server, '');
    }
    await nothingIsVisible();
  });

  describe('a manifest that Swift refuses with a 400 because it cannot check the segments now', () => {
    const body = 'Errors:\n/backups/t/segments/00000001, 503 Service Unavailable\n';
    const fault = { kind: 'answer', status: 400, body } as const;

    test('is stored again later', async () => {
      proxy.inject({ method: 'PUT', path: /multipart-manifest=put/, times: 2, fault });
      await storesInSpiteOf();
    });

    test('is ENDPOINT_UNREACHABLE and retriable if the refusal persists, and nothing is visible', async () => {
      proxy.inject({ method: 'PUT', path: /multipart-manifest=put/, times: 100, fault });
      await expect(put(randomBytes(3 * segmentBytes))).rejects.toMatchObject({
        code: 'ENDPOINT_UNREACHABLE',
        retriable: true,
        help: expect.stringContaining('disks are full'),
      });
      await nothingIsVisible();
    });
  });

  test('a missing container is named in the error, and is created only on request', async () => {
    const nowhere = open({ container: 'nowhere', createContainer: false });
    await expect(nowhere.putBytes('x', Buffer.from('x'), { signal })).rejects.toMatchObject({
      code: 'ENDPOINT_NOT_FOUND',
      message: expect.stringContaining("container 'nowhere'"),
    });
    await rejectsWith('ENDPOINT_NOT_FOUND', nowhere.head('x', { signal }));
  });

  test('a host that is not allowed is not connected to, by address or by name', async () => {
    for (const host of ['127.0.0.1', 'localhost']) {
      const { allowHost: _, ...settings } = server.settings('backups', `http://${host}:${new URL(proxy.url).port}`);
      proxy.heal();
      const guarded = swiftDriver.open({ ...settings, tuning });
      opened.push(guarded);
      await expect(guarded.head('x', { signal })).rejects.toMatchObject({
        code: 'ENDPOINT_UNREACHABLE',
        retriable: false,
        message: expect.stringContaining('may not connect to'),
      });
      expect(proxy.requests).toEqual([]);
    }
  });
});

describeWith({ swift: swiftMissing }, 'Swift with a full disk', () => {
  test('a put to full disks fails after several tries, and its help names them', async () => {
    const server = await startSwift({ reserve: '100%' });
    const storage = swiftDriver.open({ ...server.settings('backups'), tuning });
    try {
      const put = storage.put('object', chunks(randomBytes(100), 10), { signal, segmentFolder: 'segments/' });
      await expect(put).rejects.toMatchObject({
        code: 'ENDPOINT_UNREACHABLE',
        help: expect.stringContaining('disks are full'),
      });
    } finally {
      await storage.close();
      await server.stop();
    }
  });
});

/** Creates a container with a quota. A later change of the quota could stay hidden by Swift's cache for a minute. */
async function makeLimited(server: SwiftServer, container: string, bytes: number): Promise<void> {
  const login = await fetch(`${server.url}/auth/v1.0`, {
    headers: { 'x-auth-user': 'test:tester', 'x-auth-key': 'testing' },
  });
  await fetch(`${login.headers.get('x-storage-url') ?? ''}/${container}`, {
    method: 'PUT',
    headers: {
      'x-auth-token': login.headers.get('x-auth-token') ?? '',
      'x-container-meta-quota-bytes': String(bytes),
    },
  });
}

async function setAccountQuota(server: SwiftServer, bytes: string): Promise<void> {
  const login = (user: string, key: string) =>
    fetch(`${server.url}/auth/v1.0`, { headers: { 'x-auth-user': user, 'x-auth-key': key } });
  const [owner, admin] = await Promise.all([login('test:tester', 'testing'), login('admin:admin', 'admin')]);
  const token = { 'x-auth-token': admin.headers.get('x-auth-token') ?? '' };
  const answer = await fetch(owner.headers.get('x-storage-url') ?? '', {
    method: 'POST',
    headers: { ...token, 'x-account-meta-quota-bytes': bytes },
  });
  expect(answer.ok).toBe(true);
}
