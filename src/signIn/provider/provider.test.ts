import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { startProviderApi, type ProviderApi } from '../../../test/fixtures/api/providerApi.js';
import { WebBrowser } from '../../../test/fixtures/api/webBrowser.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { clientId, signInAt } from '../../../test/fixtures/servers/oidcProvider.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';

const rules = [
  { claim: 'groups', contains: 'backup-admins', role: 'ADMIN', project: 'shop' },
  { claim: 'groups', contains: 'nobody', role: 'ADMIN', project: 'other' },
];

describeWith({ postgresql: await postgresMissing() }, 'the sign-in at a provider', () => {
  let ground: ProviderApi;
  beforeAll(async () => {
    ground = await startProviderApi({ OIDC_CLAIM_RULES: JSON.stringify(rules) });
    for (const name of ['shop', 'other']) {
      await ground.api.post('mutation ($name: String!) { createProject(name: $name) { id } }', { name });
    }
  });
  afterAll(() => ground.stop());
  afterEach(() => {
    ground.provider.intercept = undefined;
  });

  const projectsOf = async (browser: WebBrowser): Promise<unknown> => {
    const { data, errors } = await browser.graphql('query { me { subject name } projects { nodes { name } } }');
    return errors?.[0]?.extensions.code ?? data;
  };
  const textOf = async (response: Response) => (await response.text()).replace(/\s+/g, ' ');

  test('identifies a person by issuer and subject, gives what the claims allow, and returns to the page', async () => {
    const { browser, location } = await ground.signIn('ada', '/v2/dashboard/one?tab=2');
    expect(location).toBe('/v2/dashboard/one?tab=2');
    await expect(projectsOf(browser)).resolves.toEqual({
      me: { subject: `person:${ground.provider.issuer}#ada`, name: 'Ada Example' },
      projects: { nodes: [{ name: 'shop' }] },
    });
  });

  test('shows a person without rights the subject to send to an administrator', async () => {
    const { browser, location } = await ground.signIn('bob');
    expect(location).toBe('/sign-in/no-access?return=%2Fplayground');
    const page = await browser.get(location ?? '');
    expect(page.status).toBe(403);
    await expect(textOf(page)).resolves.toMatch(
      new RegExp(`<dd><code>${ground.provider.issuer}</code></dd>.*<dd><code>bob</code></dd>`),
    );
    await expect(projectsOf(browser)).resolves.toMatchObject({ projects: { nodes: [] } });
  });

  test('a name that a person gives itself changes nothing, and is shown as text', async () => {
    ground.provider.people.set('eve', { name: '<script>alert(1)</script>', email: 'ada@example.org' });
    const { browser } = await ground.signIn('eve');
    const page = await textOf(await browser.get('/sign-in/sessions'));
    expect(page).toContain('&lt;script&gt;');
    await expect(projectsOf(browser)).resolves.toMatchObject({ projects: { nodes: [] } });
  });

  test('a callback works only in the browser that started it, and once', async () => {
    const { browser, start } = await ground.begin();
    const callback = await signInAt(ground.provider, start, 'ada');
    const stranger = new WebBrowser(ground.api.url);
    const foreign = await stranger.get(callback.href);
    expect([foreign.status, stranger.cookies.size]).toEqual([400, 0]);
    await expect(textOf(foreign)).resolves.toContain('This browser has not started this sign-in');
    // Another person of another browser gets the callback of the first one (session fixation, login CSRF).
    const other = await ground.begin();
    expect((await other.browser.get(callback.href)).status).toBe(400);

    const kept = new Map(browser.cookies);
    expect((await browser.get(callback.href)).status).toBe(303);
    expect((await browser.get(callback.href)).status).toBe(400);
    for (const [name, value] of kept) browser.cookies.set(name, value);
    const replayed = await browser.get(callback.href);
    expect(replayed.status).toBe(400);
    await expect(textOf(replayed)).resolves.toContain('The provider refused (invalid_grant');
  });

  test.each([
    ['state', 'x'.repeat(43), 'This browser has not started this sign-in'],
    ['code', 'forged', 'The provider refused (invalid_grant'],
    // RFC 9207: the answer of another provider (mix-up).
    ['iss', 'https://evil.example', 'The provider gave an answer that cannot be used'],
  ])('refuses a callback whose %s was replaced', async (name, value, sentence) => {
    const { browser, start } = await ground.begin();
    const callback = await signInAt(ground.provider, start, 'ada');
    callback.searchParams.set(name, value);
    const answer = await browser.get(callback.href);
    expect(answer.status).toBe(400);
    await expect(textOf(answer)).resolves.toContain(sentence);
    await expect(projectsOf(browser)).resolves.toBe('UNAUTHENTICATED');
  });

  test('shows the error of a provider that refuses, as text', async () => {
    const { browser, start } = await ground.begin();
    const { searchParams } = new URL(start);
    const query = new URLSearchParams({
      state: searchParams.get('state') ?? '',
      iss: ground.provider.issuer,
      error: 'access_denied',
      error_description: '<b>no</b>',
    });
    const page = await textOf(await browser.get(`/sign-in/callback?${query.toString()}`));
    expect(page).toContain('The provider refused (access_denied: &lt;b&gt;no&lt;/b&gt;).');
  });

  test('sends state, nonce and a PKCE challenge, and keeps the flow in an encrypted cookie', async () => {
    const { browser, start } = await ground.begin();
    const { searchParams } = new URL(start);
    expect(Object.fromEntries(searchParams)).toMatchObject({
      client_id: clientId,
      redirect_uri: `${ground.api.url}/sign-in/callback`,
      response_type: 'code',
      code_challenge_method: 'S256',
      state: expect.stringMatching(/^[\w-]{43}$/) as unknown,
      nonce: expect.stringMatching(/^[\w-]{43}$/) as unknown,
    });
    const [sealed = ''] = browser.cookies.values();
    expect(Buffer.from(sealed.split('.')[0] ?? '', 'base64url').toString()).toContain('A256GCM');
    expect(sealed).not.toContain(searchParams.get('state'));
  });

  test('several tabs may sign in at the same time, but not without end', async () => {
    const { browser, start } = await ground.begin();
    const second = (await browser.get('/sign-in/start')).headers.get('location') ?? '';
    for (const each of [second, start]) {
      expect((await browser.get((await signInAt(ground.provider, each, 'ada')).href)).status).toBe(303);
    }
    for (let tab = 0; tab < 12; tab += 1) await browser.get('/sign-in/start');
    expect(browser.cookies.size).toBeLessThanOrEqual(7);
  });

  test('renews the tokens before they expire, with the claims that the person has then', async () => {
    ground.provider.people.set('may', { groups: ['backup-admins'] });
    const { browser } = await ground.signIn('may');
    await expect(projectsOf(browser)).resolves.toMatchObject({ projects: { nodes: [{ name: 'shop' }] } });
    ground.provider.people.set('may', { groups: [] });
    const due = () =>
      ground.api.owner.query("UPDATE sign_in_sessions SET renew_at = clock_timestamp() WHERE subject = 'may'");
    await due();
    await expect(projectsOf(browser)).resolves.toMatchObject({ projects: { nodes: [] } });

    // The provider does not answer: the session stays.
    await due();
    ground.provider.intercept = (_request, response) => {
      response.writeHead(502).end('<html>');
      return true;
    };
    await expect(projectsOf(browser)).resolves.toMatchObject({ projects: { nodes: [] } });
    // The provider refuses: the session ends.
    await due();
    ground.provider.intercept = ({ url }, response) => {
      if (url !== '/token') return false;
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}');
      return true;
    };
    await expect(projectsOf(browser)).resolves.toBe('UNAUTHENTICATED');
  });

  test('a sign-out here leads to the sign-out at the provider', async () => {
    const { browser } = await ground.signIn('ada');
    const page = await textOf(await browser.postForm('/sign-out', {}));
    const [, href = ''] = /http-equiv="refresh" content="0; url=([^"]+)"/.exec(page) ?? [];
    const url = new URL(href.replaceAll('&amp;', '&'));
    expect(`${url.origin}${url.pathname}`).toBe(`${ground.provider.issuer}/session/end`);
    expect(url.searchParams.get('post_logout_redirect_uri')).toBe(`${ground.api.url}/sign-in/signed-out`);
    expect((await fetch(url)).status).toBe(200);
    await expect(projectsOf(browser)).resolves.toBe('UNAUTHENTICATED');
  });

  test('a person whose group claim has 300 kB signs in', async () => {
    const groups = [...Array.from({ length: 20_000 }, (_, index) => `group-${index}`), 'backup-admins'];
    ground.provider.people.set('zoe', { groups });
    const { browser } = await ground.signIn('zoe');
    await expect(projectsOf(browser)).resolves.toMatchObject({ projects: { nodes: [{ name: 'shop' }] } });
  });

  test('keys that the provider has rotated are found', async () => {
    await ground.provider.rotateKeys();
    const { browser } = await ground.signIn('ada');
    await expect(projectsOf(browser)).resolves.toMatchObject({ projects: { nodes: [{ name: 'shop' }] } });
  });
});
