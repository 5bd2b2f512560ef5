import { createServer, type Socket } from 'node:net';
import { BSON } from 'mongodb';
import { dribble, forEver, mebibyte, randomBytes } from './endlessly.js';
import { listening, type HostileServer } from './hostileServer.js';

type Answers = (socket: Socket, question: Question) => void;

export type MongodbBehaviour = {
  readonly name: string;
  /** Called instead of answering the first question, `hello`. */
  readonly greets?: Answers;
  /** Called instead of answering a later question with an error. */
  readonly answers?: Answers;
};

/** A question of the client. Its kind is OP_QUERY (2004) or OP_MSG (2013). */
type Question = { readonly id: number; readonly kind: number };

const queryKind = 2004;

/** A message of MongoDB's protocol with this document, as the answer to a question. */
function reply({ id, kind }: Question, document: Uint8Array, announced?: number): Buffer {
  // OP_REPLY: flags, cursor, first, and the number of documents. OP_MSG: flags, and the kind of the section.
  const before = kind === queryKind ? Buffer.concat([Buffer.alloc(16), Buffer.from([1, 0, 0, 0])]) : Buffer.alloc(5);
  const head = Buffer.alloc(16);
  head.writeInt32LE(announced ?? 16 + before.length + document.length, 0);
  head.writeInt32LE(1, 4);
  head.writeInt32LE(id, 8);
  head.writeInt32LE(kind === queryKind ? 1 : 2013, 12);
  return Buffer.concat([head, before, document]);
}

const hello = {
  ...{ helloOk: true, isWritablePrimary: true, ismaster: true, maxBsonObjectSize: 16 * mebibyte, ok: 1 },
  ...{ maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000, minWireVersion: 0, maxWireVersion: 21 },
  ...{ localTime: new Date(0), connectionId: 1, readOnly: false, saslSupportedMechs: ['SCRAM-SHA-256'] },
};

const says =
  (fields: object): Answers =>
  (socket, question) =>
    socket.write(reply(question, BSON.serialize({ ...hello, ...fields })));

/** A document within a document, and so on. */
function nested(levels: number): Uint8Array {
  let document: Buffer = Buffer.from([5, 0, 0, 0, 0]);
  for (let level = 0; level < levels; level += 1) {
    const length = Buffer.alloc(4);
    length.writeInt32LE(document.length + 8);
    document = Buffer.concat([length, Buffer.from('\x03a\0'), document, Buffer.from([0])]);
  }
  return document;
}

export const mongodbBehaviours: readonly MongodbBehaviour[] = [
  { name: 'closes at once', greets: (socket) => socket.end() },
  { name: 'never answers', greets: () => undefined },
  { name: 'greets with random bytes', greets: (socket) => socket.write(randomBytes(4_096)) },
  { name: 'greets with endless zeros', greets: (socket) => forEver(socket, Buffer.alloc(65_536)) },
  {
    name: 'sends one byte a second',
    greets: (socket, question) => dribble(socket, reply(question, BSON.serialize(hello))),
  },
  {
    name: 'announces a message of 2 GB',
    greets: (socket, question) => {
      socket.write(reply(question, Buffer.alloc(0), 0x7fffffff));
      forEver(socket, Buffer.alloc(65_536, 'x'));
    },
  },
  {
    name: 'announces a negative length',
    greets: (socket, question) => socket.write(reply(question, BSON.serialize(hello), -1)),
  },
  {
    name: 'announces a length of zero',
    greets: (socket, question) => socket.write(reply(question, BSON.serialize(hello), 0)),
  },
  {
    name: 'answers another question',
    greets: (socket, question) => socket.write(reply({ ...question, id: 77 }, BSON.serialize(hello))),
  },
  {
    name: 'greets with a broken document',
    greets: (socket, question) => socket.write(reply(question, Buffer.from([0xff, 0xff, 0xff, 0x7f, 0]))),
  },
  {
    name: 'greets with 5,000 nested documents',
    greets: (socket, question) => socket.write(reply(question, nested(5_000))),
  },
  { name: 'is of a future version', greets: says({ minWireVersion: 1_000, maxWireVersion: 2_000 }) },
  {
    name: 'has text instead of numbers',
    greets: says({ maxWireVersion: 'x'.repeat(10_000), ok: 'yes', maxBsonObjectSize: null }),
  },
  {
    name: 'names a set of 16 MB',
    greets: says({ setName: 'x'.repeat(15 * mebibyte), hosts: ['127.0.0.1:1'], secondary: false }),
  },
  {
    name: 'names 100,000 other members',
    greets: says({
      setName: 'rs',
      hosts: Array.from({ length: 100_000 }, (_, index) => `h${index}.invalid:1`),
      secondary: false,
    }),
  },
  {
    name: 'names a metadata service as a member',
    greets: says({ setName: 'rs', hosts: ['169.254.169.254:80'], secondary: false }),
  },
  { name: 'offers a compression that nobody knows', greets: says({ compression: ['snappy', 'zstd', '\u202e\u0000'] }) },
  { name: 'fails with a message of 10 MB', answers: says({ ok: 0, code: 18, errmsg: 'x'.repeat(10 * mebibyte) }) },
  { name: 'fails with control characters', answers: says({ ok: 0, code: 18, errmsg: '\u202e\u0007\u001b[31m' }) },
  {
    name: 'asks for a password with two billion rounds',
    answers: says({
      conversationId: 1,
      done: false,
      payload: new BSON.Binary(Buffer.from('r=x,s=c2FsdA==,i=2000000000')),
    }),
  },
  {
    name: 'has an empty challenge',
    answers: says({ conversationId: 1, done: false, payload: new BSON.Binary(Buffer.alloc(0)) }),
  },
  { name: 'accepts every question without an answer', answers: says({}) },
  { name: 'falls silent', answers: () => undefined },
  {
    name: 'closes in the middle of an answer',
    answers: (socket, question) => socket.end(reply(question, BSON.serialize(hello)).subarray(0, 40)),
  },
  {
    name: 'answers endlessly',
    answers: (socket, question) => forEver(socket, reply(question, BSON.serialize({ ok: 1, x: 'x'.repeat(mebibyte) }))),
  },
  { name: 'answers with random bytes', answers: (socket) => socket.write(randomBytes(65_536)) },
];

export function startHostileMongodb({ greets, answers }: MongodbBehaviour): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    let isGreeted = false;
    socket.on('data', (data) => {
      if (data.length < 16) return;
      const question = { id: data.readInt32LE(4), kind: data.readInt32LE(12) };
      const answer = isGreeted ? (answers ?? refuse) : (greets ?? says({}));
      isGreeted = true;
      answer(socket, question);
    });
  });
  return listening(server, sockets);
}

const refuse = says({ ok: 0, code: 18, errmsg: 'This server knows nobody.' });
