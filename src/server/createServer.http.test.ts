import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { getIntrospectionQuery } from 'graphql';
import { startTinyApi, token, type TinyApi } from '../../test/fixtures/api/tinyApi.js';

let api: TinyApi;
beforeAll(async () => {
  api = await startTinyApi({ maxBodyBytes: 20_000 });
});
afterAll(() => api.server.close());

type Refusal = { extensions: { details: { fields: { path: string }[] } } };

async function post(body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${api.server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
}

function pathsOf(text: string): string[] {
  return (JSON.parse(text) as { errors: Refusal[] }).errors.flatMap((error) =>
    error.extensions.details.fields.map((field) => field.path),
  );
}

const login = 'mutation ($input: LoginInput!) { login(input: $input) }';
const password = 'hunter2-correct-horse';

describe('signing in over HTTP', () => {
  test.each([
    ['no token', { authorization: '' }],
    ['a wrong token', { authorization: 'Bearer nonsense' }],
    ['another scheme', { authorization: `Basic ${token}` }],
  ])('%s is UNAUTHENTICATED, also for introspection', async (_name, headers) => {
    for (const query of ['{ hello }', getIntrospectionQuery(), '{ __typename }']) {
      const { status, body, headers: answered } = await post({ query }, headers);
      expect(status).toBe(401);
      expect(answered.get('www-authenticate')).toBe('Bearer');
      expect(body.errors[0].extensions).toMatchObject({ code: 'UNAUTHENTICATED', help: expect.any(String) });
    }
  });

  test('the installation token is accepted, also for introspection', async () => {
    expect((await post({ query: '{ hello }' })).body).toEqual({ data: { hello: 'Hello world' } });
    const { body } = await post({ query: getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true }) });
    expect(body.data.__schema.queryType.name).toBe('Query');
  });
});

