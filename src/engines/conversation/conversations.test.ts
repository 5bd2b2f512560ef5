import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { descendantsOf } from '../../../test/fixtures/processes/childProcesses.js';
import { until } from '../../../test/fixtures/until.js';
import {
  errorPacket,
  greeting,
  okPacket,
  oneColumn,
  withHeaders,
} from '../../../test/fixtures/servers/mariadbPackets.js';
import { findProgram } from '../process/programs.js';
import { compiledModule } from './compiledModule.js';
import { createConversations, type Conversations } from './conversations.js';

const driver = new URL('../mariadb/mariadbDriver.js', import.meta.url);
const login = { host: '127.0.0.1', user: 'u', password: 'p', tls: null };
const limits = { signal: new AbortController().signal, timeoutMs: 20_000, maxBytes: 1024 * 1024 };

/**
 * Answers `who` with its own word, `error` with an error, and `many` with 3,000 long rows. Does not answer other requests.
 */
let server: Server;
let port: number;
const sockets = new Set<Socket>();
let conversations: Conversations;

beforeAll(async () => {
  let accepted = 0;
  server = createServer((socket) => {
    const number = (accepted += 1);
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write(withHeaders(0, greeting('10.11.6-MariaDB')));
    let loggedIn = false;
    socket.on('data', (data) => {
      const question = data.subarray(5).toString('latin1');
      if (!loggedIn) socket.write(withHeaders(2, okPacket));
      else if (question === 'who') socket.write(withHeaders(1, ...oneColumn('n', [`connection ${number}`])));
      else if (question === 'many')
        socket.write(withHeaders(1, ...oneColumn('n', Array<string>(3_000).fill('x'.repeat(2_000)))));
      else if (question === 'error') socket.write(withHeaders(1, errorPacket(1146, '#42S02No such table')));
      loggedIn = true;
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterEach(async () => {
  await conversations.close();
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, 'close');
});

const open = async (key = 'a') => {
  const line = await conversations.connect(key, '127.0.0.1', port, limits);
  await line.logIn(login, limits);
  return line;
};
const children = () => descendantsOf(process.pid).filter(({ name }) => name === 'node');

test('lines of one login share a process, others have their own, and each line gets its own answers', async () => {
  conversations = createConversations(driver);
  // Processes of earlier tests may still be ending.
  const before = new Set(children().map(({ pid }) => pid));
  const added = () => children().filter(({ pid }) => !before.has(pid));
  const lines = [await open('a'), await open('a'), await open('b')];
  expect(added()).toHaveLength(2);
  const answers = await Promise.all(lines.map((line) => line.ask('who', [], limits)));
  expect(new Set(answers.map(([row]) => row?.['n'])).size).toBe(3);
  for (const line of lines) line.close();
  await until(() => added().length === 0, 'the processes end');
});

test('a question whose line is closed fails at once, also if another line keeps the process', async () => {
  conversations = createConversations(driver);
  const [closed, other] = [await open(), await open()];
  const began = performance.now();
  const pending = closed.ask('nothing', [], limits);
  closed.close();
  await expect(pending).rejects.toMatchObject({ name: 'ConversationError' });
  expect(performance.now() - began).toBeLessThan(limits.timeoutMs / 2);
  expect(await other.ask('who', [], limits)).toHaveLength(1);
});

test('an error of the server keeps the line open, and an exceeded limit closes it', async () => {
  conversations = createConversations(driver);
  const line = await open();
  await expect(line.ask('error', [], limits)).rejects.toMatchObject({ errno: 1146 });
  expect(await line.ask('who', [], limits)).toHaveLength(1);
  await expect(line.ask('who', [], { ...limits, maxBytes: 10 })).rejects.toMatchObject({ code: 'ANSWER_TOO_LONG' });
  await expect(line.ask('who', [], limits)).rejects.toMatchObject({ name: 'ConversationError' });
});

test('a line with a ceiling refuses a larger answer, whatever its question allows', async () => {
  conversations = createConversations(driver);
  const line = await conversations.connect('a', '127.0.0.1', port, { ...limits, mostAnswerBytes: 10 });
  await line.logIn(login, limits);
  await expect(line.ask('who', [], limits)).rejects.toMatchObject({ code: 'ANSWER_TOO_LONG' });
});

test('a long answer lets the event loop turn between its batches', async () => {
  conversations = createConversations(driver);
  const line = await open();
  let turn = 0;
  let ended = false;
  const count = () => {
    turn += 1;
    if (!ended) setImmediate(count);
  };
  count();
  const batchesByTurn = new Map<number, number>();
  const onRows = () => batchesByTurn.set(turn, (batchesByTurn.get(turn) ?? 0) + 1);
  await line.ask('many', [], { ...limits, maxBytes: 1024 ** 3, onRows });
  ended = true;
  // A batch is longer than a chunk, except the last one.
  expect(Math.max(...batchesByTurn.values())).toBeLessThanOrEqual(2);
});

test('an error of the code that receives the rows fails only its own question, unchanged', async () => {
  conversations = createConversations(driver);
  const [line, other] = [await open(), await open()];
  const defect = new TypeError('a defect');
  const onRows = () => {
    throw defect;
  };
  await expect(line.ask('who', [], { ...limits, onRows })).rejects.toBe(defect);
  expect(await other.ask('who', [], limits)).toHaveLength(1);
});

test('a killed process fails its questions, and the next line gets a new process', async () => {
  conversations = createConversations(driver);
  const before = new Set(children().map(({ pid }) => pid));
  const line = await open();
  const pending = line.ask('nothing', [], limits);
  for (const { pid } of children()) if (!before.has(pid)) process.kill(pid, 'SIGKILL');
  await expect(pending).rejects.toMatchObject({ code: 'CONVERSATION_ENDED' });
  line.close();
  const next = await open();
  expect(await next.ask('who', [], limits)).toHaveLength(1);
});

test('without a free descriptor no process starts, and no exception is unhandled', async () => {
  conversations = createConversations(driver);
  const prlimit = findProgram('prlimit');
  if (prlimit === undefined) return;
  const program = `
    import { openSync } from 'node:fs';
    const { createConversations } = await import(process.argv[1]);
    const spent = [];
    try { for (;;) spent.push(openSync('/dev/null')); } catch {}
    const conversations = createConversations(new URL(process.argv[2]), { keepsSpare: true });
    const signal = AbortSignal.timeout(5_000);
    const why = await conversations.connect('a', '127.0.0.1', 1, { signal, timeoutMs: 5_000 }).catch((error) => error);
    console.log(why.code ?? why.message);
    process.exit(0);`;
  const { stdout } = await promisify(execFile)(prlimit, [
    ...['--nofile=60', '--', process.execPath, '--input-type=module', '-e', program],
    ...[compiledModule(new URL('./conversations.js', import.meta.url)), compiledModule(driver)],
  ]);
  expect(stdout.trim()).toBe('CONVERSATION_ENDED');
});
