import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { loads, otherToken, startTinyApi, token, type TinyApi } from '../../test/fixtures/api/tinyApi.js';
import type { ServerLimits } from './createServer.js';

let api: TinyApi;
const sockets: WebSocket[] = [];
const streams: Socket[] = [];

async function start(limits: Partial<ServerLimits>): Promise<void> {
  api = await startTinyApi({ graceMs: 500, ...limits });
}
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  for (const stream of streams.splice(0)) stream.destroy();
  await api.server.close();
});

/** An answer that contains this value counts as large. */
const name = 'x'.repeat(300_000);

type Message = { readonly id?: string; readonly type: string };

function open(localAddress = '127.0.0.1') {
  const url = `${api.server.url.replace('http', 'ws')}/graphql`;
  const socket = new WebSocket(url, 'graphql-transport-ws', { localAddress });
  sockets.push(socket);
  const messages: Message[] = [];
  socket.on('message', (data: Buffer) => void messages.push(JSON.parse(data.toString()) as Message));
  const opened = new Promise<string>((resolve) => {
    socket.once('open', () => resolve('open'));
    socket.once('error', (error) => resolve(error.message));
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const send = (message: object) => socket.send(JSON.stringify(message));
  const until = async (test: (all: readonly Message[]) => boolean) => {
    while (!test(messages)) await once(socket, 'message');
  };
  return { socket, messages, opened, closed, send, until };
}

/** A socket that has signed in. Rejects with the close code if it is refused. */
async function signedIn(as = token) {
  const one = open();
  expect(await one.opened).toBe('open');
  one.send({ type: 'connection_init', payload: { authorization: as } });
  await Promise.race([
    one.until((messages) => messages.length > 0),
    one.closed.then((code) => Promise.reject(new Error(`closed with ${code}`))),
  ]);
  return one;
}

/** Waits until the server has processed what was sent to it before. */
async function roundTrips(count: number): Promise<void> {
  for (let trip = 0; trip < count; trip += 1) {
    const response = await fetch(`${api.server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${otherToken}` },
      body: JSON.stringify({ query: '{ hello }' }),
    });
    expect(response.status).toBe(200);
    await response.text();
  }
}

describe('before sign-in', () => {
  test('an incomplete frame of a megabyte is not buffered: the socket is closed with 1009', async () => {
    await start({ connectionInitMs: 60_000 });
    const { hostname, port } = new URL(api.server.url);
    const stream = connect(Number(port), hostname);
    streams.push(stream);
    stream.write(
      'GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
    );
    const received: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => received.push(chunk));
    await once(stream, 'data');
    // A masked text frame of 1,000,000 bytes, and its first 20,000.
    const header = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 1, 2, 3, 4]);
    stream.write(Buffer.concat([header, Buffer.alloc(20_000)]));
    await once(stream, 'close');
    const closing = Buffer.concat(received).indexOf(Buffer.from([0x03, 0xf1]));
    expect(closing).toBeGreaterThan(0);
  });

  test('a connection_init of 6 kB is accepted, and frames of a megabyte after it', async () => {
    await start({});
    const one = open();
    await one.opened;
    one.send({ type: 'connection_init', payload: { authorization: token, note: 'x'.repeat(6_000) } });
    await one.until((messages) => messages.length === 1);
    const variables = { unused: 'x'.repeat(1_000_000) };
    one.send({ id: '1', type: 'subscribe', payload: { query: '{ hello }', variables } });
    await one.until((messages) => messages.some(({ type }) => type === 'complete'));
  });

  test('the number of sockets before sign-in is limited, in total and for each address', async () => {
    await start({ connectionInitMs: 60_000, pendingSockets: 3, pendingSocketsOfAddress: 2 });
    const [first, second] = [open(), open()];
    expect([await first.opened, await second.opened]).toEqual(['open', 'open']);
    expect(await open().opened).toContain('503');
    expect(await open('127.0.0.2').opened).toBe('open');
    expect(await open('127.0.0.3').opened).toContain('503');
    first.send({ type: 'connection_init', payload: { authorization: token } });
    await first.until((messages) => messages.length === 1);
    expect(await open().opened).toBe('open');
    second.socket.close();
    await second.closed;
    await roundTrips(1);
    expect(await open().opened).toBe('open');
    const metric = await api.registry.getSingleMetric('stowage_websockets_refused_total')?.get();
    expect(metric?.values).toContainEqual(expect.objectContaining({ value: 2, labels: { reason: 'before_sign_in' } }));
  });
});