describe('bad input over HTTP', () => {
  const good = { user: 'sa', password };

  test('a valid login reaches the resolver', async () => {
    expect((await post({ query: login, variables: { input: good } })).body).toEqual({ data: { login: true } });
    expect(api.harbour.password).toBe(password);
  });

  test.each<[string, object, string[]]>([
    ['a misspelt field beside a password', { user: 'sa', password, pasword: password }, ['input.pasword']],
    ['a missing field', { password }, ['input.user']],
    ['a password that is a number', { user: 'sa', password: 123456789 }, ['input.password']],
    ['an empty password', { user: 'sa', password: '' }, ['input.password']],
    ['a wrong duration', { ...good, within: '5 minutes hunter2' }, ['input.within']],
    ['an object where text belongs', { ...good, user: { hunter2: password } }, ['input.user']],
    [
      'several at once',
      { user: null, pass: password, within: 5 },
      ['input.pass', 'input.user', 'input.password', 'input.within'],
    ],
    ['a field whose name is a secret', { ...good, 'hunter2 correct': 1 }, ['input']],
  ])('%s is reported with its path, and no value is repeated', async (_name, input, paths) => {
    const { status, body, text } = await post({ query: login, variables: { input } });
    expect(status).toBe(400);
    expect(body.errors).toHaveLength(1);
    const { code, details, help } = body.errors[0].extensions;
    expect(code).toBe('BAD_INPUT');
    expect(help).toBeTruthy();
    expect(pathsOf(text)).toEqual(paths);
    for (const field of details.fields)
      expect(field).toEqual({ path: expect.any(String), problem: expect.any(String), hint: expect.any(String) });
    expect(text).not.toMatch(/hunter2|123456789|5 minutes/);
    expect(api.logged.join()).not.toMatch(/hunter2|123456789/);
  });

  test.each<[string, string, string]>([
    ['a secret as a literal', `mutation { login(input: { user: "sa", password: "${password}" }) }`, 'input.password'],
    [
      'a secret as the default of a variable',
      `mutation ($p: Secret! = "${password}") { login(input: { user: "sa", password: $p }) }`,
      'input.password',
    ],
    [
      'a misspelt field beside a literal password',
      `mutation { login(input: { user: "sa", pasword: "${password}" }) }`,
      'input.pasword',
    ],
    ['a literal of another type', `mutation { login(input: { user: "sa", within: "${password}" }) }`, 'input.within'],
    ['an argument of another type', `{ ships(first: "${password}") { nodes { id } } }`, 'first'],
    ['a secret outside quotes', `mutation { login(input: { user: sa, password: ${password} !) }`, 'query'],
    ['a string without an end', `mutation { login(input: { password: "${password}`, 'query'],
    ['a oneOf with two fields', `mutation { enter(input: { id: "1", login: { user: "${password}" } }) }`, 'input'],
    ['an unknown field', '{ helo }', 'query'],
    ['an unknown argument', '{ hello(nam: "x") }', 'query'],
  ])('%s is refused, and nothing is repeated', async (_name, query, path) => {
    const { status, body, text } = await post({ query });
    expect(status).toBe(400);
    expect(body.errors[0].extensions.code).toBe('BAD_INPUT');
    expect(pathsOf(text)).toContain(path);
    expect(text).not.toContain('hunter2');
    expect(text).not.toContain('correct');
  });

  test.each<[string, unknown, number]>([
    ['text that is not JSON', `{"query": "{ hello }", "variables": {"p": hunter2`, 400],
    ['a body that is too large', { query: '{ hello }', variables: { p: 'hunter2'.repeat(5_000) } }, 413],
    ['JSON with 200 levels', `{"query":"{ hello }","variables":{"p":${'['.repeat(200)}${']'.repeat(200)}}}`, 400],
    ['a batch', [{ query: '{ hello }' }, { query: '{ hello }' }], 400],
    ['a body without a query', {}, 400],
    ['variables that are a list', { query: '{ hello }', variables: ['hunter2'] }, 400],
    ['a query that is a number', { query: 1 }, 400],
    ['a name that no operation has', { query: 'query A { hello }', operationName: 'hunter2' }, 400],
    ['a subscription', { query: 'subscription { shipChanges { id } }' }, 400],
  ])('%s is refused with an answer in the form of GraphQL', async (_name, body, status) => {
    const answer = await post(body);
    expect(answer.status).toBe(status);
    expect(answer.body.errors[0].extensions.code).toBe('BAD_INPUT');
    expect(answer.text).not.toContain('hunter2');
  });

  test('the variables of a known document are checked again', async () => {
    for (let time = 1; time <= 3; time += 1) {
      const user = `sa ${time}`;
      expect((await post({ query: login, variables: { input: { ...good, user } } })).body).toEqual({
        data: { login: true },
      });
      expect((await post({ query: login, variables: { input: { ...good, user: null } } })).status).toBe(400);
      expect((await post({ query: '{ helo }' })).text).toContain('helo');
    }
  });

  test('a form from another site is refused', async () => {
    const answer = await post('query=x', { 'content-type': 'text/plain' });
    expect(answer.status).toBe(400);
    const preflight = await fetch(`${api.server.url}/graphql`, {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.example' },
    });
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
    expect((await fetch(`${api.server.url}/graphql?query={hello}`)).status).toBe(405);
  });
});

