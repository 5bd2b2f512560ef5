import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Secret } from '../../src/secret.js';
import type { Storage, UnfinishedUpload } from '../../src/storage/storage.js';
import { shelfDriver, shelfKind, shelfSizes } from '../fixtures/shelf/shelfKind.js';
import { startShelfServer, type ShelfServer } from '../fixtures/shelf/shelfServer.js';
import { chunks, listed, rejectsWith, storageContract } from './storage.contract.js';
import { storageKindContract } from './storageKind.contract.js';

const { signal } = new AbortController();

function openShelf(server: ShelfServer, shelf: string): Storage {
  const key = new Secret(server.key);
  return shelfDriver.open({ url: server.url, shelf, key, createShelf: true, allowHost: () => true });
}

storageContract('an object server of the tests', async () => {
  const server = await startShelfServer();
  const storage = openShelf(server, 'tested');
  return {
    storage,
    exclusive: true,
    segmentBytes: shelfSizes.smallSegmentBytes,
    tamper: async (name, bytes) => {
      if (bytes === null) await storage.delete(name, { signal });
      else await storage.putBytes(name, bytes, { signal, overwrite: true });
    },
    lastPieceOf: (name) => name,
    stop: () => server.stop(),
  };
});

storageKindContract('an object server of the tests', {
  kind: shelfKind,
  input: { url: 'http://shelf.example.org', shelf: 'ours', key: new Secret('the key of the shelf') },
  secretText: 'the key of the shelf',
  location: 'ours at http://shelf.example.org',
  program: 'shelf',
  moves: [['shelf', { shelf: 'other' }]],
  stays: [['address', { url: 'http://elsewhere.example.org' }]],
  sameSpelledOut: [
    ['letter case of the host', { url: 'http://SHELF.example.org' }],
    ['a default port and a slash', { url: 'http://shelf.example.org:80/' }],
  ],
  otherSpelledOut: [
    ['address', { url: 'http://elsewhere.example.org' }],
    ['shelf', { shelf: 'Ours' }],
  ],
  needSecret: [['address', { url: 'http://elsewhere.example.org' }]],
  wrong: [
    ['url', { url: 'shelf' }],
    ['shelf', { shelf: '' }],
    ['key', { key: new Secret('two\nlines') }],
  ],
});

describe('uploads in parts', () => {
  let server: ShelfServer;
  let storage: Storage;
  const unfinished = async (prefix: string) => {
    const found: UnfinishedUpload[] = [];
    for await (const upload of storage.unfinishedUploads(prefix, { signal })) found.push(upload);
    return found;
  };

  beforeAll(async () => {
    server = await startShelfServer();
    storage = openShelf(server, 'parts');
  });
  afterAll(async () => {
    await storage.close();
    await server.stop();
  });

  test('that are not completed are listed separately from objects, and can be aborted', async () => {
    await storage.putBytes('a/object', Buffer.from('x'), { signal });
    const uploadId = server.beginUpload('parts', 'a/large', Buffer.from('half'));
    server.beginUpload('parts', 'b/large', Buffer.from('half'));
    expect((await listed(storage, 'a/')).map(({ name }) => name)).toEqual(['a/object']);
    expect(await unfinished('a/')).toEqual([{ name: 'a/large', uploadId, sizeBytes: 4 }]);
    for (const upload of await unfinished('')) await storage.abortUpload(upload, { signal });
    expect(await unfinished('')).toEqual([]);
  });

  test('are tried again if the server refuses for a moment, and leave no unfinished upload', async () => {
    server.refuseNext(3);
    const bytes = randomBytes(5 * shelfSizes.smallSegmentBytes);
    const options = { signal, segmentFolder: 'segments/' };
    const stored = await storage.put('retried', chunks(bytes, 10_000), options);
    expect(stored.segments).toHaveLength(5);
    await storage.verify('retried', stored, { signal });
    expect(server.unfinished()).toEqual([]);
  });

  test('of a source that fails are aborted', async () => {
    async function* failing(): AsyncGenerator<Uint8Array, void, undefined> {
      yield* chunks(randomBytes(3 * shelfSizes.smallSegmentBytes), 10_000);
      throw new Error('the dump tool died');
    }
    const put = storage.put('failed', failing(), { signal, segmentFolder: 'segments/' });
    await expect(put).rejects.toThrow('the dump tool died');
    expect(server.unfinished()).toEqual([]);
  });

  test('to a name that another writer has taken are a CONFLICT, and are aborted', async () => {
    await storage.putBytes('taken', Buffer.from('x'), { signal });
    const bytes = randomBytes(2 * shelfSizes.smallSegmentBytes);
    await rejectsWith('CONFLICT', storage.put('taken', chunks(bytes, 9_999), { signal, segmentFolder: 'segments/' }));
    expect(server.unfinished()).toEqual([]);
  });
});
