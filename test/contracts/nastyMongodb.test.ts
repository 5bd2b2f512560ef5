import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { BSON, MongoClient } from 'mongodb';
import { archiveScanner } from '../../src/engines/mongodb/dump/archiveScanner.js';
import { createMongodbEngine } from '../../src/engines/mongodb/mongodbEngine.js';
import type { Engine } from '../../src/engines/engine.js';
import { usualSteps } from '../../src/engines/pipeline/storedSteps.js';
import { findClients } from '../../src/engines/process/programs.js';
import type { ServiceConnection } from '../../src/engines/serviceConnection.js';
import { mongodbArchive } from '../fixtures/mongodbArchive.js';
import { mongodbContents } from '../fixtures/mongodbContents.js';
import { fillNastyMongodb } from '../fixtures/nastyMongodb.js';
import { rawDifferences } from '../fixtures/rawDifferences.js';
import { describeWith } from '../fixtures/requirements.js';
import { dumpParts, restoreParts } from '../fixtures/roundTrip.js';
import { scanStream } from '../fixtures/scannedStream.js';
import { mongoMissing, startMongo, type TestMongo } from '../fixtures/servers/mongo.js';
import { mongoTools, mongoToolsMissing } from '../fixtures/servers/mongoTools.js';

const needs = { mongodb: await mongoMissing(), 'mongo-tools': mongoToolsMissing() };