describe('after sign-in', () => {
  test('the incomplete messages of a viewer are limited: a further one is closed with 1013, and others may send', async () => {
    await start({});
    const all = [];
    for (let count = 0; count < 18; count += 1) {
      const one = await signedIn();
      all.push(one);
      one.socket.send('x'.repeat(1_000_000), { fin: false });
    }
    expect(await Promise.race(all.map(({ closed }) => closed))).toBe(1013);
    const other = await signedIn(otherToken);
    other.send({
      id: '1',
      type: 'subscribe',
      payload: { query: '{ hello }', variables: { unused: 'x'.repeat(900_000) } },
    });
    await other.until((messages) => messages.some(({ type }) => type === 'complete'));
  });

  test('a message in many small parts is closed with 1009', async () => {
    await start({ maxMessageBytes: 4_096 });
    const one = await signedIn();
    let sent = 0;
    while (one.socket.readyState === one.socket.OPEN) {
      one.socket.send('x', { fin: false });
      sent += 1;
      // The answer shows that the server has received the part, so that the next one comes in another chunk.
      await roundTrips(1);
    }
    expect(await one.closed).toBe(1009);
    expect(sent).toBeLessThan(100);
  });

  test('a viewer may have 32 sockets: the next is closed with 1013, and another viewer has its own 32', async () => {
    await start({ socketsOfViewer: 32 });
    const all = [];
    for (let count = 0; count < 32; count += 1) all.push(await signedIn());
    await expect(signedIn()).rejects.toThrow('closed with 1013');
    await signedIn(otherToken);
    all[0]?.socket.close();
    await all[0]?.closed;
    await roundTrips(1);
    await signedIn();
  });

  test('a flood of operations is executed slowly: no operation is refused, and other clients do not wait', async () => {
    await start({ operationsPerSecond: 20, messagesPerSecond: 50 });
    const flood = await signedIn();
    for (let id = 0; id < 80; id += 1) {
      flood.send({ id: String(id), type: 'subscribe', payload: { query: '{ hello }' } });
      flood.send({ id: String(id), type: 'complete' });
    }
    flood.send({ type: 'ping' });
    const order: string[] = [];
    const flooded = flood
      .until((messages) => messages.some(({ type }) => type === 'pong'))
      .then(() => order.push('flood'));
    await roundTrips(50);
    order.push('others');
    await flooded;
    expect(order).toEqual(['others', 'flood']);
    expect(flood.messages.filter(({ type }) => type === 'error')).toEqual([]);
  });

  test('large answers also free their room when the client gives their id to another operation', async () => {
    await start({});
    const client = await signedIn();
    const large = {
      query: 'query ($name: String!) { hello(name: $name) gate { convoy { id } } }',
      variables: { name },
    };
    for (let count = 1; count <= 2; count += 1) {
      client.send({ id: 'same', type: 'subscribe', payload: large });
      while (api.harbour.atGate.length < count) await roundTrips(1);
      client.send({ id: 'same', type: 'complete' });
    }
    client.send({ id: 'same', type: 'subscribe', payload: { query: '{ hello }' } });
    await client.until((messages) => messages.some(({ type }) => type === 'complete'));
    for (const goOn of api.harbour.atGate.splice(0)) goOn();

    client.send({ id: 'next', type: 'subscribe', payload: large });
    while (api.harbour.atGate.length < 1) await roundTrips(1);
    api.harbour.atGate[0]?.();
    await client.until((messages) => messages.some(({ id, type }) => id === 'next' && type === 'complete'));
  });

  test('a closed socket ends every subscription, also a subscription with the id of an operation that still runs', async () => {
    await start({});
    const client = await signedIn();
    client.send({ id: 'same', type: 'subscribe', payload: { query: '{ gate { id } }' } });
    while (api.harbour.atGate.length < 1) await roundTrips(1);
    client.send({ id: 'same', type: 'complete' });
    client.send({ id: 'same', type: 'subscribe', payload: { query: 'subscription { shipChanges { id } }' } });
    while (api.harbour.mailboxes.size < 1) await roundTrips(1);
    api.harbour.atGate[0]?.();
    await client.until((messages) => messages.some(({ type }) => type === 'complete'));
    client.socket.close();
    await client.closed;
    await roundTrips(10);
    expect(api.harbour.mailboxes.size).toBe(0);
  });

  test('a socket runs at most 100 operations at once, even if it reuses their ids', async () => {
    await start({ operationsPerSecond: 1_000, messagesPerSecond: 1_000 });
    const client = await signedIn();
    for (let count = 1; count <= 100; count += 1) {
      client.send({ id: 'same', type: 'subscribe', payload: { query: '{ gate { id } }' } });
      client.send({ id: 'same', type: 'complete' });
    }
    while (api.harbour.atGate.length < 4) await roundTrips(1);
    await roundTrips(50);
    client.send({ id: 'next', type: 'subscribe', payload: { query: '{ hello }' } });
    await client.until((messages) => messages.some(({ id }) => id === 'next'));
    expect(client.messages.at(-1)).toMatchObject({ id: 'next', type: 'error' });
  });

  test('a client that answers pings stays connected while another client of its viewer does not read', async () => {
    await start({ queuedBytesOfViewer: 1_000_000, pingMs: 400 });
    const healthy = await signedIn();
    const variables = { name: 'x'.repeat(900_000) };
    const query =
      'query ($name: String!) { a: hello(name: $name) b: hello(name: $name) c: hello(name: $name) d: hello(name: $name) }';
    const body = JSON.stringify({ query, variables });
    const { hostname, port } = new URL(api.server.url);
    const stuck = [1, 2, 3].map(() => {
      const stream = connect(Number(port), hostname);
      stream.pause();
      const request =
        `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`;
      stream.write(request.repeat(5));
      streams.push(stream);
      return stream;
    });
    await sleep(500);
    healthy.send({ type: 'ping' });
    const closed = await Promise.race([healthy.closed, sleep(2_000, 'open')]);
    expect(closed).toBe('open');
    for (const stream of stuck) stream.destroy();
    await healthy.until((messages) => messages.some(({ type }) => type === 'pong'));
  });

  test('no answers are produced for a client that does not read, even if it has many subscriptions', async () => {
    await start({ operationsPerSecond: 1_000, messagesPerSecond: 1_000 });
    const slow = await signedIn();
    for (let id = 0; id < 100; id += 1) {
      slow.send({ id: String(id), type: 'subscribe', payload: { query: 'subscription { shipChanges { id cargo } }' } });
    }
    while (api.harbour.mailboxes.size < 100) await roundTrips(1);
    loads.count = 0;
    slow.socket.pause();
    api.harbour.put({ id: 'a', version: 1, cargo: 'x'.repeat(300_000) });
    for (let before = -1; before < loads.count;) {
      before = loads.count;
      await roundTrips(50);
    }
    // The network takes some megabytes of the 30.
    expect(loads.count).toBeLessThan(60);
    slow.socket.resume();
    await slow.until((messages) => messages.filter(({ type }) => type === 'next').length === 100);
    expect(loads.count).toBe(100);
  });
});

