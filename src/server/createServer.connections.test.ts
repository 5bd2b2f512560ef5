import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { until } from '../../test/fixtures/until.js';
import { startTinyApi, token, type TinyApi } from '../../test/fixtures/api/tinyApi.js';
import type { ServerLimits } from './createServer.js';

let api: TinyApi;
const streams: Socket[] = [];
const agents: Agent[] = [];

async function start(limits: Partial<ServerLimits>): Promise<void> {
  api = await startTinyApi({ graceMs: 500, ...limits });
}
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.destroy();
  for (const agent of agents.splice(0)) agent.destroy();
  await api.server.close();
});

/** A connection that sends this text and nothing else. `received` resolves with what it got until its end. */
async function open(text: string, localAddress = '127.0.0.1') {
  const { hostname: host, port } = new URL(api.server.url);
  const stream = connect({ host, port: Number(port), localAddress });
  streams.push(stream);
  let answer = '';
  stream.on('data', (chunk: Buffer) => (answer += chunk.toString())).on('error', () => undefined);
  const received = once(stream, 'close').then(() => answer);
  await once(stream, 'connect');
  stream.write(text);
  return { stream, received };
}

const head = 'POST /graphql HTTP/1.1\r\nHost: x\r\n';

/** Posts on a connection that is kept. Resolves with the status. */
function post(agent: Agent): Promise<number | undefined> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const sent = request(`${api.server.url}/graphql`, { method: 'POST', headers, agent }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    sent.once('error', reject).end(JSON.stringify({ query: '{ hello }' }));
  });
}

function keptConnection(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agents.push(agent);
  return agent;
}

const closedConnections = async () =>
  (await api.registry.getSingleMetric('stowage_http_connections_closed_total')?.get())?.values[0]?.value;

test('above the limit the oldest connection without a sign-in is closed, and one with a sign-in stays open', async () => {
  await start({ pendingConnections: 3 });
  const agent = keptConnection();
  expect(await post(agent)).toBe(200);
  const [kept] = Object.values(agent.freeSockets).flat();
  const first = await open('');
  for (const address of ['127.0.0.2', '127.0.0.3', '127.0.0.4']) await open(head, address);
  expect(await first.received).toBe('');
  expect(await closedConnections()).toBe(1);
  expect(await post(agent)).toBe(200);
  expect(Object.values(agent.freeSockets).flat()).toEqual([kept]);
  expect(await post(keptConnection())).toBe(200);
});

test('an address above its limit loses its own oldest connection, and no other address does', async () => {
  await start({ pendingConnectionsOfAddress: 2 });
  const other = await open('', '127.0.0.2');
  const first = await open('');
  await open('');
  await open('');
  await first.received;
  expect(other.stream.closed).toBe(false);
  expect(await closedConnections()).toBe(1);
});

test.each([
  ['the head of a request does not arrive', `${head}X-Slow: `],
  ['nothing arrives', ''],
  ['the body of a request without a token does not arrive', `${head}Content-Length: 1000\r\n\r\n{`],
  [
    'the body of a request with a token does not arrive',
    `${head}Authorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
  ],
])('a connection on which %s is closed', async (_what, text) => {
  await start({ headMs: 100, requestMs: 200 });
  const { received } = await open(text);
  expect(await received).not.toContain('HTTP/1.1 200');
});

test('a viewer with too many connections keeps the first ones, and further ones end after their answer', async () => {
  await start({ connectionsOfViewer: 2 });
  const all = [keptConnection(), keptConnection(), keptConnection()];
  for (const agent of all) expect(await post(agent)).toBe(200);
  const kept = () => all.map((agent) => Object.values(agent.freeSockets).flat().length);
  await until(() => kept().join() === '1,1,0', 'the third connection ends');
  for (const agent of all) expect(await post(agent)).toBe(200);
  all[0]?.destroy();
  await until(async () => {
    await post(all[2] ?? keptConnection());
    return kept().join() === '0,1,1';
  }, 'the third client takes the place of the first');
});
