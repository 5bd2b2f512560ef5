import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startProviderApi, type ProviderApi } from '../../../test/fixtures/api/providerApi.js';
import { WebBrowser } from '../../../test/fixtures/api/webBrowser.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';

const setMember = `mutation ($projectId: ID!, $serviceId: ID, $issuer: String!, $subject: String!, $role: Role) {
  setMember(projectId: $projectId, serviceId: $serviceId, issuer: $issuer, subject: $subject, role: $role) { id } }`;

describeWith({ postgresql: await postgresMissing() }, 'the dashboard of a service instance', () => {
  let ground: ProviderApi;
  let own: SettledProject;
  let path: string;
  beforeAll(async () => {
    ground = await startProviderApi();
    own = await settleProject(ground.api, 'Amsterdam', 9);
    path = `/v2/dashboard/${own.instanceId}`;
  });
  afterAll(() => ground.stop());

  const give = async (subject: string, role: string | null, serviceId: string | null = null) => {
    const who = { projectId: own.projectId, serviceId, issuer: ground.provider.issuer, subject };
    expect((await ground.api.post(setMember, { ...who, role })).errors).toEqual([]);
  };
  const events = async () => {
    const query = 'query ($id: ID!) { events(projectId: $id, first: 200) { nodes { type data } } }';
    const { data } = await ground.api.post(query, { id: own.projectId });
    const all = data.events.nodes as { type: string; data: { sub: string } }[];
    return all.filter(({ type }) => type === 'DashboardAuthorised').map(({ data: { sub } }) => sub);
  };
  const read = async (answer: Promise<Response>) => {
    const response = await answer;
    return { status: response.status, location: response.headers.get('location'), text: await response.text() };
  };

  test('leads a person who is signed out to the sign-in, and back', async () => {
    const stranger = new WebBrowser(ground.api.url);
    const start = `/sign-in/start?return=${encodeURIComponent(path)}`;
    expect(await read(stranger.get(path))).toMatchObject({ status: 303, location: start });
    await give('sam', 'VIEWER', own.serviceId);
    const { browser, location } = await ground.signIn('sam', path);
    expect(location).toBe(path);
    expect((await browser.get(path)).status).toBe(200);
  });

  test('asks a person once to authorise it, and records the answer as an event', async () => {
    await give('vera', 'OPERATOR');
    const { browser } = await ground.signIn('vera', path);
    const asked = await read(browser.get(path));
    expect(asked.text).toContain('Authorise the dashboard of Amsterdam orders');
    expect(asked.text).toContain('Also run, cancel and hold backups');
    expect(asked.text).not.toContain('Also change and delete');
    expect(asked.text).not.toContain('<script');

    const refused = await read(browser.postForm(`${path}/authorise`, { answer: 'refuse' }));
    expect(refused.text).toContain('The dashboard stays closed');
    expect(await events()).not.toContain('vera');
    expect((await read(browser.get(path))).text).toContain('Authorise the dashboard');

    const agreed = await read(browser.postForm(`${path}/authorise`, { answer: 'authorise' }));
    expect(agreed).toMatchObject({ status: 303, location: path });
    await browser.postForm(`${path}/authorise`, { answer: 'authorise' });
    expect((await events()).filter((sub) => sub === 'vera')).toHaveLength(1);
    expect((await read(browser.get(path))).text).toContain('<h1>Amsterdam orders</h1>');
    const again = await ground.signIn('vera', path);
    expect((await read(again.browser.get(path))).text).toContain('<h1>Amsterdam orders</h1>');
  });

  test('asks each person, and each again for another service', async () => {
    await give('olga', 'ADMIN');
    const { browser } = await ground.signIn('olga', path);
    expect((await read(browser.get(path))).text).toContain('Authorise the dashboard');
    await browser.postForm(`${path}/authorise`, { answer: 'authorise' });
    const query = 'query ($id: ID!) { service(id: $id) { instanceId } }';
    const { data } = await ground.api.post(query, { id: own.idleServiceId });
    const other = `/v2/dashboard/${(data as { service: { instanceId: string } }).service.instanceId}`;
    expect((await read(browser.get(other))).text).toContain('Authorise the dashboard of Amsterdam idle');
  });

  test('is authorised by no form of another site, and by nobody without a role', async () => {
    await give('tim', 'ADMIN');
    const { browser } = await ground.signIn('tim', path);
    const answer = { answer: 'authorise' };
    for (const origin of ['https://evil.example', 'null']) {
      expect((await browser.postForm(`${path}/authorise`, answer, { origin })).status).toBe(403);
    }
    const unknown = await ground.signIn('zoe', path);
    expect((await read(unknown.browser.postForm(`${path}/authorise`, answer))).status).toBe(404);
    const stranger = new WebBrowser(ground.api.url);
    expect((await read(stranger.postForm(`${path}/authorise`, answer))).status).toBe(303);
    expect((await events()).filter((sub) => ['tim', 'zoe'].includes(sub))).toEqual([]);
  });

  test('answers about a service without a role and a service that does not exist with the same words', async () => {
    const { browser } = await ground.signIn('zoe', path);
    const [foreign, missing] = [await read(browser.get(path)), await read(browser.get('/v2/dashboard/no-such'))];
    expect(foreign.status).toBe(404);
    expect(foreign.text.replaceAll(own.instanceId, 'no-such')).toBe(missing.text);
    expect(foreign.text).toContain('<code>zoe</code>');
    expect(foreign.text).toContain(`<code>${ground.provider.issuer}</code>`);
  });

  test('escapes what strangers choose, and loads nothing from elsewhere', async () => {
    const { browser } = await ground.signIn('zoe', path);
    const page = await browser.get(`/v2/dashboard/${encodeURIComponent('<img src=x onerror=alert(1)>')}`);
    expect(await page.text()).not.toContain('<img');
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    expect(page.headers.get('x-frame-options')).toBe('DENY');
    expect(page.headers.get('cache-control')).toBe('no-store');
  });

  test('opens for the administrator of the installation without a question', async () => {
    const { data } = await ground.api.post('mutation { createSignInLink { url } }');
    const code = (data as { createSignInLink: { url: string } }).createSignInLink.url.split('#')[1] ?? '';
    const browser = new WebBrowser(ground.api.url);
    await browser.postForm('/sign-in/link', { code });
    expect((await read(browser.get(path))).text).toContain('<h1>Amsterdam orders</h1>');
    expect((await browser.get('/v2/dashboard/no-such')).status).toBe(404);
    const query = 'query ($id: ID!) { service(id: $id) { instanceId } }';
    const removed = await ground.api.post(query, { id: own.removedServiceId });
    const { instanceId } = (removed.data as { service: { instanceId: string } }).service;
    expect((await browser.get(`/v2/dashboard/${instanceId}`)).status).toBe(404);
  });
});