describeWith(needs, 'a nasty MongoDB', () => {
  let [source, target]: TestMongo[] = [];
  let engine: Engine;
  let workFolder: string;
  const names = ['nasty', "it's*"];
  const context = () => ({ workFolder, signal: new AbortController().signal });
  const from = (databases: readonly string[] | null = null) => connectionTo(source!.url(), databases);

  beforeAll(async () => {
    [source, target] = await Promise.all([startMongo(), startMongo()]);
    workFolder = await mkdtemp(join(tmpdir(), 'stowage-nasty-'));
    engine = createMongodbEngine({ tools: mongoTools });
    await fillNastyMongodb(source.url(), 'nasty');
    await onServer(source.url(), (client) => client.db(names[1]).collection('a').insertOne({ a: 1 }));
  });
  afterEach(() =>
    onServer(target!.url(), async (client) => {
      for (const name of names) await client.db(name).dropDatabase();
    }),
  );
  afterAll(async () => {
    await engine.close();
    await Promise.all([source?.stop(), target?.stop()]);
    await rm(workFolder, { recursive: true });
  });

  test('is restored byte by byte, and the numbers of documents are those of the dump', async () => {
    const dumped = await dumpParts(engine, from(), context());
    const expected = await mongodbContents(source!.url(), names);
    const counted = dumped.parts.flatMap(({ end }) => end.tables ?? []);
    expect(Object.fromEntries(counted.map(({ database, name, rows }) => [`${database}.${name}`, rows]))).toEqual(
      Object.fromEntries(Object.entries(expected).map(([name, { documents }]) => [name, documents.length])),
    );
    expect(dumped.parts.map(({ end }) => end.lastLines)).toEqual(['', '']);
    expect(Math.max(...dumped.parts.map(({ end }) => end.longestStatementBytes ?? 0))).toBeGreaterThan(16_000_000);

    expect((await restoreParts(engine, connectionTo(target!.url()), dumped, context())).losses).toEqual([]);
    expect(rawDifferences(expected, await mongodbContents(target!.url(), names))).toEqual([]);
  });

  test('leaves other databases of the target as they are', async () => {
    await onServer(target!.url(), (client) => client.db(names[0]).collection('mine').insertOne({ mine: true }));
    const before = await mongodbContents(target!.url(), ['nasty']);
    const one = await dumpParts(engine, from([names[1]!]), context());
    await restoreParts(engine, connectionTo(target!.url()), one, context());
    expect(rawDifferences(before, await mongodbContents(target!.url(), ['nasty']))).toEqual([]);

    const both = await dumpParts(engine, from(), context());
    await expect(restoreParts(engine, connectionTo(target!.url()), both, context())).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
    });
  });

  test('is refused at a target only if it has a collection, however often this is checked', async () => {
    const { report } = await dumpParts(engine, from([names[1]!]), context());
    const check = () =>
      engine.restorePreflight(connectionTo(target!.url()), { inventory: report.inventory }, context());
    await check();
    await check();
  });

  test('is not restored twice at once', async () => {
    const { report, parts } = await dumpParts(engine, from([names[1]!]), context());
    const [{ part, bytes } = parts[0]!] = parts;
    const start = (restoreId: string) =>
      engine.restore(
        connectionTo(target!.url()),
        part,
        { restoreId, inventory: report.inventory },
        { ...context(), steps: usualSteps },
      );
    const first = await start('first');
    await expect(start('second')).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    first.stored.end(bytes);
    expect((await first.ended).failure).toBeNull();
    expect(Object.keys(await mongodbContents(target!.url(), names))).toEqual([`${names[1]}.a`]);
  });

  test('names the collection whose documents are equal in a unique index, and no value', async () => {
    const document = (_id: number) => BSON.serialize({ _id, email: 'clerk@example.org' });
    const metadata = JSON.stringify({
      indexes: [{ v: { $numberInt: '2' }, key: { email: { $numberInt: '1' } }, name: 'email', unique: true }],
      ...{ uuid: '', collectionName: 'a', type: 'collection' },
    });
    const archive = mongodbArchive(
      [{ db: 'nasty', collection: 'a', metadata }],
      [{ database: 'nasty', collection: 'a', documents: [document(1), document(2)] }],
    );
    const part = { name: 'nasty', extension: 'archive', databases: ['nasty'] };
    const inventory = { serverVersion: '4.4.0', toolVersion: '', sizeBytes: null, databases: [] };
    const restore = await engine.restore(
      connectionTo(target!.url()),
      part,
      { restoreId: 'x', inventory },
      { ...context(), steps: [] },
    );
    restore.stored.end(archive);
    const failure = (await restore.ended).failure as Error & { code: string; help: string };
    expect(failure).toMatchObject({ code: 'TOOL_FAILED', help: expect.stringContaining('equal in a unique index') });
    expect(JSON.stringify([failure.message, failure])).not.toContain('clerk');
  });

  test('mongorestore accepts the checksum of an oplog whose entries the scanner changed', () => {
    const entry = BSON.serialize({
      op: 'i',
      ns: 'admin.system.users',
      o: { _id: 'admin.me' },
      ts: new BSON.Timestamp(7n),
    });
    const archive = mongodbArchive(
      [{ db: '', collection: 'oplog' }],
      [{ database: '', collection: 'oplog', documents: [entry, entry, entry] }],
    );
    const { out } = scanStream(archiveScanner(['shop']), archive, [200]);
    const replay = (input: Buffer) => {
      const [program = ''] = findClients('mongorestore', mongoTools);
      return spawnSync(program, [`--uri=${target!.url()}`, '--archive', '--oplogReplay'], { input, encoding: 'utf8' });
    };
    expect(replay(out)).toMatchObject({ status: 0, stderr: expect.stringContaining('applied 0 oplog entries') });
    // With the old checksum it would fail.
    const place = archive.length - 4 - 9;
    const withOldSum = Buffer.concat([out.subarray(0, place), archive.subarray(place)]);
    expect(replay(withOldSum)).toMatchObject({ status: 1, stderr: expect.stringContaining('CRC mismatch') });
  });
});

async function onServer(url: string, work: (client: MongoClient) => Promise<unknown>): Promise<void> {
  const client = new MongoClient(url, { directConnection: true });
  try {
    await work(client);
  } finally {
    await client.close();
  }
}

function connectionTo(url: string, databases: readonly string[] | null = null): ServiceConnection {
  const { hostname, port } = new URL(url);
  return {
    ...{ host: hostname, port: Number(port), username: null, password: null, authSource: null, databases },
    tls: { mode: 'OFF', ca: null },
  };
}
