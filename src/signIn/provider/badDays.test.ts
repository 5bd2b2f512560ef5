import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { providerConfig, startProviderApi } from '../../../test/fixtures/api/providerApi.js';
import { WebBrowser } from '../../../test/fixtures/api/webBrowser.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { startOidcProvider, type TestProvider } from '../../../test/fixtures/servers/oidcProvider.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { pinnedFetch } from './pinnedFetch.js';
import { Provider } from './provider.js';
import { whyRefused } from './whyRefused.js';

describe('a provider on a bad day', () => {
  let server: TestProvider;
  let fetching: ReturnType<typeof pinnedFetch>;
  beforeAll(async () => {
    server = await startOidcProvider();
    await server.serve('http://127.0.0.1:1');
    fetching = pinnedFetch(providerConfig(server.issuer).allowedTargets.allowsHost);
  });
  afterEach(() => {
    server.intercept = undefined;
  });
  afterAll(async () => {
    await fetching.close();
    await server.stop();
  });

  const reason = async (provider = new Provider(providerConfig(server.issuer), fetching.fetch)): Promise<string> =>
    provider.start('http://127.0.0.1:1/sign-in/callback').then(
      () => 'started',
      (error: unknown) => whyRefused(error).sentence,
    );
  const answer = (write: (response: ServerResponse) => unknown) => {
    server.intercept = (_request, response) => {
      write(response);
      return true;
    };
  };
  const json = (value: object) => (response: ServerResponse) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));

  test('refuses nothing on a good day', async () => {
    await expect(reason()).resolves.toBe('started');
  });

  test.each([
    [
      'a page',
      (response: ServerResponse) => response.end('<html>'),
      'The provider gave an answer that cannot be used.',
    ],
    [
      'no JSON',
      (response: ServerResponse) => response.writeHead(200, { 'content-type': 'application/json' }).end('{'),
      'The provider gave an answer that cannot be used.',
    ],
    [
      'an error',
      (response: ServerResponse) => response.writeHead(500).end(),
      'The provider gave an answer that cannot be used.',
    ],
    [
      'half of an answer',
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-length': '100' }).end('{', () => response.destroy()),
      /ended the connection before its answer was complete/,
    ],
    [
      'too much',
      (response: ServerResponse) => response.end('x'.repeat(3_000_000)),
      /ended the connection before its answer was complete/,
    ],
    ['another issuer', json({ issuer: 'https://evil.example' }), 'The provider names another issuer than OIDC_ISSUER.'],
    [
      'a redirect',
      (response: ServerResponse) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      'The provider gave an answer that cannot be used.',
    ],
  ])('that answers with %s is explained', async (_what, write, sentence) => {
    answer(write);
    await expect(reason()).resolves.toMatch(sentence);
  });

  test('that does not run is explained', async () => {
    const provider = new Provider(providerConfig('http://127.0.0.1:9'), fetching.fetch);
    await expect(reason(provider)).resolves.toBe('127.0.0.1:9 refused the connection.');
  });

  test('whose address is not allowed is not contacted', async () => {
    const refusing = pinnedFetch(() => false);
    const provider = new Provider(providerConfig('https://169.254.169.254'), refusing.fetch);
    await expect(reason(provider)).resolves.toMatch(/was not contacted: .* may not connect to/);
    await refusing.close();
  });

  test('whose metadata names a host that is not allowed gets nothing sent there', async () => {
    let isCalled = false;
    const other = await startOidcProvider();
    other.intercept = (_request, response) => {
      isCalled = true;
      response.end('{}');
      return true;
    };
    // The same machine under a name that is not the name of the issuer.
    const elsewhere = other.issuer.replace('127.0.0.1', '127.0.0.2');
    answer((response) =>
      json({
        issuer: server.issuer,
        authorization_endpoint: `${server.issuer}/auth`,
        token_endpoint: `${elsewhere}/token`,
        jwks_uri: `${elsewhere}/keys`,
      })(response),
    );
    const provider = new Provider(providerConfig(server.issuer), fetching.fetch);
    const { flow } = await provider.start('http://127.0.0.1:1/sign-in/callback');
    const callback = new URL(`http://127.0.0.1:1/sign-in/callback?code=x&state=${flow.state}&iss=${server.issuer}`);
    const sentence = await provider.finish(callback, flow).then(
      () => 'finished',
      (error: unknown) => whyRefused(error).sentence,
    );
    expect(sentence).toMatch(/was not contacted/);
    expect(isCalled).toBe(false);
    await other.stop();
  });

  test('is asked again 5 s after a failure, and many sign-ins cause one request', async () => {
    let [nowMs, requests] = [0, 0];
    const provider = new Provider(providerConfig(server.issuer), fetching.fetch, () => nowMs);
    server.intercept = (_request, response) => {
      requests += 1;
      response.writeHead(503).end();
      return true;
    };
    await Promise.all(Array.from({ length: 20 }, () => reason(provider)));
    nowMs = 4_999;
    await reason(provider);
    expect(requests).toBe(1);
    server.intercept = undefined;
    nowMs = 5_001;
    await expect(reason(provider)).resolves.toBe('started');
    // Later it is away: the known metadata stays in use.
    answer((response) => response.writeHead(503).end());
    nowMs += 3_600_001;
    await expect(reason(provider)).resolves.toBe('started');
  });
});

describeWith({ postgresql: await postgresMissing() }, 'an API whose provider is down at its start', () => {
  test('starts, accepts tokens, and says why people cannot sign in', async () => {
    const ground = await startProviderApi({ OIDC_AUDIENCE: 'api' }, { isDown: true });
    try {
      const browser = new WebBrowser(ground.api.url);
      const page = await browser.get('/sign-in/start');
      expect(page.status).toBe(503);
      await expect(page.text()).resolves.toContain('The provider gave an answer that cannot be used.');
      expect((await browser.get('/sign-in')).status).toBe(200);
      expect((await ground.api.post('query { me { subject } }')).errors).toEqual([]);
      const { errors } = await ground.api.post(
        'query { me { subject } }',
        {},
        await ground.provider.sign({ sub: 'ada' }),
      );
      expect(errors[0]?.extensions.code).toBe('UNAVAILABLE');
      const authorization = `Bearer ${await ground.provider.sign({ sub: 'ada' })}`;
      const metrics = await fetch(`${ground.api.url}/metrics`, { headers: { authorization } });
      expect([metrics.status, metrics.headers.get('retry-after')]).toEqual([503, '5']);
      await expect(metrics.text()).resolves.toContain('cannot be read now');
      expect(ground.api.logged.join('\n')).toContain('People cannot sign in until it answers.');
    } finally {
      await ground.stop();
    }
  });
});
