import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { AttemptCount, type StrangersGround } from '../stranger.js';
import { memoryOf } from '../watch.js';

/** The maximum increase of the process's memory, and how many of the connections may stay open. */
const mostBytes = 40 * 1024 * 1024;
const mostOpen = 1_000;

const head = 'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

/** What each connection sends, and what it sends again and again after that. */
const kinds: readonly { readonly first: string; readonly then?: string }[] = [
  { first: '' },
  { first: head, then: 'X-Slow: x\r\n' },
  { first: `${head}Content-Length: 100000\r\n\r\n{`, then: ' ' },
  { first: `${head}Authorization: Bearer wrong\r\nContent-Length: 100000\r\n\r\n{`, then: ' ' },
  { first: 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' },
  { first: `${head}Transfer-Encoding: chunked\r\n\r\n`, then: '1\r\n{\r\n' },
];

/** From ten addresses of this machine, without a token. */
export async function plainConnections(ground: StrangersGround): Promise<AttemptCount> {
  const count = new AttemptCount();
  const before = memoryOf(ground.pid, 'VmRSS');
  const { hostname: host, port } = new URL(ground.url);
  const sockets: Socket[] = [];
  for (let number = 0; number < (ground.all ? 2_400 : 240); number += 1) {
    count.attempts += 1;
    const socket = connect({ host, port: Number(port), localAddress: `127.0.1.${1 + (number % 10)}` });
    socket.on('error', () => undefined).once('close', () => count.refused('closed'));
    socket.resume();
    await once(socket, 'connect');
    socket.write(kinds[number % kinds.length]?.first ?? '');
    sockets.push(socket);
  }
  // Long enough for the time limit of a head.
  for (let second = 0; second < (ground.all ? 15 : 2); second += 1) {
    for (const [number, socket] of sockets.entries()) {
      const { then } = kinds[number % kinds.length] ?? {};
      if (then !== undefined && !socket.destroyed) socket.write(then);
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  const open = sockets.filter((socket) => !socket.destroyed).length;
  if (open > mostOpen) count.problems.push(`${open} connections without a sign-in were open.`);
  const added = memoryOf(ground.pid, 'VmRSS') - before;
  if (added > mostBytes) count.problems.push(`The connections took ${Math.round(added / 1024 / 1024)} MB.`);
  for (const socket of sockets) socket.destroy();
  return count;
}
