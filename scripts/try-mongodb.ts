/** The part of `scripts/try-mongodb` that uses the engine. Its help describes what it does. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { createMongodbEngine } from '../src/engines/mongodb/mongodbEngine.js';
import type { ServiceConnection } from '../src/engines/serviceConnection.js';
import { Secret } from '../src/secret.js';
import { mongodbContents } from '../test/fixtures/mongodbContents.js';
import { fillNastyMongodb } from '../test/fixtures/nastyMongodb.js';
import { rawDifferences } from '../test/fixtures/rawDifferences.js';
import { dumpParts, restoreParts } from '../test/fixtures/roundTrip.js';
import { mongoTools } from '../test/fixtures/servers/mongoTools.js';

const names = ['stowage_try_one', 'stowage_try_two'] as const;
const print = (line: string) => process.stdout.write(`${line}\n`);

const url = await withPassword(process.env['MONGODB_URL'] ?? '');
const client = new MongoClient(url, { directConnection: true });
const workFolder = await mkdtemp(join(tmpdir(), 'stowage-try-'));
const engine = createMongodbEngine({ tools: mongoTools });
const differences = await tryServer().finally(async () => {
  for (const name of names) await client.db(name).dropDatabase();
  await Promise.all([client.close(), engine.close(), rm(workFolder, { recursive: true })]);
});
for (const difference of differences) print(`DIFFERS  ${difference}`);
print(differences.length === 0 ? 'identical' : 'The copy differs: report it with the lines above.');
process.exitCode = differences.length === 0 ? 0 : 1;

async function tryServer(): Promise<readonly string[]> {
  await client.connect();
  const own = new Set<string>(names);
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
  const others = databases
    .map(({ name }) => name)
    .filter((name) => !own.has(name) && !/^(?:admin|config|local)$/.test(name));
  for (const name of names) await client.db(name).dropDatabase();
  for (const [what, why] of await fillNastyMongodb(url, names[0])) print(`not here  ${what}: ${why}`);
  await client.db(names[1]).collection('written').insertOne({ first: true });

  // A backup with an oplog holds all databases, so it is tried only if there are no others.
  const connection = connectionTo(url, others.length === 0 ? null : names);
  const context = { workFolder, signal: new AbortController().signal };
  for (const { name, status, message } of await engine.check(connection, { ...context, timeoutMs: 30_000 })) {
    print(`${name} ${status}: ${message ?? ''}`);
  }
  const writing = new AbortController();
  const writer = writeUntil(writing.signal);
  const dumped = await dumpParts(engine, connection, context).finally(() => writing.abort());
  const written = await writer;
  const hasOplog = dumped.parts.some(({ part }) => part.databases === undefined);
  print(
    `dumped ${dumped.parts.length} part(s), ${hasOplog ? 'with an oplog' : 'without an oplog'}, while ${written} documents were written`,
  );
  for (const warning of dumped.report.warnings) print(`warning: ${warning}`);

  // Only the first database was not written to, so it must be equal in every case.
  const expected = await mongodbContents(url, [names[0]]);
  for (const name of names) await client.db(name).dropDatabase();
  const { losses, warnings } = await restoreParts(engine, connection, dumped, context);
  for (const warning of warnings) print(`warning: ${warning}`);
  const ofWriter = losses.filter(({ sentence }) => sentence.includes(names[1])).length;
  print(`restored; the comparison of the engine found ${losses.length - ofWriter} losses`);
  return [
    ...losses.filter(({ sentence }) => !sentence.includes(names[1])).map(({ sentence }) => sentence),
    ...rawDifferences(expected, await mongodbContents(url, [names[0]])),
    ...(hasOplog ? await gapsInWriting() : []),
  ];
}

/** Each document is in two collections. A backup from a single instant holds both or neither, except for the last one. */
async function writeUntil(signal: AbortSignal): Promise<number> {
  const database = client.db(names[1]);
  let place = 0;
  for (; !signal.aborted; place += 1) {
    await database.collection('left').insertOne({ place });
    await database.collection('right').insertOne({ place });
  }
  return place;
}

async function gapsInWriting(): Promise<readonly string[]> {
  const [left, right] = [await placesIn('left'), await placesIn('right')];
  const isPrefix = (places: readonly number[]) => places.every((place, index) => place === index);
  const gap = left.length - right.length;
  if (isPrefix(left) && isPrefix(right) && (gap === 0 || gap === 1)) return [];
  return [`${names[1]}: the backup is not from a single instant (${left.length} and ${right.length} documents)`];
}

async function placesIn(collection: string): Promise<readonly number[]> {
  const found = await client.db(names[1]).collection(collection).find().sort({ place: 1 }).toArray();
  return found.map((document) => Number(document['place']));
}

function connectionTo(address: string, databases: readonly string[] | null): ServiceConnection {
  const { hostname, port, username, password, searchParams } = new URL(address);
  return {
    ...{ host: hostname, port: port === '' ? 27_017 : Number(port), databases },
    username: username === '' ? null : decodeURIComponent(username),
    password: password === '' ? null : new Secret(decodeURIComponent(password)),
    authSource: searchParams.get('authSource'),
    tls: { mode: searchParams.get('tls') === 'true' ? 'VERIFY' : 'OFF', ca: null },
  };
}

async function withPassword(address: string): Promise<string> {
  const found = new URL(address);
  const file = process.env['STOWAGE_SERVICE_PASSWORD_FILE'];
  if (file !== undefined) found.password = encodeURIComponent((await readFile(file, 'utf8')).trim());
  return found.href;
}
