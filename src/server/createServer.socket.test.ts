import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { loads, startTinyApi, token, type Ship, type TinyApi } from '../../test/fixtures/api/tinyApi.js';

let api: TinyApi;
beforeAll(async () => {
  api = await startTinyApi({ connectionInitMs: 60_000, maxMessageBytes: 20_000 });
});
afterAll(() => api.server.close());

const address = () => `${api.server.url.replace('http', 'ws')}/graphql`;
const password = 'hunter2-correct-horse';

async function withClient<T>(
  use: (client: Client) => Promise<T>,
  authorization: string = `Bearer ${token}`,
): Promise<T> {
  const client = createClient({
    url: address(),
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  try {
    return await use(client);
  } finally {
    await client.dispose();
  }
}

type Result = {
  readonly data?: { readonly shipChanges: Ship };
  readonly errors?: readonly {
    readonly extensions: { readonly code: string; readonly details: { correlationId: string } };
  }[];
};

/** The first `count` results, or all until the end. */
async function results(client: Client, query: string, count = Infinity, variables = {}) {
  const received: Result[] = [];
  for await (const result of client.iterate({ query, variables })) {
    received.push(result as unknown as Result);
    if (received.length >= count) break;
  }
  return received;
}

async function runningSubscriptions(): Promise<number | undefined> {
  const [gauge] = (await api.registry.getSingleMetric('stowage_graphql_subscriptions')?.get())?.values ?? [];
  return gauge?.value;
}

type Message = { readonly id?: string; readonly type: string; readonly payload?: unknown };

/** A raw socket without a client library, and the messages that it received. */
async function rawSocket(init?: object, url = address()) {
  const socket = new WebSocket(url, 'graphql-transport-ws');
  const messages: Message[] = [];
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('message', (data: Buffer) => void messages.push(JSON.parse(data.toString()) as Message));
  const send = (message: object) => socket.send(JSON.stringify(message));
  if (init !== undefined) send({ type: 'connection_init', payload: init });
  return { socket, messages, closed, send };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const limit = Date.now() + 120_000;
  while (!condition()) {
    if (Date.now() > limit) throw new Error(`Waited 2 minutes for ${what}.`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('signing in over WebSocket', () => {
  test.each([`Bearer ${token}`, token])('accepts the token with and without Bearer', async (authorization) => {
    await withClient(async (client) => {
      expect(await results(client, '{ hello }')).toEqual([{ data: { hello: 'Hello world' } }]);
    }, authorization);
  });

  test.each<[string, object, number]>([
    ['no authorization', {}, 4401],
    ['a wrong token', { authorization: 'Bearer nonsense' }, 4403],
  ])('%s closes the socket', async (_name, init, code) => {
    const { closed } = await rawSocket(init);
    expect((await closed).code).toBe(code);
  });

  test('an operation before connection_init closes the socket, and so does a missing connection_init', async () => {
    const early = await rawSocket();
    early.send({ id: '1', type: 'subscribe', payload: { query: '{ __schema { types { name } } }' } });
    expect((await early.closed).code).toBe(4401);
    const own = await startTinyApi({ connectionInitMs: 200 });
    const silent = await rawSocket(undefined, `${own.server.url.replace('http', 'ws')}/graphql`);
    expect((await silent.closed).code).toBe(4408);
    await own.server.close();
  });

  test('an upgrade to an invalid path does not end the server', async () => {
    const { hostname, port } = new URL(api.server.url);
    for (const path of ['//', '/graphql%', 'http://[']) {
      const stream = connect(Number(port), hostname);
      stream.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
      stream.resume();
      await new Promise((resolve) => stream.once('close', resolve));
    }
    await withClient(async (client) => expect(await results(client, '{ hello }')).toHaveLength(1));
  });

  test('a socket at another path is not upgraded', async () => {
    const socket = new WebSocket(address().replace('/graphql', '/elsewhere'), 'graphql-transport-ws');
    await expect(new Promise((_resolve, reject) => socket.once('error', reject))).rejects.toThrow('404');
  });
});

describe('bad input over WebSocket', () => {
  const login = 'mutation ($input: LoginInput!) { login(input: $input) }';
  test.each<[string, string, object]>([
    ['a misspelt field beside a password', login, { input: { user: 'sa', password, pasword: password } }],
    ['a secret as a literal', `mutation { login(input: { user: "sa", password: "${password}" }) }`, {}],
    ['a secret in a broken document', `mutation { login(input: { password: "${password}`, {}],
    ['a secret that is no string', login, { input: { user: 'sa', password: [password] } }],
    ['an unknown operation', '{ hello', {}],
  ])('%s is BAD_INPUT and not repeated', async (_name, query, variables) => {
    const socket = await rawSocket({ authorization: token });
    await until(() => socket.messages.length === 1, 'the acknowledgement');
    socket.send({ id: '1', type: 'subscribe', payload: { query, variables } });
    await until(() => socket.messages.length === 2, 'the error');
    const text = JSON.stringify(socket.messages);
    expect(socket.messages[1]).toMatchObject({
      id: '1',
      type: 'error',
      payload: [{ extensions: { code: 'BAD_INPUT' } }],
    });
    expect(text).not.toContain('hunter2');
    expect(api.logged.join()).not.toContain('hunter2');
    // The socket stays usable.
    socket.send({ id: '2', type: 'subscribe', payload: { query: '{ hello }' } });
    await until(() => socket.messages.some(({ type }) => type === 'complete'), 'the answer');
    socket.socket.close();
    await socket.closed;
  });

  test('a message that is too large closes the socket, and the server continues', async () => {
    const { send, closed } = await rawSocket({ authorization: token });
    send({ id: '1', type: 'subscribe', payload: { query: '{ hello }', variables: { p: 'x'.repeat(30_000) } } });
    expect((await closed).code).toBe(1009);
    await withClient(async (client) => expect(await results(client, '{ hello }')).toHaveLength(1));
  });

  const deep = `{"type":"ping","payload":{"a":${'['.repeat(100)}${']'.repeat(100)}}}`;
  test.each(['not JSON hunter2', '{"type":"nonsense"}', deep])(
    '%j closes the socket without repeating it',
    async (text) => {
      const { socket, closed } = await rawSocket({ authorization: token });
      socket.send(text);
      const { code, reason } = await closed;
      expect(code).toBe(4400);
      expect(reason).not.toContain('hunter2');
    },
  );

  test('a defect is INTERNAL with a correlation id', async () => {
    await withClient(async (client) => {
      const query = 'query ($login: LoginInput!) { sink(login: $login) }';
      const [result] = await results(client, query, 1, { login: { user: 'sa', password } });
      expect(result?.errors?.[0]?.extensions.code).toBe('INTERNAL');
      expect(api.logged.join()).toContain(String(result?.errors?.[0]?.extensions.details.correlationId));
      expect(api.logged.join()).not.toContain('hunter2');
    });
  });
});

describe('subscriptions', () => {
  test('send each event with new loaders, and close the source when the client disconnects', async () => {
    await withClient(async (client) => {
      loads.count = 0;
      const receiving = results(client, 'subscription { shipChanges { id version } }', 3);
      await until(() => api.harbour.mailboxes.size === 1, 'the subscription');
      for (const version of [1, 2, 3]) {
        api.harbour.put({ id: 'a', version, cargo: '' });
        await until(() => loads.count === version, 'the event to be executed');
      }
      expect((await receiving).map((result) => result.data?.shipChanges.version)).toEqual([1, 2, 3]);
      await until(() => api.harbour.mailboxes.size === 0, 'the source to be closed');
    });
  });

  test('an error of the source has its code', async () => {
    await withClient(async (client) => {
      const [result] = await results(client, 'subscription { lostShip { id } }', 1);
      expect(result?.errors?.[0]).toMatchObject({
        message: 'There is no such ship.',
        extensions: { code: 'NOT_FOUND' },
      });
    });
  });

  test.each([
    'subscription { shipChanges { voyages } }',
    'subscription { shipChanges { ...F } } fragment F on Ship { voyages }',
  ])('statistics under a subscription are TOO_COMPLEX', async (query) => {
    await withClient(async (client) => {
      await expect(results(client, query)).rejects.toMatchObject([{ extensions: { code: 'TOO_COMPLEX' } }]);
    });
  });

  test.each<[string, string, object]>([
    ['@skip', 'subscription { shipChanges @skip(if: true) { id } }', {}],
    ['@include', 'subscription { shipChanges @include(if: false) { id } }', {}],
    ['@skip of a variable', 'subscription ($no: Boolean!) { shipChanges @skip(if: $no) { id } }', { no: true }],
    ['@include of a default', 'subscription ($yes: Boolean = false) { shipChanges @include(if: $yes) { id } }', {}],
    ['an inline fragment', 'subscription { ... @skip(if: true) { shipChanges { id } } }', {}],
    ['a fragment', 'subscription { ...F @include(if: false) } fragment F on Subscription { shipChanges { id } }', {}],
    [
      'a field of a fragment',
      'subscription { ...F } fragment F on Subscription { shipChanges @skip(if: true) { id } }',
      {},
    ],
    ['two fields', 'subscription { a: shipChanges { id } b: shipChanges { id } }', {}],
    ['an introspection field', 'subscription { a: __typename }', {}],
  ])(
    'a document that does not select exactly one field is BAD_INPUT, and the socket stays: %s',
    async (_, query, variables) => {
      await withClient(async (client) => {
        await expect(results(client, query, 1, variables)).rejects.toMatchObject([
          { extensions: { code: 'BAD_INPUT' } },
        ]);
        expect(await results(client, '{ hello }')).toHaveLength(1);
      });
      expect(await runningSubscriptions()).toBe(0);
      expect(api.logged.join()).not.toContain('is not iterable');
    },
  );

  test('a variable at the root decides which field is selected', async () => {
    await withClient(async (client) => {
      const query =
        'subscription ($no: Boolean!) { a: shipChanges @skip(if: $no) { id } b: shipChanges @include(if: $no) { id } }';
      const receiving = results(client, query, 1, { no: false });
      await until(() => api.harbour.mailboxes.size === 1, 'the subscription');
      api.harbour.put({ id: 'a', version: 1, cargo: '' });
      expect(await receiving).toEqual([{ data: { a: { id: 'a' } } }]);
      await until(() => api.harbour.mailboxes.size === 0, 'the source to be closed');
    });
  });

  test('an exception of a source is INTERNAL for its operation alone, and the gauge stays right', async () => {
    await withClient(async (client) => {
      const [result] = await results(client, 'subscription { brokenShip { id } }', 1);
      expect(result?.errors?.[0]?.extensions.code).toBe('INTERNAL');
      expect(await results(client, '{ hello }')).toHaveLength(1);
    });
    expect(await runningSubscriptions()).toBe(0);
  });

  test('a hundred operations run at once on one socket, and one more is refused', async () => {
    const { socket, messages, send, closed } = await rawSocket({ authorization: token });
    await until(() => messages.length === 1, 'the acknowledgement');
    for (let id = 0; id < 101; id += 1) {
      send({ id: String(id), type: 'subscribe', payload: { query: 'subscription { shipChanges { id } }' } });
    }
    await until(() => messages.some(({ type }) => type === 'error'), 'the refusal');
    expect(messages.at(-1)).toMatchObject({ id: '100', payload: [{ extensions: { code: 'TOO_COMPLEX' } }] });
    expect(api.harbour.mailboxes.size).toBe(100);
    socket.close();
    await closed;
    await until(() => api.harbour.mailboxes.size === 0, 'the sources to be closed');
    expect(await runningSubscriptions()).toBe(0);
  });
});

describe('a client that does not read', () => {
  const cargo = 'x'.repeat(10_000);
  const ships = (changes: number): Ship[] =>
    Array.from({ length: changes }, (_, version) => ({ id: String(version % 20), version, cargo }));

  async function pausedSubscriber(query: string) {
    const subscriber = await rawSocket({ authorization: token });
    await until(() => subscriber.messages.length === 1, 'the acknowledgement');
    subscriber.send({ id: '1', type: 'subscribe', payload: { query } });
    await until(() => api.harbour.mailboxes.size === 1, 'the subscription');
    subscriber.socket.pause();
    return subscriber;
  }

  test('makes the server keep only the latest state of each ship, not 50,000 changes, and gets those states when it reads again', async () => {
    const subscriber = await pausedSubscriber('subscription { shipChanges { id version cargo } }');
    const before = process.memoryUsage().rss;
    let most = 0;
    for (const [index, ship] of ships(50_000).entries()) {
      api.harbour.put(ship);
      if (index % 20 !== 0) continue;
      // Gives the server time to write.
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, ...[...api.harbour.mailboxes].map((mailbox) => mailbox.size));
    }
    const grownBy = process.memoryUsage().rss - before;
    expect(most).toBeLessThanOrEqual(20);
    // 50,000 changes would be 500 MB. Both ends of the socket are in this process.
    expect(grownBy).toBeLessThan(60_000_000);

    subscriber.socket.resume();
    const versionOf = (payload: unknown) => (payload as { data: { shipChanges: Ship } }).data.shipChanges.version;
    const versions = () => subscriber.messages.slice(1).map(({ payload }) => versionOf(payload));
    await until(() => new Set(versions().filter((version) => version >= 49_980)).size === 20, 'the latest states');
    expect(versions().length).toBeLessThan(5_000);
    subscriber.socket.close();
    await subscriber.closed;
  });

  test('of every event is ended with SLOW_CONSUMER', async () => {
    const subscriber = await pausedSubscriber('subscription { everyShip(limit: 1000) { version cargo } }');
    for (const ship of ships(20_000)) {
      api.harbour.put(ship);
      if (ship.version % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(api.harbour.mailboxes.size).toBe(0);
    subscriber.socket.resume();
    await until(() => subscriber.messages.some(({ type }) => type === 'error'), 'the error');
    expect(subscriber.messages.find(({ type }) => type === 'error')).toMatchObject({
      payload: [{ extensions: { code: 'SLOW_CONSUMER' } }],
    });
    // The messages before the error have no gap.
    const got = subscriber.messages.filter(({ type }) => type === 'next');
    got.forEach(({ payload }, index) => expect(payload).toMatchObject({ data: { everyShip: { version: index } } }));
    subscriber.socket.close();
    await subscriber.closed;
  });

  test('and does not answer pings is ended', async () => {
    const own = await startTinyApi({ pingMs: 50 });
    const socket = new WebSocket(`${own.server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      autoPong: false,
    });
    const code = await new Promise((resolve) => socket.once('close', resolve));
    expect(code).toBe(1006);
    await own.server.close();
  });
});

test('a close of the server ends subscriptions with 1001 and their sources', async () => {
  const own = await startTinyApi({ graceMs: 500 });
  const url = `${own.server.url.replace('http', 'ws')}/graphql`;
  const socket = new WebSocket(url, 'graphql-transport-ws');
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: token } }));
  await new Promise((resolve) => socket.once('message', resolve));
  socket.send(
    JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'subscription { shipChanges { id } }' } }),
  );
  await until(() => own.harbour.mailboxes.size === 1, 'the subscription');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await own.server.close();
  expect(await closed).toBe(1001);
  await until(() => own.harbour.mailboxes.size === 0, 'the source to be closed');
});

test('a close of the server does not wait longer than its grace time for a client that reads nothing', async () => {
  const own = await startTinyApi({ graceMs: 100 });
  const socket = new WebSocket(`${own.server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await new Promise((resolve) => socket.once('open', resolve));
  socket.pause();
  const began = Date.now();
  await own.server.close();
  expect(Date.now() - began).toBeLessThan(15_000);
  socket.terminate();
});
