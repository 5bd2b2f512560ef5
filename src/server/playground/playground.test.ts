import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { startTinyApi, token, type TinyApi } from '../../../test/fixtures/api/tinyApi.js';
import { until } from '../../../test/fixtures/until.js';

const executablePath = '/usr/bin/chromium';
const missing = existsSync(executablePath) ? undefined : `there is no ${executablePath}`;

describeWith({ chromium: missing }, 'the playground in a browser', () => {
  let folder: string;
  let api: TinyApi;
  let browser: Browser;
  let page: Page;
  /** The messages in the console of the browser, and every request to another server. */
  const complaints: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-playground-'));
    await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'build.js'), folder]);
    api = await startTinyApi({}, folder);
    browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
    });
    page = await browser.newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(api.server.url) && !/^(data|blob):/.test(url)) complaints.push(`request to ${url}`);
    });
    await page.goto(`${api.server.url}/playground`);
    await page.waitForSelector('.graphiql-query-editor .view-lines');
  });

  afterAll(async () => {
    await browser.close();
    await api.server.close();
    await rm(folder, { recursive: true });
  });

  const shown = (selector: string) => page.locator(selector).innerText();
  const useToken = async () => {
    await page.fill('#token', token);
    await page.click('form button[type=submit]');
    await page.waitForSelector('.graphiql-query-editor .view-lines');
  };
  /** Replaces the text of the open tab. An editor that is still being set up may lose typed text. */
  const write = async (query: string) => {
    const editor = page.locator('.graphiql-query-editor .view-lines');
    await until(async () => {
      await editor.click();
      await page.keyboard.press('Control+A');
      await page.keyboard.insertText(query);
      // The brackets that the editor adds automatically.
      await page.keyboard.press('Control+Shift+End');
      await page.keyboard.press('Delete');
      const shown = (await editor.innerText()).replaceAll('\u00a0', ' ');
      return shown.trim() === query;
    }, 'the editor shows the query');
  };
  const runInNewTab = async (query: string) => {
    const tabs = await page.locator('.graphiql-tab').count();
    await page.click('.graphiql-tab-add');
    await until(async () => (await page.locator('.graphiql-tab').count()) > tabs, 'there is another tab');
    await write(query);
    await page.click('.graphiql-execute-button');
  };

  test('shows the main job as tabs with variables, and is refused without a token', async () => {
    await page.waitForSelector('text=CreateBackupPlan');
    await expect(shown('.graphiql-editors')).resolves.toContain('createProject');
    await expect(shown('.graphiql-editors')).resolves.toContain('"Playground"');
    await page.waitForSelector('text=UNAUTHENTICATED');
    expect(complaints.splice(0).filter((complaint) => !complaint.includes('401'))).toEqual([]);
  });

  test('runs a text that replaces an example at once, before GraphiQL has read the names of its operations', async () => {
    await useToken();
    await write('query { greeting: hello }');
    await page.keyboard.press('Control+Enter');
    await page.waitForSelector('.graphiql-response :text("greeting")');
    await expect(shown('.graphiql-response')).resolves.toContain('Hello');
  });

  test('runs a query and a subscription with the token, which stays in the browser tab', async () => {
    await useToken();
    await runInNewTab('query { hello }');
    await page.waitForSelector('.graphiql-response :text("Hello world")');

    await runInNewTab('subscription { shipChanges { cargo } }');
    await until(() => api.harbour.mailboxes.size > 0, 'the subscription is there');
    api.harbour.put({ id: 'a', version: 1, cargo: 'bananas' });
    await page.waitForSelector('.graphiql-response :text("bananas")');

    expect(await page.evaluate('localStorage.length')).toBe(0);
    expect(await page.evaluate('sessionStorage.getItem("stowage:token")')).toBe(token);
    // The content security policy blocked nothing, and nothing was loaded from another server.
    expect(complaints).toEqual([]);
  });
});
