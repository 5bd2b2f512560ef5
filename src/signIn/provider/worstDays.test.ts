import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { providerConfig, startProviderApi, type ProviderApi } from '../../../test/fixtures/api/providerApi.js';
import type { WebBrowser } from '../../../test/fixtures/api/webBrowser.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { makeCertificates } from '../../../test/fixtures/servers/certificates.js';
import { clientId, startOidcProvider, type TestProvider } from '../../../test/fixtures/servers/oidcProvider.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { FlowCookies } from '../flowCookies.js';
import { createSealing } from '../sealing.js';
import { pinnedFetch } from './pinnedFetch.js';
import { Provider } from './provider.js';
import { whyRefused } from './whyRefused.js';

const callback = 'http://127.0.0.1:1/sign-in/callback';

const refusalOf = (outcome: Promise<unknown>) =>
  outcome.then(
    () => undefined,
    (error: unknown) => whyRefused(error),
  );

describe('a provider', () => {
  let server: TestProvider;
  let fetching: ReturnType<typeof pinnedFetch>;
  beforeAll(async () => {
    server = await startOidcProvider();
    await server.serve('http://127.0.0.1:1');
    fetching = pinnedFetch(() => true);
  });
  afterEach(() => {
    server.intercept = undefined;
  });
  afterAll(async () => {
    await fetching.close();
    await server.stop();
  });

  test('with a certificate that cannot be trusted is not used', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stowage-certificates-'));
    const { certificateFile, keyFile } = await makeCertificates(folder, 'localhost');
    let isCalled = false;
    const https = createServer({ cert: await readFile(certificateFile), key: await readFile(keyFile) }, () => {
      isCalled = true;
    });
    https.listen(0, '127.0.0.1');
    await once(https, 'listening');
    const issuer = `https://localhost:${(https.address() as AddressInfo).port}`;
    const refusal = await refusalOf(new Provider(providerConfig(issuer), fetching.fetch).start(callback));
    expect(refusal?.sentence).toMatch(/^localhost:\d+ has a TLS certificate or protocol that cannot be trusted/);
    expect(refusal?.wayOut).toContain('Ask the operator of this installation.');
    expect(isCalled).toBe(false);
    https.close();
    https.closeAllConnections();
    await once(https, 'close');
    await rm(folder, { recursive: true });
  });

  test('that does not answer is given up', async () => {
    server.intercept = () => true;
    const refusal = await refusalOf(new Provider(providerConfig(server.issuer), fetching.fetch).start(callback));
    expect(refusal?.sentence).toMatch(/stopped answering|did not answer in time/);
  }, 60_000);

  test.each([
    ['expired minutes ago', { exp: -300 }],
    ['is valid only in minutes', { nbf: 300 }],
  ])('whose identity %s is explained by the clocks', async (_what, times) => {
    const provider = new Provider(providerConfig(server.issuer), fetching.fetch);
    const { flow } = await provider.start(callback);
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: server.issuer, aud: clientId, sub: 'ada', nonce: flow.nonce, iat: now - 600, exp: now + 600 };
    const shifted = Object.fromEntries(Object.entries(times).map(([name, seconds]) => [name, now + seconds]));
    const idToken = await server.sign({ ...claims, ...shifted });
    server.intercept = (request, response) => {
      if (request.url !== '/token') return false;
      const answer = { access_token: 'any', token_type: 'bearer', id_token: idToken };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      return true;
    };
    const url = new URL(`${callback}?code=any&state=${flow.state}&iss=${encodeURIComponent(server.issuer)}`);
    const refusal = await refusalOf(provider.finish(url, flow));
    expect(refusal?.sentence).toBe('The clocks of this server and of the provider differ by more than 30 seconds.');
  });

  test('that is not the one of the sign-in is refused (mix-up)', async () => {
    const provider = new Provider(providerConfig(server.issuer), fetching.fetch);
    const { flow } = await provider.start(callback);
    const requested: (string | undefined)[] = [];
    server.intercept = (request) => {
      requested.push(request.url);
      return false;
    };
    for (const iss of ['https://evil.example', `${server.issuer}/`, '']) {
      const url = new URL(`${callback}?code=any&state=${flow.state}&iss=${encodeURIComponent(iss)}`);
      expect(await refusalOf(provider.finish(url, flow))).toBeDefined();
    }
    const without = new URL(`${callback}?code=any&state=${flow.state}`);
    expect(await refusalOf(provider.finish(without, flow))).toBeDefined();
    // The code was sent to nobody.
    expect(requested.filter((url) => url === '/token')).toEqual([]);
  });
});

describeWith({ postgresql: await postgresMissing() }, 'an installation', () => {
  let ground: ProviderApi;
  beforeAll(async () => {
    ground = await startProviderApi();
  });
  afterAll(() => ground.stop());

  const lostKey = createSealing([{ id: 'yesterday', key: new Uint8Array(32).fill(7) }]);
  const isSignedIn = async (browser: WebBrowser) => {
    const { signedIn } = (await (await browser.get('/sign-in/session')).json()) as { signedIn: boolean };
    expect((await browser.graphql('{ me { subject } }')).status).toBe(signedIn ? 200 : 401);
    return signedIn;
  };

  test('without the keys of yesterday asks to sign in again', async () => {
    const { browser, start } = await ground.begin();
    const state = new URL(start).searchParams.get('state') ?? '';
    const site = { origin: ground.api.url, prefix: '', isHttps: false };
    const flow = { issuer: ground.provider.issuer, state, nonce: 'n', codeVerifier: 'v', returnTo: '/playground' };
    const request = { headers: {} } as Parameters<FlowCookies['keep']>[0];
    const [line = ''] = await new FlowCookies(lostKey, () => new Date()).keep(request, site, flow);
    const [, name = '', value = ''] = /^([^=]+)=([^;]+)/.exec(line) ?? [];
    expect(browser.cookies.has(name)).toBe(true);
    browser.cookies.set(name, value);
    const page = await browser.get(`/sign-in/callback?code=any&state=${state}`);
    expect(page.status).toBe(400);
    expect(await page.text()).toContain('Sign in again');
  });

  test('ends a session whose tokens were encrypted with a key of yesterday, when they have to be renewed', async () => {
    const { browser } = await ground.signIn('ada');
    expect(await isSignedIn(browser)).toBe(true);
    await ground.api.owner.query(
      "UPDATE sign_in_sessions SET sealed_tokens = $1, renew_at = clock_timestamp() WHERE subject = 'ada'",
      [Buffer.from(await lostKey.seal({ idToken: null, refreshToken: 'r', accessToken: 'a' }))],
    );
    expect(await isSignedIn(browser)).toBe(false);
  });

  test('opens nothing for the sessions of the provider that it had before, and leads to the sign-in', async () => {
    const { browser } = await ground.signIn('bob');
    await ground.api.owner.query(
      "UPDATE sign_in_sessions SET issuer = 'https://old.example.org' WHERE subject = 'bob'",
    );
    expect(await isSignedIn(browser)).toBe(false);
    // A redirect to the page that needs the sign-in would never end.
    expect((await browser.get('/sign-in?return=/v2/dashboard/any')).status).toBe(200);
  });
});
