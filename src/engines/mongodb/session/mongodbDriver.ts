import { createHash } from 'node:crypto';
import type { LookupFunction, Socket } from 'node:net';
import { isIP } from 'node:net';
import { BSON, MongoClient, MongoServerError, type MongoClientOptions } from 'mongodb';
import { bsonFields, bsonText, bsonToText, type BsonField } from '../bson/rawBson.js';
import type { AnswerSink, Driver, DriverConnection, Json } from '../../conversation/driver.js';

/** The data that the driver needs to log in. */
export type MongodbLogin = {
  /** The host name that the server's certificate must contain, or the address. */
  readonly host: string;
  readonly port: number;
  /** The driver connects to this address, and never resolves the host. */
  readonly address: string;
  readonly user: string | null;
  readonly password: string;
  readonly authSource: string | null;
  /** Null: no TLS. If `ca` is null, the CAs of the system are used. */
  readonly tls: { readonly verify: boolean; readonly ca: string | null } | null;
  readonly timeoutMs: number;
};

/** What can be asked. Every answer consists of rows of texts. */
export type MongodbQuestion =
  /** Values: database, the command as Extended JSON. One row with the answer as Extended JSON. */
  | 'COMMAND'
  /** The same, with an answer in canonical Extended JSON, which keeps the type of each value. */
  | 'EXACT_COMMAND'
  /** Values: database. A row for each collection and view: name, type and options. */
  | 'COLLECTIONS'
  /** Values: database, names of collections. A row for each index. */
  | 'INDEXES'
  /** Values: database, EXACT or FAST, the time limit in ms, names of collections. A row for each one that was counted. */
  | 'COUNTS';

/** So many questions of one kind are sent at once. */
const atOnce = 4;
/** MongoDB never speaks first. Other servers introduce themselves, and this much of it is kept. */
const greetingBytes = 256;

/** Implements MongoDB's protocol with its own client library. */
export const driver: Driver = {
  converse(socket): DriverConnection {
    let client: MongoClient | undefined;
    let greeting = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      if (greeting.length < greetingBytes) greeting = Buffer.concat([greeting, chunk]).subarray(0, greetingBytes);
    });
    return {
      logIn(login, answer) {
        const opened = open(login as MongodbLogin);
        client = opened;
        const fail = (error: unknown) => answer.fail(described(error, greeting));
        // The library would try again until its time limit ends. The server has already accepted a connection, so the
        // first failure is the reason.
        opened.once('serverHeartbeatFailed', ({ failure }) => fail(failure));
        socket.once('data', () => fail(new Error('The server speaks first.')));
        opened.connect().then(() => {
          socket.destroy();
          answer.done();
        }, fail);
      },
      ask(question, values, answer) {
        if (client === undefined) answer.fail(new Error('A question was sent before the login.'));
        else
          ask(client, question as MongodbQuestion, values, answer).then(
            () => answer.done(),
            (error: unknown) => answer.fail(described(error, greeting)),
          );
      },
      pause: () => undefined,
      resume: () => undefined,
      close: () => end(socket, client),
    };
  },
};

function end(socket: Socket, client: MongoClient | undefined): void {
  socket.destroy();
  client?.close().catch(() => undefined);
}

function open({ host, port, address, user, password, authSource, tls, timeoutMs }: MongodbLogin): MongoClient {
  const lookup: LookupFunction = (_name, { all }, found) => {
    const family = isIP(address);
    if (all === true) found(null, [{ address, family }]);
    else found(null, address, family);
  };
  const options: MongoClientOptions = {
    directConnection: true,
    appName: 'stowage',
    maxPoolSize: atOnce,
    serverMonitoringMode: 'poll',
    serverSelectionTimeoutMS: timeoutMs,
    connectTimeoutMS: timeoutMs,
    retryReads: false,
    retryWrites: false,
    ...{ lookup },
    ...(user === null ? {} : { auth: { username: user, password }, authSource: authSource ?? 'admin' }),
    ...(tls === null
      ? { tls: false }
      : { tls: true, rejectUnauthorized: tls.verify, ...(tls.ca === null ? {} : { ca: tls.ca }) }),
    ...(tls?.verify === false ? { checkServerIdentity: () => undefined } : {}),
  };
  const name = isIP(host) === 6 ? `[${host}]` : host;
  return new MongoClient(`mongodb://${name}:${port}/`, options);
}

