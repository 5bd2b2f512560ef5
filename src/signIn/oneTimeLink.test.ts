import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request as httpRequest } from 'node:http';
import { once } from 'node:events';
import WebSocket from 'ws';
import { createSessions } from './sessions.js';
import { startWholeApi, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import { WebBrowser } from '../../test/fixtures/api/webBrowser.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';

describeWith({ postgresql: await postgresMissing() }, 'a one-time link', () => {
  let api: WholeApi;
  beforeAll(async () => {
    api = await startWholeApi();
  });
  afterAll(() => api.stop());

  const newCode = async (): Promise<string> => {
    const { data } = await api.post('mutation { createSignInLink { url expiresAt } }');
    const { url } = (data as { createSignInLink: { url: string } }).createSignInLink;
    expect(url).toMatch(new RegExp(`^${api.url}/sign-in#[\\w-]{43}$`));
    return url.split('#')[1] ?? '';
  };
  const signedIn = async (): Promise<WebBrowser> => {
    const browser = new WebBrowser(api.url);
    const answer = await browser.postForm('/sign-in/link', { code: await newCode(), return: '/playground?tab=1' });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/playground?tab=1']);
    return browser;
  };
  const ask = 'query { projects { totalCount } }';
  const codeOf = async (browser: WebBrowser, headers = {}) =>
    (await browser.graphql(ask, headers)).errors?.[0]?.extensions.code ?? 'answered';

  test('opens a session of the administrator, whose cookie scripts cannot read', async () => {
    const browser = new WebBrowser(api.url);
    const answer = await browser.postForm('/sign-in/link', { code: await newCode() });
    expect(answer.headers.get('location')).toBe('/playground');
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^stowage-session-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/),
    ]);
    await expect(codeOf(browser)).resolves.toBe('answered');
    expect(api.logged.join('\n')).toContain('without https');
    await expect((await browser.get('/sign-in/session')).json()).resolves.toEqual({
      signedIn: true,
      name: 'Administrator of the installation',
    });
  });

  test('is valid once, also if two browsers use it at the same time', async () => {
    const code = await newCode();
    const answers = await Promise.all([1, 2, 3].map(() => new WebBrowser(api.url).postForm('/sign-in/link', { code })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 401, 401]);
  });

  test('is refused when it is too old, unknown or from another site', async () => {
    const old = await newCode();
    await api.owner.query("UPDATE sign_in_links SET expires_at = clock_timestamp() - interval '1 second'");
    const browser = new WebBrowser(api.url);
    const late = await browser.postForm('/sign-in/link', { code: old });
    expect([late.status, await late.text()]).toEqual([401, expect.stringContaining('was used before, is too old')]);
    expect((await browser.postForm('/sign-in/link', { code: 'x'.repeat(43) })).status).toBe(401);
    const foreign = { origin: 'https://evil.example' };
    expect((await browser.postForm('/sign-in/link', { code: await newCode() }, foreign)).status).toBe(403);
    expect(browser.cookies.size).toBe(0);
  });

  test('is created only for the installation-level token', async () => {
    const { errors } = await api.post('mutation { createSignInLink { url } }', {}, 'wrong');
    expect(errors[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });

  test('is stored only as a hash, and so is the cookie', async () => {
    const code = await newCode();
    const browser = await signedIn();
    const [rows] = await api.owner.query<[{ all: string }]>(
      `SELECT coalesce(string_agg(t::text, ''), '') AS all FROM (
         SELECT sign_in_links::text AS t FROM sign_in_links UNION ALL SELECT sign_in_sessions::text FROM sign_in_sessions
       ) rows`,
    );
    const [secret = ''] = browser.cookies.values();
    expect(rows.all).not.toContain(code);
    expect(rows.all).not.toContain(secret);
    expect(rows.all).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
  });

  test('replaces the session that the browser had, so nobody can prepare a session for another person', async () => {
    const browser = await signedIn();
    const [before = ''] = browser.cookies.values();
    await browser.postForm('/sign-in/link', { code: await newCode() });
    const [after] = browser.cookies.values();
    expect(after).not.toBe(before);
    const [name = ''] = browser.cookies.keys();
    browser.cookies.set(name, before);
    await expect(codeOf(browser)).resolves.toBe('UNAUTHENTICATED');
  });

  test.each([['https://evil.example'], ['null'], ['http://localhost.evil.example'], ['']])(
    'opens no session for a page of the origin %j (CSRF)',
    async (origin) => {
      await expect(codeOf(await signedIn(), { origin })).resolves.toBe('UNAUTHENTICATED');
    },
  );

  test('opens a WebSocket only for a page of this server', async () => {
    const browser = await signedIn();
    const open = async (origin: string): Promise<string> => {
      const socket = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
        headers: { cookie: browser.cookieHeader, origin },
      });
      const closed = once(socket, 'close').then(([code]) => `closed ${String(code)}`);
      await once(socket, 'open');
      const acknowledged = once(socket, 'message').then(([data]) => String(data));
      socket.send('{"type":"connection_init"}');
      const outcome = await Promise.race([closed, acknowledged]);
      socket.terminate();
      return outcome;
    };
    await expect(open(api.url)).resolves.toBe('{"type":"connection_ack"}');
    await expect(open('https://evil.example')).resolves.toBe('closed 4401');
  });

  test('ends at the sign-out, which another site cannot cause', async () => {
    const browser = await signedIn();
    const cookies = new Map(browser.cookies);
    const forged = await browser.postForm('/sign-out', {}, { origin: 'https://evil.example' });
    expect(forged.status).toBe(403);
    await expect(codeOf(browser)).resolves.toBe('answered');
    const answer = await browser.postForm('/sign-out', {});
    expect([answer.status, browser.cookies.size]).toEqual([200, 0]);
    for (const [name, value] of cookies) browser.cookies.set(name, value);
    await expect(codeOf(browser)).resolves.toBe('UNAUTHENTICATED');
  });

  const open = async (browser: WebBrowser) => {
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      headers: { cookie: browser.cookieHeader, origin: api.url },
    });
    await once(socket, 'open');
    socket.send('{"type":"connection_init"}');
    await once(socket, 'message');
    return socket;
  };

  test('closes the WebSockets of a session that ended while notifications were lost', async () => {
    const closed = once(await open(await signedIn()), 'close', { signal: AbortSignal.timeout(5_000) });
    await api.owner.query('DELETE FROM sign_in_sessions');
    await api.dataSource.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'stowage notifications' AND datname = current_database()`,
    );
    const [code] = (await closed) as [number];
    expect(code).toBe(4403);
  });

  test('closes the WebSockets of a session that ends, and keeps those of other sessions', async () => {
    const [leaving, staying] = [await signedIn(), await signedIn()];
    const [closing, kept] = [await open(leaving), await open(staying)];
    const closed = once(closing, 'close');
    await leaving.postForm('/sign-out', {});
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4403, 'Forbidden: the sign-in has ended']);
    kept.send('{"type":"ping"}');
    await expect(once(kept, 'message').then(([data]) => String(data))).resolves.toBe('{"type":"pong"}');
    kept.terminate();
  });

  test('sessions of the same person are listed, and each can be ended', async () => {
    const [here, there] = [await signedIn(), await signedIn()];
    const list = await (await here.get('/sign-in/sessions', { 'user-agent': '<b>Browser</b>' })).text();
    expect(list).toContain('This browser');
    const [{ id }] = await api.owner.query<[{ id: string }]>(
      'SELECT id FROM sign_in_sessions ORDER BY created_at DESC LIMIT 1',
    );
    expect(list).toContain(id);
    await here.postForm('/sign-in/sessions', { id });
    await expect(codeOf(there)).resolves.toBe('UNAUTHENTICATED');
    await expect(codeOf(here)).resolves.toBe('answered');
  });

  test('a session ends when it was not used, and at its greatest age; then its row is deleted', async () => {
    const [idle, old, used] = [await signedIn(), await signedIn(), await signedIn()];
    const age = async (browser: WebBrowser, change: string) => {
      const [secret = ''] = browser.cookies.values();
      await api.owner.query(
        `UPDATE sign_in_sessions SET ${change} WHERE secret_hash = sha256(convert_to($1, 'UTF8'))`,
        [secret],
      );
    };
    await age(idle, "last_used_at = clock_timestamp() - interval '61 minutes'");
    await age(old, "expires_at = clock_timestamp() - interval '1 second'");
    await age(used, "last_used_at = clock_timestamp() - interval '59 minutes'");
    await expect(Promise.all([idle, old, used].map((each) => codeOf(each)))).resolves.toEqual([
      ...['UNAUTHENTICATED', 'UNAUTHENTICATED', 'answered'],
    ]);
    const [{ fresh }] = await api.owner.query<[{ fresh: number }]>(
      "SELECT count(*)::integer AS fresh FROM sign_in_sessions WHERE last_used_at < clock_timestamp() - interval '58 minutes' AND last_used_at > clock_timestamp() - interval '60 minutes'",
    );
    expect(fresh).toBe(0);
  });

  test('many ended sessions are deleted, and the others stay', async () => {
    const browser = await signedIn();
    await api.owner.query(
      `INSERT INTO sign_in_sessions (id, secret_hash, subject, grants, expires_at)
       SELECT gen_random_uuid(), sha256(i::text::bytea), 'installation', '[]', clock_timestamp() - interval '1 day'
       FROM generate_series(1, 25000) i`,
    );
    const limits = { idleMs: 3_600_000, lifetimeMs: 7_200_000 };
    await expect(createSessions(api.shared.dataSource, limits).sweep()).resolves.toBeGreaterThanOrEqual(25_000);
    await expect(codeOf(browser)).resolves.toBe('answered');
  });

  test.each([
    ['//evil.example'],
    ['https://evil.example'],
    ['/\\evil.example'],
    ['/%2f/evil.example/\r\nx: y'],
    ['javascript:alert(1)'],
    ['/sign-out'],
    ['/./sign-in/link'],
    ['/.//evil.example'],
    ['/\t/evil.example'],
  ])('returns to the playground instead of %j (open redirect)', async (wanted) => {
    const browser = new WebBrowser(api.url);
    const answer = await browser.postForm('/sign-in/link', { code: await newCode(), return: wanted });
    expect(answer.headers.get('location')).toBe('/playground');
  });

  test('no page can be framed, cached or run foreign scripts', async () => {
    const { headers } = await new WebBrowser(api.url).get('/sign-in?return="><script>alert(1)</script>');
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('content-security-policy')).toContain("script-src 'self'");
    expect([headers.get('x-frame-options'), headers.get('cache-control')]).toEqual(['DENY', 'no-store']);
  });

  test('a foreign name of this machine gets no sign-in (DNS rebinding)', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const { port } = new URL(api.url);
      httpRequest({ port, host: '127.0.0.1', path: '/sign-in', headers: { host: 'evil.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });
});