test('an open connection keeps no memory of the long answers that it has sent', async () => {
  await start({});
  const listeners: number[] = [];
  const count = (message: unknown) =>
    listeners.push((message as { readonly socket: Socket }).socket.listenerCount('timeout'));
  subscribe('http.server.request.start', count);
  try {
    for (let time = 0; time < 3; time += 1) {
      const response = await fetch(`${api.server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query: 'query ($name: String!) { hello(name: $name) }', variables: { name } }),
      });
      expect((await response.text()).length).toBeGreaterThan(name.length);
    }
  } finally {
    unsubscribe('http.server.request.start', count);
  }
  expect(new Set(listeners).size).toBe(1);
});

describe('too many requests in a minute', () => {
  const post = (as: string) =>
    fetch(`${api.server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${as}` },
      body: JSON.stringify({ query: '{ hello }' }),
    });

  test('get 429 with Retry-After, by viewer and by address, and the installation-level token has only the second limit', async () => {
    await start({ requestsOfViewer: 2, requestsOfAddress: 5 });
    const first = await post(otherToken);
    expect(first.headers.get('ratelimit-policy')).toBe('"viewer";q=2;w=60, "address";q=5;w=60');
    expect(first.headers.get('ratelimit')).toMatch(/^"viewer";r=1;t=30, "address";r=4;t=1[12]$/);
    expect((await post(otherToken)).status).toBe(200);
    const refused = await post(otherToken);
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, expect.any(Number)]);
    expect(await refused.json()).toMatchObject({
      errors: [
        { message: 'This caller has sent more than 2 requests in a minute.', extensions: { code: 'UNAVAILABLE' } },
      ],
    });
    const statuses: number[] = [];
    for (let sent = 0; sent < 3; sent += 1) statuses.push((await post(token)).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  test.each(['/playground/', '/metrics', '/no-such-page', '/graphql/elsewhere'])(
    'include requests for the page %s, and the probes go on',
    async (path) => {
      await start({ requestsOfAddress: 2 });
      const page = (of: string) => fetch(`${api.server.url}${of}`, { redirect: 'manual' });
      expect((await page(path)).headers.get('ratelimit-policy')).toBe('"address";q=2;w=60');
      await page(path);
      const refused = await page(path);
      expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, expect.any(Number)]);
      expect(await refused.text()).toMatch(/^This address has sent more than 2 requests in a minute\. Wait \d+ s, and/);
      expect((await post(otherToken)).status).toBe(429);
      expect([(await page('/healthz')).status, (await page('/readyz')).status]).toEqual([200, 200]);
    },
  );
});
