import { createServer, type Socket } from 'node:net';
import { dribble, forEver, mebibyte, randomBytes } from './endlessly.js';
import { listening, type HostileServer } from './hostileServer.js';

/** The behaviour towards one connection, after the client's first message. */
export type PostgresqlBehaviour = {
  readonly name: string;
  /** Called instead of accepting the login. */
  readonly greets?: (socket: Socket) => void;
  /** Called instead of answering a question with an error. */
  readonly answers?: (socket: Socket) => void;
};

/** A message of PostgreSQL's protocol: its type, its length and its content. */
function message(type: string, content: Buffer | string = '', announced?: number): Buffer {
  const bytes = Buffer.from(content);
  const head = Buffer.alloc(5, type, 'latin1');
  head.writeInt32BE(announced ?? bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

const number = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const short = (value: number) => number(value).subarray(2);
const parameter = (name: string, value: string) => message('S', `${name}\0${value}\0`);
const error = (text: string, code = '28000') => message('E', `SERROR\0C${code}\0M${text}\0\0`);
const isReady = message('Z', 'I');
/** The login is accepted. */
const accepted = (version: string) =>
  Buffer.concat([
    message('R', number(0)),
    parameter('server_version', version),
    message('K', Buffer.alloc(8)),
    isReady,
  ]);
const column = (name: string) =>
  Buffer.concat([Buffer.from(`${name}\0`), Buffer.alloc(6), number(25), Buffer.alloc(8)]);
const columns = (count: number) =>
  message('T', Buffer.concat([short(count), ...Array.from({ length: count }, () => column('version'))]));
const row = (value: string) => message('D', Buffer.concat([short(1), number(value.length), Buffer.from(value)]));
/** The answers to Parse and Bind come before the columns. */
const begun = Buffer.concat([message('1'), message('2')]);

export const postgresqlBehaviours: readonly PostgresqlBehaviour[] = [
  { name: 'closes at once', greets: (socket) => socket.end() },
  { name: 'never answers', greets: () => undefined },
  { name: 'greets with random bytes', greets: (socket) => socket.write(randomBytes(4_096)) },
  { name: 'greets with endless zeros', greets: (socket) => forEver(socket, Buffer.alloc(65_536)) },
  { name: 'sends one byte a second', greets: (socket) => dribble(socket, accepted('15.4')) },
  {
    name: 'announces a message of 2 GB',
    greets: (socket) => forEver(socket, message('R', 'x'.repeat(65_536), 0x7fffffff)),
  },
  { name: 'announces a message of a negative length', greets: (socket) => socket.write(message('R', number(0), -5)) },
  { name: 'announces a message of length zero', greets: (socket) => socket.write(message('R', number(0), 0)) },
  { name: 'asks for an unknown kind of login', greets: (socket) => socket.write(message('R', number(99))) },
  {
    name: 'asks for a password with two billion rounds',
    greets: (socket) => {
      socket.write(message('R', Buffer.concat([number(10), Buffer.from('SCRAM-SHA-256\0\0')])));
      socket.once('data', (data) => {
        const nonce = /r=([^,\0]+)/.exec(data.toString('latin1'))?.[1] ?? '';
        const challenge = `r=${nonce}server,s=${Buffer.from('salt').toString('base64')},i=2000000000`;
        socket.write(message('R', Buffer.concat([number(11), Buffer.from(challenge)])));
      });
    },
  },
  {
    name: 'refuses the login with a message of 10 MB',
    greets: (socket) => socket.write(error('x'.repeat(10 * mebibyte))),
  },
  { name: 'refuses the login without an end of the text', greets: (socket) => socket.write(message('E', 'SERROR')) },
  {
    name: 'sends endless notices before the login',
    greets: (socket) => forEver(socket, message('N', 'SNOTICE\0Mx\0\0')),
  },
  { name: 'sends endless parameters', greets: (socket) => forEver(socket, parameter('a', 'x'.repeat(1_000))) },
  {
    name: 'greets with a version of 10 MB',
    greets: (socket) => socket.write(accepted(`15.${'4'.repeat(10 * mebibyte)}`)),
  },
  {
    name: 'greets with a version with control characters',
    greets: (socket) => socket.write(accepted('15.4\u202e\u0007\u001b[31m')),
  },
  {
    name: 'sends a row while no question waits',
    greets: (socket) => socket.write(Buffer.concat([accepted('15.4'), row('x')])),
  },
  {
    name: 'sends an error while no question waits',
    greets: (socket) => socket.write(Buffer.concat([accepted('15.4'), error('x', '57P01')])),
  },
  {
    name: 'fails with a message of 10 MB',
    answers: (socket) => socket.write(error('x'.repeat(10 * mebibyte), '42000')),
  },
  { name: 'falls silent', answers: () => undefined },
  { name: 'closes in the middle of an answer', answers: (socket) => socket.end(begun) },
  { name: 'sends endless rows', answers: (socket) => endlessRows(socket, 'x', 1_000) },
  { name: 'sends endless long rows', answers: (socket) => endlessRows(socket, 'x'.repeat(mebibyte), 1) },
  {
    name: 'announces 30,000 columns',
    answers: (socket) =>
      socket.write(Buffer.concat([begun, columns(30_000), row('x'), message('C', 'SELECT 1\0'), isReady])),
  },
  {
    name: 'sends a row with more values than columns',
    answers: (socket) => socket.write(Buffer.concat([begun, columns(1), message('D', short(20_000))])),
  },
  { name: 'repeatedly reports that it is ready', answers: (socket) => forEver(socket, isReady) },
  { name: 'asks for a copy of data', answers: (socket) => socket.write(message('G', Buffer.from([0, 0, 0]))) },
  { name: 'answers with random bytes', answers: (socket) => socket.write(randomBytes(65_536)) },
];

function endlessRows(socket: Socket, value: string, atOnce: number): void {
  socket.write(Buffer.concat([begun, columns(1)]));
  forEver(socket, Buffer.concat(Array.from({ length: atOnce }, () => row(value))));
}

/** Does not offer TLS. */
export function startHostilePostgresql({ greets, answers }: PostgresqlBehaviour): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    let isGreeted = false;
    socket.on('data', (data) => {
      const asksForTls = data.length === 8 && data.readInt32BE(4) === 80_877_103;
      if (asksForTls) socket.write('N');
      else if (isGreeted) (answers ?? refuse)(socket);
      else {
        isGreeted = true;
        if (greets === undefined) socket.write(accepted('15.4'));
        else greets(socket);
      }
    });
  });
  return listening(server, sockets);
}

function refuse(socket: Socket): void {
  socket.write(Buffer.concat([error('This server knows nothing.', '42000'), isReady]));
}