async function ask(
  client: MongoClient,
  question: MongodbQuestion,
  values: readonly Json[],
  answer: AnswerSink,
): Promise<void> {
  const [database, ...rest] = values.map(String);
  const db = client.db(database);
  switch (question) {
    case 'COMMAND':
    case 'EXACT_COMMAND': {
      const command = BSON.EJSON.parse(rest[0] ?? '{}') as BSON.Document;
      const isExact = question === 'EXACT_COMMAND';
      const reply = await db.command(command, isExact ? { promoteValues: false } : {});
      answer.columns(['json']);
      answer.row([BSON.EJSON.stringify(reply, { relaxed: !isExact })]);
      return;
    }
    case 'COLLECTIONS':
      answer.columns(['name', 'type', 'options']);
      for await (const raw of db.listCollections({}, { raw: true })) answer.row(collectionRow(asBuffer(raw)));
      return;
    case 'INDEXES':
      answer.columns(['collection', 'name', 'definition']);
      await several(rest, async (name) => {
        for await (const raw of db.collection(name).listIndexes({ raw: true })) {
          answer.row([name, ...indexRow(asBuffer(raw))]);
        }
      });
      return;
    case 'COUNTS': {
      const [how, limitMs, ...names] = rest;
      const until = performance.now() + Number(limitMs);
      answer.columns(['collection', 'rows']);
      await several(names, async (name) => {
        const leftMs = Math.floor(until - performance.now());
        if (leftMs <= 0) return;
        const rows = await (
          how === 'EXACT'
            ? db.collection(name).countDocuments({}, { maxTimeMS: leftMs })
            : db.collection(name).estimatedDocumentCount({ maxTimeMS: leftMs })
        ).catch(ignoreGoneOrSlow);
        if (rows !== undefined) answer.row([name, String(rows)]);
      });
      return;
    }
  }
}

/** 26 NamespaceNotFound, 50 MaxTimeMSExpired, 166 CommandNotSupportedOnView. */
function ignoreGoneOrSlow(error: unknown): undefined {
  if (error instanceof MongoServerError && [26, 50, 166].includes(Number(error.code))) return undefined;
  throw error;
}

async function several(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
  const left = [...names];
  const next = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      await work(name).catch((error: unknown) => {
        // The collection was dropped meanwhile.
        if (!(error instanceof MongoServerError && error.code === 26)) throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}

function asBuffer(raw: unknown): Buffer {
  if (!(raw instanceof Uint8Array)) throw new Error('The client library returned no raw document.');
  return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
}

function collectionRow(raw: Buffer): readonly string[] {
  const fields = new Map(bsonFields(raw).map((field) => [field.name, field]));
  return [textOf(fields.get('name')), textOf(fields.get('type')) || 'collection', sortedText(fields.get('options'))];
}

function indexRow(raw: Buffer): readonly string[] {
  const fields = bsonFields(raw).filter(({ name }) => name !== 'ns');
  const name = textOf(fields.find((field) => field.name === 'name'));
  return [name, fieldsText(fields.filter((field) => field.name !== 'name'))];
}

function textOf(field: BsonField | undefined): string {
  return field === undefined ? '' : (bsonText(field) ?? '');
}

function sortedText(field: BsonField | undefined): string {
  return field?.type === 0x03 ? fieldsText(bsonFields(field.value)) : '{}';
}

/** The longest text of one part of a definition. A longer one is replaced with its digest. */
const longestText = 400;

/** A JSON object from the name of a field to its text. The order of options has no meaning, so they are sorted. */
function fieldsText(fields: readonly BsonField[]): string {
  const pairs = fields.map((field): [string, string] => [field.name, shortened(bsonToText(field))]);
  return JSON.stringify(Object.fromEntries(pairs.sort(([one], [other]) => (one < other ? -1 : 1))));
}

function shortened(text: string): string {
  return text.length <= longestText ? text : `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** The form in which an error passes to the other process: the number of the server, or the name of a failure. */
function described(error: unknown, greeting: Buffer): unknown {
  if (greeting.length > 0) {
    return Object.assign(new Error(greeting.toString('latin1')), { code: 'OTHER_SERVER' });
  }
  if (error instanceof MongoServerError) {
    // An exact question returns its numbers as objects of the library.
    const number = Number(error.code ?? 0) || 0;
    return Object.assign(new Error(error.message), {
      errno: number === 0 ? 1 : number,
      code: error.codeName ?? '',
      sqlMessage: error.message,
    });
  }
  if (!(error instanceof Error)) return error;
  const causes = causesOf(error);
  const code = causes.map((each) => ('code' in each ? each.code : undefined)).find((each) => typeof each === 'string');
  const deepest = causes.at(-1) ?? error;
  return Object.assign(new Error(deepest.message), { code: code ?? deepest.name });
}

function causesOf(error: Error): readonly Error[] {
  const all = [error];
  for (let cause: unknown = error.cause; cause instanceof Error && all.length < 8; cause = cause.cause) all.push(cause);
  return all;
}
