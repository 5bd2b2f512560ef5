import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { memberOf } from '../../../test/fixtures/api/sliceApi.js';
import { WebBrowser } from '../../../test/fixtures/api/webBrowser.js';
import { installationToken, startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';
import { until } from '../../../test/fixtures/until.js';
import type { Viewer } from '../../server/viewer.js';

describeWith({ postgresql: await postgresMissing() }, 'the audit of a project', () => {
  let api: WholeApi;
  let own: SettledProject;
  let other: SettledProject;
  let admin: string;
  beforeAll(async () => {
    api = await startWholeApi();
    own = await settleProject(api, 'harbour', 3306);
    other = await settleProject(api, 'elsewhere', 3306);
    admin = api.admit(memberOf(own.projectId, 'ADMIN'));
  });
  afterAll(() => api.stop());

  const named = (viewer: Viewer, name: string): string => api.admit({ ...viewer, name });
  const download = (
    path: string,
    token: string | undefined,
    init: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) =>
    fetch(`${api.url}${path}`, {
      ...init,
      headers: { ...init.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    });
  const lines = async (path: string, token: string) => {
    const text = await (await download(path, token)).text();
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));
  };
  const stored = async (what: string, count = 1) => {
    const query = 'query ($filter: AuditEventFilter) { auditEvents(filter: $filter) { totalCount } }';
    await until(
      async () => (await api.post(query, { filter: { what: [what] } })).data.auditEvents.totalCount >= count,
      `the audit has ${count} ${what}`,
    );
  };
  const hold = 'mutation ($id: ID!) { holdBackup(id: $id, reason: "a secret reason") { id } }';

  test('has operations that were refused, without their variables, and hides strangers from its ADMINs', async () => {
    await api.post(hold, { id: own.storedJobId }, named(memberOf(own.projectId, 'VIEWER'), '=HYPERLINK("evil")'));
    await api.post(hold, { id: own.storedJobId }, named(memberOf(other.projectId, 'ADMIN'), 'stranger'));
    await stored('OPERATION_REFUSED', 2);
    const ofProject = (await lines('/audit/events.jsonl', admin)).filter(({ what }) => what === 'OPERATION_REFUSED');
    expect(ofProject).toEqual([
      expect.objectContaining({
        actor: expect.stringMatching(/^person:/),
        actorKind: 'person',
        name: '=HYPERLINK("evil")',
        clientAddress: '127.0.0.1',
        projectId: own.projectId,
        operation: 'holdBackup',
        detail: 'It needs the role OPERATOR; that of the caller is VIEWER.',
        attempts: 1,
      }),
    ]);
    const ofAll = await lines('/audit/events.jsonl', installationToken);
    expect(ofAll.find(({ name }) => name === 'stranger')).toMatchObject({ projectId: null, operation: 'holdBackup' });
    expect(JSON.stringify(ofAll)).not.toContain('secret reason');
  });

  test('has who has read the settings of a file endpoint, once for many reads', async () => {
    const reader = named(memberOf(own.projectId, 'VIEWER'), 'Ada Example');
    const read = 'query ($id: ID!) { fileEndpoint(id: $id) { settings { __typename } } }';
    for (let repetition = 0; repetition < 3; repetition += 1) await api.post(read, { id: own.fileEndpointId }, reader);
    await stored('SETTINGS_READ');
    const reads = (await lines('/audit/events.jsonl', admin)).filter(({ name }) => name === 'Ada Example');
    expect(reads).toEqual([expect.objectContaining({ what: 'SETTINGS_READ', target: own.fileEndpointId })]);
  });

  test('has no event of a token that is not valid, but that of the installation has', async () => {
    await api.post('{ me { subject } }', {}, 'stw_never-existed');
    await stored('CREDENTIAL_REFUSED');
    const path = '/audit/events.jsonl';
    expect((await lines(path, admin)).map(({ what }) => what)).not.toContain('CREDENTIAL_REFUSED');
    const ofAll = await lines(path, installationToken);
    expect(ofAll.map(({ what }) => what)).toContain('CREDENTIAL_REFUSED');
    expect(JSON.stringify(ofAll)).not.toContain('never-existed');
  });

  test('is a CSV in which no cell is a formula', async () => {
    const response = await download(`/audit/events.csv?projectId=${own.projectId}`, admin);
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="audit-events.csv"');
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const text = await response.text();
    expect(text).toContain('"id","at","what"');
    expect(text).toContain(`"'=HYPERLINK(""evil"")"`);
    expect(text).not.toMatch(/(^|,)"?[=+@-]/m);
    expect((await lines('/audit/events.jsonl', admin))[0]).toMatchObject({ what: 'AUDIT_EXPORTED' });
  });

  test('is for its ADMINs only, and a wrong request is refused', async () => {
    const operator = api.admit(memberOf(own.projectId, 'OPERATOR'));
    const statuses = await Promise.all(
      [
        download('/audit/events.csv', undefined),
        download('/audit/events.csv', 'stw_never-existed'),
        download('/audit/events.csv', operator),
        download(`/audit/events.csv?projectId=${own.projectId}`, operator),
        download('/audit/events.xml', admin),
        download('/audit/events.csv?projectId=x', admin),
        download('/audit/events.csv?from=yesterday', admin),
      ].map(async (answer) => (await answer).status),
    );
    expect(statuses).toEqual([401, 401, 403, 403, 404, 400, 400]);
    expect(await lines(`/audit/events.jsonl?projectId=${other.projectId}`, admin)).toEqual([]);
  });

  test('is a download for a browser with a session, but only from a page of this site', async () => {
    const { data } = await api.post('mutation { createSignInLink { url } }');
    const browser = new WebBrowser(api.url);
    await browser.postForm('/sign-in/link', { code: (data.createSignInLink.url as string).split('#')[1] ?? '' });
    const headers = { cookie: browser.cookieHeader, origin: browser.origin };
    const post = (from: Record<string, string>) =>
      download('/audit/events.csv', undefined, { method: 'POST', headers: from });
    expect((await post(headers)).status).toBe(200);
    expect((await post({ ...headers, origin: 'https://evil.example' })).status).toBe(401);
    expect((await download('/audit/events.csv', undefined, { headers: { cookie: headers.cookie } })).status).toBe(401);
  });
});
