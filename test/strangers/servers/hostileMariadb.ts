import { createServer, type Socket } from 'node:net';
import {
  columnPacket,
  endPacket,
  errorPacket,
  greeting,
  okPacket,
  oneColumn,
  sized,
  withHeaders,
} from '../../fixtures/servers/mariadbPackets.js';
import { dribble, forEver, mebibyte, randomBytes } from './endlessly.js';
import { listening, type HostileServer } from './hostileServer.js';

/** The behaviour towards one connection. `question` is the text of the client's question, after the login. */
export type Behaviour = {
  readonly name: string;
  /** Called instead of sending the greeting. */
  readonly greets?: (socket: Socket) => void;
  /** Called instead of answering. Undefined: the server answers like an empty MariaDB without variables. */
  readonly answers?: (socket: Socket, question: string) => void;
};

const version = '10.11.6-MariaDB';
/** A complete packet of the maximum length, which the next packet continues. */
const fullPacket = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 1]), Buffer.alloc(0xffffff, 'x')]);
/** A version that contains control characters and changes the direction of text. */
const oddVersion = '10.11.6-MariaDB\u202e\u0007\u001b[31m\u0000gnp.exe';

export const behaviours: readonly Behaviour[] = [
  { name: 'closes at once', greets: (socket) => socket.end() },
  { name: 'greets with an empty packet', greets: (socket) => socket.write(Buffer.from([0, 0, 0, 0])) },
  { name: 'greets with random bytes', greets: (socket) => socket.write(randomBytes(4_096)) },
  { name: 'sends an endless greeting', greets: (socket) => forEver(socket, fullPacket) },
  { name: 'never greets', greets: () => undefined },
  {
    name: 'sends one byte a second',
    greets: (socket) => dribble(socket, withHeaders(0, greeting(version))),
  },
  { name: 'greets with a version of 10 MB', greets: (socket) => greet(socket, `10.11.6-${'x'.repeat(10 * mebibyte)}`) },
  { name: 'greets with an error of 10 MB', greets: greetWithLongError },
  {
    name: 'sends an error of one byte while no question waits',
    answers: (socket) => {
      socket.write(withHeaders(1, okPacket));
      socket.write(withHeaders(0, Buffer.from([0xff])));
    },
  },
  {
    name: 'sends an error of one byte after the login',
    answers: (socket) => socket.write(withHeaders(0, Buffer.from([0xff]))),
  },
  { name: 'answers with an empty packet', answers: (socket) => socket.write(Buffer.from([0, 0, 0, 1])) },
  { name: 'answers with random bytes', answers: (socket) => socket.write(randomBytes(65_536)) },
  { name: 'sends endless rows', answers: (socket) => endlessRows(socket, 'x') },
  { name: 'sends endless long rows', answers: (socket) => endlessRows(socket, 'x'.repeat(mebibyte)) },
  { name: 'sends endless empty rows', answers: (socket) => endlessRows(socket, '') },
  { name: 'sends one endless row', answers: endlessRow },
  { name: 'sends endless sets of rows', answers: endlessSets },
  { name: 'announces a row of 4 GB', answers: hugeValue },
  { name: 'announces 65,535 columns', answers: manyColumns },
  {
    name: 'asks for a local file',
    answers: (socket) => socket.write(withHeaders(1, Buffer.from('\xfb/etc/passwd', 'latin1'))),
  },
  {
    name: 'reports a version of 10 MB',
    answers: (socket, question) => answerVersion(socket, question, `10.11.6-${'x'.repeat(10 * mebibyte)}`),
  },
  {
    name: 'reports a version with control characters',
    answers: (socket, question) => answerVersion(socket, question, oddVersion),
  },
  {
    name: 'fails with a message of 10 MB',
    answers: (socket) => socket.write(withHeaders(1, errorPacket(1045, `#28000${'x'.repeat(10 * mebibyte)}`))),
  },
  { name: 'falls silent', answers: () => undefined },
  { name: 'closes in the middle of an answer', answers: (socket) => socket.end(withHeaders(1, Buffer.from([1]))) },
  {
    name: 'repeatedly reports that the connection is ready',
    answers: (socket) => forEver(socket, withHeaders(1, okPacket)),
  },
];

/** A hostile server of MariaDB's protocol, or of MySQL's with a version of MySQL. */
export async function startHostileMariadb(
  { greets, answers }: Behaviour,
  usualVersion = version,
): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    (greets ?? ((each: Socket) => greet(each, usualVersion)))(socket);
    let loggedIn = false;
    socket.on('data', (data) => {
      const question = data.subarray(5).toString('latin1');
      if (!loggedIn) socket.write(withHeaders(2, okPacket));
      else if (answers !== undefined) answers(socket, question);
      else answerVersion(socket, question, usualVersion);
      loggedIn = true;
    });
  });
  return listening(server, sockets);
}

function greet(socket: Socket, of: string): void {
  socket.write(withHeaders(0, greeting(of)));
}

function greetWithLongError(socket: Socket): void {
  socket.write(withHeaders(0, errorPacket(1040, `#08004${'x'.repeat(10 * mebibyte)}`)));
}

function answerVersion(socket: Socket, question: string, of: string): void {
  if (question.includes('system_variables')) socket.write(withHeaders(1, errorPacket(1109, '#42S02Unknown table')));
  else if (question.includes('VERSION()')) socket.write(withHeaders(1, ...oneColumn('version', [of])));
  else socket.write(withHeaders(1, okPacket));
}

function endlessRows(socket: Socket, value: string): void {
  socket.write(withHeaders(1, Buffer.from([1]), columnPacket('version'), endPacket));
  const row = withHeaders(4, sized(value));
  forEver(socket, value.length > 1_000 ? row : Buffer.concat(Array.from({ length: 1_000 }, () => row)));
}

function endlessRow(socket: Socket): void {
  socket.write(withHeaders(1, Buffer.from([1]), columnPacket('version'), endPacket));
  forEver(socket, fullPacket);
}

function endlessSets(socket: Socket): void {
  // The flag 8 of the end packet: more results follow.
  const more = Buffer.from([0xfe, 0, 0, 10, 0]);
  forEver(socket, withHeaders(1, Buffer.from([1]), columnPacket('version'), endPacket, more));
}

function hugeValue(socket: Socket): void {
  socket.write(withHeaders(1, Buffer.from([1]), columnPacket('version'), endPacket));
  socket.write(withHeaders(4, Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 120])));
}

function manyColumns(socket: Socket): void {
  const column = withHeaders(2, columnPacket('c'));
  socket.write(withHeaders(1, Buffer.from([0xfc, 0xff, 0xff])));
  socket.write(Buffer.concat(Array.from({ length: 65_535 }, () => column)));
  socket.write(withHeaders(2, endPacket, Buffer.alloc(65_535), endPacket));
}
