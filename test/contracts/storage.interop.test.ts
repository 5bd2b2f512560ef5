import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import SwiftClient from 'openstack-swift-client';
import type { Storage } from '../../src/storage/storage.js';
import { swiftDriver } from '../../src/storage/swift/swiftDriver.js';
import { describeWith } from '../fixtures/requirements.js';
import { startSwift, swiftMissing, type SwiftServer } from '../fixtures/servers/swift.js';
import { chunks, listed, read } from './storage.contract.js';

const run = promisify(execFile);
const segmentBytes = 64 * 1024;
const signal = new AbortController().signal;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describeWith({ swift: swiftMissing }, 'Other clients of the same container:', () => {
  let server: SwiftServer;
  let storage: Storage;
  let folder: string;

  beforeAll(async () => {
    server = await startSwift();
    folder = await mkdtemp(join(tmpdir(), 'stowage-interop-'));
    const tuning = { smallSegmentBytes: segmentBytes, largeSegmentBytes: segmentBytes };
    storage = swiftDriver.open({ ...server.settings('shared'), tuning });
    await storage.putBytes('first', Buffer.from('x'), { signal });
  });
  afterAll(async () => {
    await storage.close();
    await rm(folder, { recursive: true, force: true });
    await server.stop();
  });

  const swift = (...args: string[]) =>
    run('swift', ['-A', `${server.url}/auth/v1.0`, '-U', 'test:tester', '-K', 'testing', ...args], { timeout: 60_000 });
  const foreignContainer = () =>
    new SwiftClient(new SwiftClient.SwiftAuthenticator(`${server.url}/auth/v1.0`, 'test:tester', 'testing')).container(
      'shared',
    );
  const ours = async (name: string, bytes: Buffer) =>
    storage.put(name, chunks(bytes, 10_000), { signal, segmentFolder: `segments of ${name}/` });

  test.each([0, 100, 3 * segmentBytes + 7])('`swift download` reads an object of ours with %d bytes', async (size) => {
    const bytes = randomBytes(size);
    const name = `ours for the CLI #${size}?%41`;
    await ours(name, bytes);
    const file = join(folder, 'downloaded');
    await swift('download', '-o', file, 'shared', name);
    expect(sha256(await readFile(file))).toBe(sha256(bytes));
  });

  test.each([
    ['whole', []],
    ['in segments', ['--use-slo', '--segment-size', '30000']],
  ])('we read and delete an object that `swift upload` stored %s', async (how, flags) => {
    const bytes = randomBytes(100_000);
    const file = join(folder, 'to upload');
    await writeFile(file, bytes);
    const name = `theirs #${how}`;
    await swift('upload', ...flags, '--object-name', name, 'shared', file);
    const found = await storage.head(name, { signal });
    expect(found?.sizeBytes).toBe(bytes.length);
    expect(sha256(await read(storage, name, { etag: found?.etag ?? '' }))).toBe(sha256(bytes));
    await storage.delete(name, { signal });
    expect(await storage.head(name, { signal })).toBeUndefined();
  });

  test('`swift delete` removes an object of ours, with its segments', async () => {
    await ours('to delete', randomBytes(3 * segmentBytes));
    await swift('delete', 'shared', 'to delete');
    expect(await storage.head('to delete', { signal })).toBeUndefined();
    expect(await storage.head('segments of to delete/00000001', { signal })).toBeUndefined();
  });

  test('openstack-swift-client reads our objects, plain and large', async () => {
    for (const size of [100, 3 * segmentBytes + 7]) {
      const bytes = randomBytes(size);
      await ours(`ours-${size}`, bytes);
      const stream = new PassThrough();
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      // Its types declare web streams, but it accepts Node's streams.
      await foreignContainer().get(`ours-${size}`, stream as unknown as WritableStream);
      expect(sha256(Buffer.concat(pieces))).toBe(sha256(bytes));
    }
  });

  test('we read and list objects that openstack-swift-client stored', async () => {
    const bytes = randomBytes(50_000);
    await foreignContainer().create('foreign', Readable.from([bytes]) as unknown as ReadableStream);
    expect(sha256(await read(storage, 'foreign', {}))).toBe(sha256(bytes));
    expect(await listed(storage, 'foreign')).toEqual([await storage.head('foreign', { signal })]);
  });
});
