/**
 * Another client of the API, in a separate process: `pinger.ts <url> <token>`. It repeatedly sends a small query over
 * one HTTP connection and one WebSocket. At each line of standard input it prints the longest time since the line
 * before, in milliseconds, and the number of answers. It ends with its input.
 */
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';

const [url = '', token = ''] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const body = JSON.stringify({ query: '{ me { subject } }' });
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
const ended = new AbortController();
const begun = new Map<object, number>();
let times: number[] = [];

async function pingForever(ping: () => Promise<void>): Promise<void> {
  while (!ended.signal.aborted) {
    const beganAt = performance.now();
    begun.set(ping, beganAt);
    await ping();
    begun.delete(ping);
    times.push(performance.now() - beganAt);
    await pause(10);
  }
}

function overHttp(): Promise<void> {
  return new Promise((resolve, reject) => {
    const post = request(`${url}/graphql`, { method: 'POST', headers, agent }, (response) => {
      response.resume().once('end', resolve).once('error', reject);
      if (response.statusCode !== 200) reject(new Error(`The ping was answered with ${response.statusCode}.`));
    });
    post.once('error', reject).end(body);
  });
}

const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: token } }));
await new Promise((resolve) => socket.once('message', resolve));

async function overSocket(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('message', () => resolve());
    socket.once('close', (code) => reject(new Error(`The socket was closed with ${code}.`)));
    socket.send(JSON.stringify({ type: 'ping' }));
  });
  socket.removeAllListeners('close');
}

const pinging = [pingForever(overHttp), pingForever(overSocket)];
process.stdout.write('ready\n');
for await (const _line of createInterface({ input: process.stdin })) {
  // A ping that is not answered yet counts too.
  const all = [...times, ...[...begun.values()].map((beganAt) => performance.now() - beganAt)];
  const sorted = all.toSorted((one, two) => one - two);
  const p99Ms = sorted[Math.floor(sorted.length * 0.99)] ?? 0;
  process.stdout.write(`${JSON.stringify({ longestMs: sorted.at(-1) ?? 0, p99Ms, answers: times.length })}\n`);
  times = [];
}
ended.abort();
await Promise.all(pinging);
socket.close();
agent.destroy();
