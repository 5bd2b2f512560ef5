import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import { startProviderApi, type ProviderApi } from '../../test/fixtures/api/providerApi.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { settleProject } from '../../test/fixtures/settledProject.js';

const executablePath = '/usr/bin/chromium';
const missing = existsSync(executablePath) ? undefined : `there is no ${executablePath}`;
/** A folder for screenshots, to look at the pages. Unset: there are none. */
const pictures = process.env['STOWAGE_TEST_PICTURES'];
const rules = [{ claim: 'groups', contains: 'backup-admins', role: 'ADMIN', project: 'shop' }];

describeWith({ chromium: missing, postgresql: await postgresMissing() }, 'the sign-in in a browser', () => {
  let ground: ProviderApi;
  let chrome: Browser;
  beforeAll(async () => {
    ground = await startProviderApi({ OIDC_CLAIM_RULES: JSON.stringify(rules) });
    await ground.api.post('mutation { createProject(name: "shop") { id } }');
    chrome = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
    });
  });
  afterAll(async () => {
    await chrome.close();
    await ground.stop();
  });

  /** A page of a new browser, with what the browser reports as blocked or broken. */
  const open = async (path: string) => {
    const page = await (await chrome.newContext()).newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // The pages of the provider load fonts of other servers.
      const isOwn = message.location().url.startsWith(ground.api.url) && !message.text().includes('401');
      if (message.type() === 'error' && isOwn) complaints.push(message.text());
    });
    await page.goto(`${ground.api.url}${path}`);
    return { page, complaints };
  };
  /** A picture at the width of a phone and of a screen, light and dark. No page needs to be scrolled sideways. */
  const picture = async (page: Page, name: string) => {
    const before = page.viewportSize();
    for (const width of [360, 1280])
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        const path = join(pictures ?? '', `${name}-${width}-${colorScheme}.png`);
        if (pictures !== undefined) await page.screenshot({ path, fullPage: true });
        const isOwn = page.url().startsWith(ground.api.url) && !page.url().includes('/playground');
        if (isOwn) expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      }
    if (before !== null) await page.setViewportSize(before);
  };
  /** Fills in the pages of the provider until it returns. */
  const signInAtProvider = async (page: Page, login: string) => {
    await page.fill('input[name=login]', login);
    await page.fill('input[name=password]', 'any');
    await page.click('button[type=submit]');
    await page.click('button:has-text("Continue")');
  };
  const ask = (page: Page, url = '') =>
    page.evaluate(async (origin) => {
      const request = { method: 'POST', headers: { 'content-type': 'application/json' } };
      const body = JSON.stringify({ query: '{ me { name } projects { nodes { name } } }' });
      const response = await fetch(`${origin}/graphql`, { ...request, body });
      return [response.status, await response.json()] as const;
    }, url);

  test('a person finds the whole way in and out, also at the provider', async () => {
    const { page, complaints } = await open('/playground');
    await page.click('a:has-text("Sign in")');
    await picture(page, 'sign-in');
    await page.click('a:has-text("Sign in with")');
    await signInAtProvider(page, 'ada');
    await page.waitForURL(`${ground.api.url}/playground`);
    await page.waitForSelector('text=Ada Example');
    await picture(page, 'playground');
    await expect(ask(page)).resolves.toEqual([
      200,
      { data: { me: { name: 'Ada Example' }, projects: { nodes: [{ name: 'shop' }] } } },
    ]);
    expect(await page.evaluate('document.cookie')).toBe('');

    await page.click('a:has-text("sessions")');
    await page.waitForSelector('text=This browser');
    await picture(page, 'sessions');
    await page.click('button:has-text("Sign out")');
    await page.waitForURL(`${ground.provider.issuer}/session/end**`);
    await page.click('button:has-text("Yes, sign me out")');
    await page.waitForURL(`${ground.api.url}/sign-in/signed-out**`);
    await picture(page, 'signed-out');
    expect(complaints).toEqual([]);
    await page.goto(`${ground.api.url}/playground`);
    expect((await ask(page))[0]).toBe(401);
  });

  test('a one-time link opens the playground, and its code is in no address of the history', async () => {
    const { data } = await ground.api.post('mutation { createSignInLink { url } }');
    const { url } = (data as { createSignInLink: { url: string } }).createSignInLink;
    const { page } = await open(url.slice(ground.api.url.length));
    await page.waitForURL(`${ground.api.url}/playground`);
    await page.waitForSelector('text=Administrator of the installation');
    await page.goBack();
    expect(page.url()).not.toContain('#');
    const again = await open(url.slice(ground.api.url.length));
    await again.page.waitForSelector('text=This link was used before');
    await picture(again.page, 'used-link');
  });

  test('a person without rights sees whom to ask', async () => {
    const { page } = await open('/sign-in/start?return=/playground');
    await signInAtProvider(page, 'bob');
    await page.waitForSelector('text=You have no access yet');
    await picture(page, 'no-access');
  });

  test('a dashboard works without JavaScript, from the sign-in to the authorisation and the sign-out', async () => {
    const own = await settleProject(ground.api, 'Amsterdam', 9);
    const path = `/v2/dashboard/${own.instanceId}`;
    const variables = { projectId: own.projectId, issuer: ground.provider.issuer };
    await ground.api.post(
      'mutation ($projectId: ID!, $issuer: String!) { setMember(projectId: $projectId, issuer: $issuer, subject: "cleo", role: ADMIN) { id } }',
      variables,
    );
    const page = await (await chrome.newContext({ javaScriptEnabled: false })).newPage();
    await page.goto(`${ground.api.url}${path}`);
    await signInAtProvider(page, 'cleo');
    await page.waitForSelector('text=Authorise the dashboard of Amsterdam orders');
    expect(new URL(page.url()).pathname).toBe(path);
    await page.click('button:has-text("Refuse")');
    await page.waitForSelector('text=The dashboard stays closed');
    await page.click('a:has-text("Decide again")');
    await page.click('button:has-text("Authorise")');
    await page.waitForSelector('h1:has-text("Amsterdam orders")');
    expect(new URL(page.url()).pathname).toBe(path);
    await page.click('button:has-text("Sign out")');
    await page.waitForURL(`${ground.provider.issuer}/session/end**`);
  });

  test('the pages of a dashboard fit a phone and a screen, light and dark', async () => {
    const own = await settleProject(ground.api, 'Bergen', 9);
    const { page, complaints } = await open(`/v2/dashboard/${own.instanceId}`);
    await signInAtProvider(page, 'dora');
    await page.waitForSelector('text=This dashboard is not open to you');
    await picture(page, 'hidden-dashboard');
    const variables = { projectId: own.projectId, issuer: ground.provider.issuer };
    await ground.api.post(
      'mutation ($projectId: ID!, $issuer: String!) { setMember(projectId: $projectId, issuer: $issuer, subject: "dora", role: OPERATOR) { id } }',
      variables,
    );
    await page.reload();
    await page.waitForSelector('text=Authorise the dashboard of Bergen orders');
    await picture(page, 'authorise');
    await page.click('button:has-text("Refuse")');
    await page.waitForSelector('text=The dashboard stays closed');
    await picture(page, 'refused');
    await page.click('a:has-text("Decide again")');
    await page.click('button:has-text("Authorise")');
    await page.waitForSelector('h1:has-text("Bergen orders")');
    await picture(page, 'dashboard');
    await page.goto(`${ground.api.url}/sign-in/sessions`);
    await picture(page, 'sessions-of-dora');
    await page.goto(`${ground.api.url}/sign-in/callback?code=forged&state=forged-state`);
    await page.waitForSelector('text=This browser has not started this sign-in');
    await picture(page, 'foreign-callback');
    expect(complaints.filter((each) => !each.includes('404') && !each.includes('400'))).toEqual([]);
  });

  test('a page at another port of this host gets nothing with the cookie of the person', async () => {
    const { page } = await open('/sign-in/start?return=/playground');
    await signInAtProvider(page, 'ada');
    await page.waitForSelector('text=Ada Example');
    // Cookies do not depend on the port, so the browser sends the cookie from this page too.
    const evil = await page.context().newPage();
    await evil.goto(`${ground.provider.issuer}/.well-known/openid-configuration`);
    const outcome = await evil.evaluate(async (api) => {
      const socket = new WebSocket(`${api.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      const closed = new Promise<number>((resolve) => {
        socket.onclose = ({ code }) => resolve(code);
        socket.onmessage = () => resolve(0);
        socket.onopen = () => socket.send('{"type":"connection_init"}');
      });
      const credentials = { method: 'POST', credentials: 'include' } as const;
      const body = '{"query":"mutation { createProject(name: \\"evil\\") { id } }"}';
      const send = (path: string, more: object) =>
        fetch(`${api}${path}`, { ...credentials, ...more }).then(
          ({ type }) => type,
          () => 'blocked',
        );
      const answers = [
        await send('/graphql', { mode: 'no-cors', body }),
        await send('/graphql', { headers: { 'content-type': 'application/json' }, body }),
        await send('/sign-out', { mode: 'no-cors', body: new URLSearchParams() }),
      ];
      return { closed: await closed, answers };
    }, ground.api.url);
    expect(outcome).toEqual({ closed: 4401, answers: ['blocked', 'blocked', 'blocked'] });
    await evil.setContent(`<iframe src="${ground.api.url}/sign-in/sessions"></iframe>`);
    const { data } = await ground.api.post('{ projects { nodes { name } } }');
    expect(JSON.stringify(data)).not.toContain('evil');
    expect(evil.frames()[1]?.url()).toBe('chrome-error://chromewebdata/');
    await expect(ask(page)).resolves.toEqual([
      200,
      { data: { me: { name: 'Ada Example' }, projects: { nodes: [{ name: 'shop' }] } } },
    ]);
  });
});