describe('bodies that are not valid', () => {
  const whole = JSON.stringify({ query: '{ hello }' });
  const compressed = { gzip: gzipSync(whole), deflate: deflateSync(whole), br: brotliCompressSync(whole) };
  const half = (bytes: Buffer) => bytes.subarray(0, bytes.length / 2);
  const changed = (bytes: Buffer) => Buffer.from(bytes.map((byte, index) => (index === 5 ? byte ^ 255 : byte)));
  type Sent = { readonly headers?: Record<string, string>; readonly body: Uint8Array | string };
  const json = 'application/json';

  const encoded: readonly Sent[] = Object.entries(compressed).flatMap(([encoding, bytes]) =>
    [half(bytes), changed(bytes), bytes.subarray(3), Buffer.from(whole), Buffer.alloc(0), Buffer.alloc(100)].map(
      (body) => ({ headers: { 'content-encoding': encoding }, body }),
    ),
  );
  const otherEncodings: readonly Sent[] = ['compress', 'zstd', 'gzip, gzip', 'identity, deflate', 'x', ';', 'é'].map(
    (encoding) => ({ headers: { 'content-encoding': Buffer.from(encoding).toString('latin1') }, body: whole }),
  );
  const types: readonly Sent[] = [
    ...['text/plain', 'multipart/form-data', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded'],
    ...[
      'application/graphql',
      'application/octet-stream',
      'json',
      '/',
      ';',
      'application/json; charset',
      `${json}, ${json}`,
    ],
    ...[
      `${json}; charset=utf-16`,
      `${json}; charset=latin1`,
      `${json}; charset=x-none`,
      `${json}; charset=`,
      'image/svg+xml',
    ],
    ...['application/xml', `${json};${'a=b;'.repeat(500)}`, 'application/vnd.x+json', `${json}; charset=utf-7`],
  ].map((type) => ({ headers: { 'content-type': type }, body: whole }));
  const texts: readonly Sent[] = [
    ...[
      '',
      ' ',
      'null',
      'true',
      '1',
      '"x"',
      '[]',
      '{',
      '}',
      '{}',
      '[[]]',
      '[null]',
      '\uFEFF',
      '\uFEFF{}',
      '{"query":}',
    ],
    ...[
      '{"query":null}',
      '{"query":""}',
      '{"query":" "}',
      '{"query":{}}',
      '{"query":[]}',
      '{"query":"#"}',
      '{"query":"{"}',
    ],
    ...['{"query":"\\ud800"}', '{"query":"{ hello }","variables":1}', '{"query":"{ hello }","variables":"x"}'],
    ...[
      '{"query":"{ hello }","variables":[]}',
      '{"query":"{ hello }","extensions":1}',
      '{"query":"{ hello }","extensions":[]}',
    ],
    ...['{"query":"{ hello }","operationName":1}', '{"query":"{ hello }","operationName":{}}', '{"id":"x"}'],
    ...['{"query":"{ hello }","extensions":{"persistedQuery":1}}', '{"query":"{ hello }","operationName":"__proto__"}'],
    ...['{"__proto__":{"query":"{ hello }"}}', '{"constructor":{"prototype":{}}}', '{"query":"{ hello @skip }"}'],
    ...['{"query":"{ hello @skip(if: \\"x\\") }"}', '{"query":"fragment A on Query { ...A } { ...A }"}'],
    ...[
      '{"query":"{ ...Missing }"}',
      '{"query":"query A { hello } query A { hello }"}',
      '{"query":"type Query { a: Int }"}',
    ],
    ...[
      '{"query":"query ($a: Missing) { hello }"}',
      '{"query":"query ($a: [Int!]! = 1) { hello }"}',
      '{"query":"{ hello(name: $x) }"}',
    ],
    ...['{"query":"query ($x: String = 1) { hello(name: $x) }"}', '{"query":"extend schema { query: Query }"}'],
    ...['{"query":"query ($x: Boolean!) { hello @skip(if: $x) }"}', '{"query":"{ many(ids: [{}, [1]]) }"}'],
    ...['{"query":"{ many(ids: 1e999) }"}', '{"query":"{ ships(first: 99999999999999999999) { nodes { id } } }"}'],
    ...['{"query":"{ ships(after: \\"x\\") { nodes { id } } }"}', '{"query":"query { __type(name: 1) { name } }"}'],
    ...[`{"query":"{ hello }","variables":${'{"a":'.repeat(3_000)}1${'}'.repeat(3_000)}}`, '['.repeat(19_000)],
    ...[`{"query":"${'{ hello '.repeat(2_000)}"}`, `{"query":"{ many(ids: ${'['.repeat(900)}${']'.repeat(900)}) }"}`],
  ].map((body) => ({ body }));
  const bytes: readonly Sent[] = [
    ...[Buffer.from([0xff, 0xfe]), Buffer.from([0xc3, 0x28]), Buffer.alloc(1_000), Buffer.alloc(30_000, '{')],
    ...[Buffer.from(whole, 'utf16le'), Buffer.concat([Buffer.from(whole), Buffer.from([0])])],
    ...[Buffer.from('{"query":"{ hello }","a":"\xff"}', 'latin1')],
  ].map((body) => ({ body }));
  const rows = [...encoded, ...otherEncodings, ...types, ...texts, ...bytes];

  test('never get a 5xx or INTERNAL as an answer (a hundred bodies)', async () => {
    const loggedBefore = api.logged.length;
    const wrong: object[] = [];
    for (const { headers = {}, body } of rows) {
      const response = await fetch(`${api.server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': json, authorization: `Bearer ${token}`, ...headers },
        body,
      });
      const text = await response.text();
      if (response.status < 500 && !text.includes('INTERNAL')) continue;
      wrong.push({ headers, body: body.toString().slice(0, 100), status: response.status, text });
    }
    expect(rows.length).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
    expect(api.logged.slice(loggedBefore).filter((line) => line.includes('defect'))).toEqual([]);
  });

  test.each([
    ['a length that is too long', 'Content-Length: 500\r\n\r\n{'],
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   '],
    ['a negative length', 'Content-Length: -1\r\n\r\n{}'],
    ['a length that is not a number', 'Content-Length: x\r\n\r\n{}'],
    ['a length beside chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a chunk without a length', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n'],
    ['a chunk that ends early', 'Transfer-Encoding: chunked\r\n\r\nff\r\n{'],
    ['an unknown transfer encoding', 'Transfer-Encoding: gzip\r\n\r\n{}'],
    ['a header without a colon', 'nonsense\r\n\r\n'],
    ['a NUL in a header', 'X-A: \0\r\n\r\n'],
    ['too many headers', `${'X-A: 1\r\n'.repeat(3_000)}\r\n`],
  ])('with %s end the connection without a 5xx', async (_name, rest) => {
    const { hostname, port } = new URL(api.server.url);
    const stream = connect(Number(port), hostname);
    const received: Buffer[] = [];
    stream.on('data', (piece) => received.push(piece));
    stream.on('error', () => undefined);
    const closed = new Promise((resolve) => stream.once('close', resolve));
    stream.end(
      `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${json}\r\n${rest}`,
    );
    await closed;
    expect(Buffer.concat(received).toString()).not.toMatch(/^HTTP\/1\.1 5/);
  });
});

describe('errors over HTTP', () => {
  test('an error of the catalogue keeps code, details and help', async () => {
    const { status, body } = await post({ query: '{ refuse }' });
    expect(status).toBe(200);
    expect(body.errors[0]).toMatchObject({
      message: 'The ship has sailed.',
      path: ['refuse'],
      extensions: { code: 'CONFLICT', details: { expected: 1, actual: 2 } },
    });
  });

  test('a defect is INTERNAL with a correlation id; the log has this id, and no values', async () => {
    const { body, text } = await post({
      query: 'query ($login: LoginInput!) { sink(login: $login) }',
      variables: { login: { user: 'sa', password } },
    });
    const { code, details } = body.errors[0].extensions;
    expect(code).toBe('INTERNAL');
    const lines = api.logged.filter((line) => line.includes(details.correlationId as string));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('invalid input syntax');
    expect(text + api.logged.join()).not.toContain('hunter2');
  });

  test('an answer that is not a value of its enum is INTERNAL, and the log names the field', async () => {
    const { body, text } = await post({ query: '{ colours: flag }' });
    const { code, details } = body.errors[0].extensions;
    expect(code).toBe('INTERNAL');
    const lines = api.logged.filter((line) => line.includes(details.correlationId as string));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      path: 'colours',
      error: { message: expect.stringContaining('cannot represent value') },
    });
    expect(text + api.logged.join()).not.toContain('hunter2');
  });
});

describe('operations that ask for too much:', () => {
  const nested = (levels: number): string => (levels === 0 ? 'id' : `convoy { ${nested(levels - 1)} }`);
  test.each<[string, string, unknown]>([
    ['levels', `{ ship(id: "1") { ${nested(20)} } }`, {}],
    ['values', '{ ships(first: 200) { nodes { ' + 'id '.repeat(160) + ' } } }', {}],
    ['aliases', `{ ship(id: "1") { ${Array.from({ length: 101 }, (_, n) => `a${n}: id`).join(' ')} } }`, {}],
    ['pairs of equal fields', `{ ships { ${'nodes { id } '.repeat(450)} } }`, {}],
    ['fields at its root', `{ ${Array.from({ length: 26 }, (_, n) => `a${n}: hello`).join(' ')} }`, {}],
    [
      'values',
      'query ($n: Int!) { ships(first: $n) { ...F } } fragment F on ShipConnection { nodes { ' +
        Array.from({ length: 80 }, (_, n) => `a${n}: id`).join(' ') +
        ' } edges { node { ' +
        Array.from({ length: 80 }, () => `id`).join(' ') +
        ' } } }',
      { n: 200 },
    ],
  ])('too many %s are TOO_COMPLEX', async (what, query, variables) => {
    const { status, body } = await post({ query, variables });
    expect(status).toBe(400);
    expect(body.errors[0].extensions.code).toBe('TOO_COMPLEX');
    expect(body.errors[0].message).toContain(what);
  });

  test('a document of too many tokens is refused before it is read', async () => {
    const { body } = await post({ query: `{ ${'hello '.repeat(2_500)} }` });
    expect(body.errors[0].extensions.code).toBe('TOO_COMPLEX');
  });

  test('a name that is selected too often with fields below it is refused before the fields are compared', async () => {
    const often = (times: number) => post({ query: `{ ships { ${'nodes { id } '.repeat(times)} } }` });
    const { status, body } = await often(101);
    expect(status).toBe(400);
    expect(body.errors[0].extensions).toMatchObject({ code: 'TOO_COMPLEX', details: { limit: 'pairs' } });
    expect((await often(100)).status).toBe(200);
  });

  test('a body of too many levels is refused before it is parsed, and brackets in texts are no levels', async () => {
    const deep = `{"query":"{ hello }","variables":{"p":${'['.repeat(99)}${']'.repeat(99)}}}`;
    const { status, body } = await post(deep);
    expect(status).toBe(400);
    expect(body.errors[0].extensions).toMatchObject({ code: 'BAD_INPUT' });
    const text = '[{\\"'.repeat(100);
    expect((await post({ query: '{ hello }', variables: { p: text } })).status).toBe(200);
  });
});

describe('beside GraphQL,', () => {
  const get = (path: string) => fetch(`${api.server.url}${path}`);

  test('liveness, readiness and metrics need no token, and show no private data', async () => {
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(200);
    api.readiness = 'down';
    const down = await get('/readyz');
    api.readiness = 'up';
    expect(down.status).toBe(503);
    expect(await down.text()).toBe('{"ready":false,"closing":false,"checks":{"store":"failed"}}');
    const metrics = await (await get('/metrics')).text();
    expect(metrics).toContain('process_cpu_seconds_total');
    expect(metrics).toMatch(/stowage_http_requests_total\{method="GET",route="\/readyz",status="503"\} 1/);
    expect(metrics).toMatch(
      /stowage_graphql_operations_total\{kind="mutation",transport="http",outcome="refused"\} \d/,
    );
  });

  test('pages and answers have the headers that block access by other sites', async () => {
    const { headers } = await get('/healthz');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-powered-by')).toBeNull();
    const { host } = new URL(api.server.url);
    const policy = (await get('/playground')).headers.get('content-security-policy');
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain(`connect-src 'self' ws://${host} wss://${host};`);
    expect(await policyFor('a.example; script-src *')).toContain("connect-src 'self';");
  });

  /** The policy of the playground for a request with this Host. */
  const policyFor = (host: string) =>
    new Promise<string | undefined>((resolve, reject) => {
      const request = httpRequest(`${api.server.url}/playground`, { headers: { host } }, (response) => {
        response.resume();
        resolve(response.headers['content-security-policy']?.toString());
      });
      request.on('error', reject).end();
    });

  test('an idle connection stays open longer than the idle connections of proxies and clients', async () => {
    expect((await get('/healthz')).headers.get('keep-alive')).toBe('timeout=75');
  });

  test('unknown paths are 404', async () => {
    expect((await get('/v2/nothing')).status).toBe(404);
  });
});

test.each(['/v2/dashboard/%', '/playground/assets/%2e%2e/%2e%2e/package.json', '/playground/assets/nothing.js'])(
  'GET %s is answered without a stack',
  async (path) => {
    const response = await fetch(`${api.server.url}${path}`);
    expect([400, 403, 404]).toContain(response.status);
    expect(await response.text()).not.toMatch(/\n\s+at |node_modules|"dependencies"/);
  },
);

test('a list of a hundred thousand wrong items does not keep the server busy for long, and is refused with the first problems', async () => {
  const own = await startTinyApi();
  const began = performance.now();
  const response = await fetch(`${own.server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: 'query ($n: [ID!]!) { many(ids: $n) }', variables: { n: Array(100_000).fill({}) } }),
  });
  const { errors } = (await response.json()) as { errors: Refusal[] };
  expect(errors[0]?.extensions.details.fields).toHaveLength(50);
  expect(performance.now() - began).toBeLessThan(15_000);
  await own.server.close();
});

test('a close finishes open requests, refuses new ones, and is idempotent', async () => {
  const own = await startTinyApi();
  const pending = new Promise<number | undefined>((resolve, reject) => {
    const request = httpRequest(`${own.server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, expect: '100-continue' },
    });
    request.on('continue', () => {
      void own.server.close();
      request.end(JSON.stringify({ query: '{ hello }' }));
    });
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject);
    request.flushHeaders();
  });
  expect(await pending).toBe(200);
  await own.server.close();
  await expect(fetch(`${own.server.url}/healthz`)).rejects.toThrow();
});
