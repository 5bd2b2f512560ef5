import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startProviderApi, type ProviderApi } from '../../../test/fixtures/api/providerApi.js';
import type { WebBrowser } from '../../../test/fixtures/api/webBrowser.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { serveUaa, startCloudFoundry, type TestCloudFoundry } from '../../../test/fixtures/servers/cloudFoundry.js';
import { clientId } from '../../../test/fixtures/servers/oidcProvider.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';

const readOnly = { read: true, manage: false };
const mayManage = { read: true, manage: true };

describeWith({ postgresql: await postgresMissing() }, 'people of a Cloud Foundry', () => {
  let cloud: TestCloudFoundry;
  let ground: ProviderApi;
  let own: SettledProject;
  let dashboard: string;
  beforeAll(async () => {
    cloud = await startCloudFoundry();
    const settings = { OIDC_CLOUD_FOUNDRY_URL: cloud.url, OIDC_AUDIENCE: clientId };
    ground = await startProviderApi(settings, { provider: cloud.uaa, serve: serveUaa });
    own = await settleProject(ground.api, 'Amsterdam', 9);
    dashboard = `/v2/dashboard/${own.instanceId}`;
    cloud.uaa.people.set('vera', { user_name: 'vera@example.org' });
    cloud.permissions.set(`vera ${own.instanceId}`, readOnly);
    cloud.permissions.set(`mona ${own.instanceId}`, mayManage);
  });
  afterEach(() => {
    cloud.answer = undefined;
  });
  afterAll(async () => {
    await ground.stop();
    await cloud.stop();
  });

  const rights = '{ services { nodes { id viewerActions } } projects { nodes { viewerRole } } }';
  const opened = async (login: string, path = dashboard) => {
    const { browser, location } = await ground.signIn(login, path);
    expect(location).toBe(path);
    const page = await browser.get(path);
    return { browser, status: page.status, text: await page.text() };
  };
  const servicesOf = async (browser: WebBrowser) => {
    const { data } = await browser.graphql(rights);
    return (data as { services: { nodes: { id: string; viewerActions: string[] }[] } } | null)?.services.nodes;
  };

  test('open a dashboard by the sign-in of the platform, with the role that the platform gives', async () => {
    const vera = await opened('vera');
    expect([vera.status, vera.text]).toEqual([200, expect.stringContaining('Amsterdam orders')]);
    expect(vera.text).toContain('VIEWER');
    expect(await servicesOf(vera.browser)).toEqual([{ id: own.serviceId, viewerActions: [] }]);
    const mona = await opened('mona');
    expect(mona.text).toContain('ADMIN');
    expect((await servicesOf(mona.browser))?.[0]?.viewerActions).toContain('UPDATE');
    const { data } = await ground.api.post(
      'query ($id: ID!) { events(projectId: $id, first: 200) { nodes { type actor summary } } }',
      { id: own.projectId },
    );
    expect(data.events.nodes).toContainEqual({
      type: 'DashboardAuthorised',
      actor: `person:${cloud.uaa.issuer}#vera`,
      summary: `vera@example.org authorised the dashboard of service ${own.serviceId}, at the provider.`,
    });
  });

  test('are asked for no more scopes than the platform needs', async () => {
    const { start } = await ground.begin();
    expect(new URL(start).searchParams.get('scope')).toBe('openid cloud_controller_service_permissions.read');
  });

  test('get the same page for a service without a role and for one that does not exist', async () => {
    const [foreign, missing] = [await opened('nina'), await opened('nina', '/v2/dashboard/no-such-instance')];
    expect([foreign.status, missing.status]).toEqual([404, 404]);
    expect(foreign.text.replaceAll(own.instanceId, 'no-such-instance')).toBe(missing.text);
    expect(foreign.text).toContain('nina');
    expect(cloud.requests).toContain('/v3/service_instances/no-such-instance/permissions');
    expect(await servicesOf(foreign.browser)).toEqual([]);
  });

  test.each(['..', '.', '%2e%2e', 'a%2fb', 'a%0d%0ab', '%00'])(
    'cause no other request with the instance id %s',
    async (id) => {
      const { browser } = await ground.signIn('vera', dashboard);
      const before = cloud.requests.length;
      const answer = await browser.get(`/v2/dashboard/${id}`);
      expect([404, 400]).toContain(answer.status);
      expect(cloud.requests.slice(before)).toEqual([]);
    },
  );

  test.each([
    ['an error', (response: Answer) => response.writeHead(500).end()],
    ['a page', (response: Answer) => response.end('<html>')],
    ['other JSON', (response: Answer) => response.end('{"read":"yes","manage":1}')],
    ['a redirect', (response: Answer) => response.writeHead(302, { location: `${cloud.url}/elsewhere` }).end()],
    ['nothing', (response: Answer) => response.destroy()],
    ['too many requests', (response: Answer) => response.writeHead(429).end()],
  ])('are refused while the platform answers with %s', async (_what, write) => {
    const { browser } = await ground.signIn('vera', dashboard);
    cloud.answer = (_request, response) => write(response);
    const before = cloud.requests.length;
    const page = await browser.get(dashboard);
    expect([page.status, page.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await page.text()).toContain('does not answer whether you may see this service');
    expect(cloud.requests.slice(before)).toEqual([`/v3/service_instances/${own.instanceId}/permissions`]);
  });

  test('lose a right within 60 s of losing it on the platform, also with an open WebSocket', async () => {
    cloud.permissions.set(`lola ${own.instanceId}`, readOnly);
    const { browser } = await opened('lola');
    const { closed, client } = await subscribed(browser);
    cloud.permissions.delete(`lola ${own.instanceId}`);
    const lostAt = performance.now();
    expect(await closed).toEqual({ code: 4403, reason: 'Forbidden: the rights were reduced' });
    expect(performance.now() - lostAt).toBeLessThan(60_000);
    expect(await servicesOf(browser)).toEqual([]);
    await client.dispose();
  }, 90_000);

  test('are asked to sign in again when the platform refuses their token for good', async () => {
    const { browser } = await opened('vera');
    await ground.api.owner.query("UPDATE sign_in_sessions SET renew_at = clock_timestamp() WHERE subject = 'vera'");
    const refused = cloud.uaa.intercept;
    cloud.uaa.intercept = (request, response) => {
      if (request.url !== '/oauth/token') return refused?.(request, response) ?? false;
      response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"invalid_token"}');
      return true;
    };
    const page = await browser.get(dashboard);
    cloud.uaa.intercept = refused;
    expect([page.status, page.headers.get('location')]).toEqual([
      303,
      `/sign-in/start?return=${encodeURIComponent(dashboard)}`,
    ]);
  });

  test('sign out at the UAA too, which returns to the page of Stowage', async () => {
    const { browser } = await opened('vera');
    const page = await (await browser.postForm('/sign-out', {})).text();
    const [, next = ''] = /href="(http[^"]+logout\.do[^"]+)"/.exec(page) ?? [];
    const url = new URL(next.replaceAll('&amp;', '&'));
    expect([url.origin, url.pathname]).toEqual([cloud.uaa.origin, '/logout.do']);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: 'stowage',
      redirect: `${ground.api.url}/sign-in/signed-out`,
    });
  });

  describe('programs with an access token of a person', () => {
    const bearer = (login: string, more: object = {}) => {
      const now = Math.floor(Date.now() / 1000);
      return cloud.uaa.sign({
        ...{ iss: cloud.uaa.issuer, sub: login, user_id: login, user_name: `${login}@example.org`, iat: now },
        ...{ aud: ['openid', 'cloud_controller_service_permissions', clientId], exp: now + 600, jti: randomUUID() },
        ...{ cid: clientId, client_id: clientId, grant_type: 'authorization_code', zid: 'uaa' },
        ...{ scope: ['openid', 'cloud_controller_service_permissions.read'] },
        ...more,
      });
    };
    const ask = async (token: string, instances?: string) => {
      const named = instances === undefined ? {} : { 'stowage-service-instances': instances };
      const response = await fetch(`${ground.api.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...named },
        body: JSON.stringify({ query: rights }),
      });
      const { data, errors } = (await response.json()) as {
        data?: { services: { nodes: { id: string; viewerActions: string[] }[] } };
        errors?: { extensions: { code: string } }[];
      };
      return { status: response.status, services: data?.services.nodes, code: errors?.[0]?.extensions.code };
    };
    const failing = (status: number) => {
      cloud.answer = (_request, response) => response.writeHead(status).end();
    };

    test('have the role that the platform gives in the service instances that a request names', async () => {
      const seen = await ask(await bearer('vera'), `no-such-instance, ${own.instanceId},../..,a/b`);
      expect(seen.services).toEqual([{ id: own.serviceId, viewerActions: [] }]);
      expect((await ask(await bearer('mona'), own.instanceId)).services?.[0]?.viewerActions).toContain('UPDATE');
      expect((await ask(await bearer('nina'), own.instanceId)).services).toEqual([]);
      expect((await ask(await bearer('vera'))).services).toEqual([]);
    });

    test('ask the platform once for several requests, also about an instance that does not exist here', async () => {
      const token = await bearer('vera');
      const before = cloud.requests.length;
      for (let each = 0; each < 3; each += 1) await ask(token, `no-such-instance,${own.instanceId}`);
      expect(cloud.requests.slice(before).toSorted()).toEqual(
        ['no-such-instance', own.instanceId].map((id) => `/v3/service_instances/${id}/permissions`).toSorted(),
      );
    });

    test('are refused while the platform does not answer, or if it refuses the token', async () => {
      failing(500);
      expect(await ask(await bearer('vera'), own.instanceId)).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
      expect(await openedSocket(await bearer('vera'))).toMatchObject({ code: 1013 });
      failing(401);
      expect(await ask(await bearer('vera'), own.instanceId)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    });

    test('cannot name more service instances than the limit', async () => {
      const many = Array.from({ length: 21 }, (_, index) => `instance-${index}`).join(',');
      const before = cloud.requests.length;
      expect(await ask(await bearer('vera'), many)).toMatchObject({ status: 400, code: 'BAD_INPUT' });
      expect(await openedSocket(await bearer('vera'), many)).toMatchObject({ code: 4400 });
      expect(cloud.requests.slice(before)).toEqual([]);
    });

    test.each([
      ['a refresh token', { jti: `${randomUUID()}-r` }],
      ['a refresh token with its scopes', { granted_scopes: ['openid'] }],
      ['a token of a client whose id is that of a person', { user_id: undefined, grant_type: 'client_credentials' }],
    ])('are refused with %s', async (_what, claims) => {
      expect(await ask(await bearer('vera', claims))).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    });

    test('lose a right within 60 s of losing it on the platform, also with an open WebSocket', async () => {
      cloud.permissions.set(`lena ${own.instanceId}`, mayManage);
      const token = await bearer('lena');
      const { closed, client } = await subscribed({ authorization: token, serviceInstances: own.instanceId });
      cloud.permissions.delete(`lena ${own.instanceId}`);
      const lostAt = performance.now();
      expect(await closed).toEqual({ code: 4403, reason: 'Forbidden: the rights were reduced' });
      expect(performance.now() - lostAt).toBeLessThan(60_000);
      expect((await ask(token, own.instanceId)).services).toEqual([]);
      await client.dispose();
    }, 90_000);

    test('lose an open WebSocket within 60 s if the platform does not answer any more', async () => {
      const token = await bearer('vera');
      const { closed, client } = await subscribed({ authorization: token, serviceInstances: own.instanceId });
      failing(500);
      expect(await closed).toEqual({ code: 1013, reason: 'Try again later: the rights cannot be checked' });
      await client.dispose();
    }, 90_000);

    async function openedSocket(token: string, serviceInstances = own.instanceId): Promise<unknown> {
      const client = createClient({
        url: `${ground.api.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: token, serviceInstances },
        retryAttempts: 0,
      });
      return client
        .iterate({ query: '{ me { subject } }' })
        .next()
        .catch((closed: unknown) => closed);
    }
  });

  async function subscribed(
    caller: WebBrowser | { readonly authorization: string; readonly serviceInstances: string },
  ): Promise<{ closed: Promise<object>; client: Client }> {
    let close: (event: object) => void = () => undefined;
    const closed = new Promise<object>((resolve) => (close = resolve));
    class BrowserSocket extends WebSocket {
      constructor(address: string, protocols: string[]) {
        const headers = 'origin' in caller ? { origin: caller.origin, cookie: caller.cookieHeader } : {};
        super(address, protocols, { headers });
      }
    }
    const client = createClient({
      url: `${ground.api.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: BrowserSocket,
      retryAttempts: 0,
      ...('origin' in caller ? {} : { connectionParams: { ...caller } }),
      on: {
        closed(event) {
          const { code, reason } = event as { code: number; reason: string };
          close({ code, reason });
        },
      },
    });
    const events = client.iterate({ query: 'subscription { events(after: "0") { id } }' });
    expect((await events.next()).value).toMatchObject({ data: { events: { id: expect.any(String) } } });
    return { closed, client };
  }
});

type Answer = Parameters<NonNullable<TestCloudFoundry['answer']>>[1];
