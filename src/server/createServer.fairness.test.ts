import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import { otherToken, startTinyApi, token, type TinyApi } from '../../test/fixtures/api/tinyApi.js';
import { until } from '../../test/fixtures/until.js';
import type { ServerLimits } from './createServer.js';

let api: TinyApi;
const requests: ClientRequest[] = [];

async function start(limits: Partial<ServerLimits> = {}): Promise<void> {
  api = await startTinyApi({ graceMs: 500, ...limits });
}
afterEach(async () => {
  for (const open of api.harbour.atGate.splice(0)) open();
  for (const each of requests.splice(0)) each.destroy();
  await api.server.close();
});

async function post(query: string, as = token) {
  const response = await fetch(`${api.server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${as}` },
    body: JSON.stringify({ query }),
  });
  const answer = (await response.json()) as { data?: unknown; errors?: { extensions: { code: string } }[] };
  return { status: response.status, retryAfter: response.headers.get('retry-after'), ...answer };
}

const atGate = (count: number) => until(() => api.harbour.atGate.length === count, `${count} queries wait at the gate`);

test('a viewer gets six answers at the same time: further queries wait, and other viewers do not', async () => {
  await start({ requestWaitMs: 60_000 });
  const slow = Array.from({ length: 6 }, () => post('{ gate { id } }'));
  await atGate(6);
  let isAnswered = false;
  const seventh = post('{ hello }').finally(() => (isAnswered = true));
  expect((await post('{ hello }', otherToken)).status).toBe(200);
  expect((await post('mutation { enter(input: { id: "a" }) }')).status).toBe(200);
  expect(isAnswered).toBe(false);
  api.harbour.atGate.shift()?.();
  expect((await seventh).data).toEqual({ hello: 'Hello world' });
  for (const open of api.harbour.atGate.splice(0)) open();
  expect((await Promise.all(slow)).map(({ status }) => status)).toEqual(Array(6).fill(200));
});

test('a query that waits too long for others of its viewer is answered with 429 and UNAVAILABLE', async () => {
  await start({ requestWaitMs: 1 });
  const slow = Array.from({ length: 6 }, () => post('{ gate { id } }'));
  await atGate(6);
  const refused = await post('{ hello }');
  expect(refused).toMatchObject({ status: 429, retryAfter: '1', errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
  for (const open of api.harbour.atGate.splice(0)) open();
  await Promise.all(slow);
  expect((await post('{ hello }')).status).toBe(200);
});

test('too many bodies of one viewer are refused before they are read, and other viewers are answered', async () => {
  await start();
  const answers: Promise<IncomingMessage>[] = [];
  for (let count = 0; count < 17; count += 1) {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': 1_000_000,
    };
    const each = request(`${api.server.url}/graphql`, { method: 'POST', headers, agent: false });
    each.on('error', () => undefined);
    requests.push(each);
    answers.push(once(each, 'response').then(([response]) => response as IncomingMessage));
    each.flushHeaders();
  }
  const refused = await Promise.race(answers);
  expect(refused.statusCode).toBe(429);
  expect(refused.headers['retry-after']).toBe('1');
  expect((await post('{ hello }', otherToken)).status).toBe(200);
});
