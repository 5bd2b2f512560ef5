import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { startProviderApi, type ProviderApi } from '../../../test/fixtures/api/providerApi.js';
import { WebBrowser } from '../../../test/fixtures/api/webBrowser.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { clientId } from '../../../test/fixtures/servers/oidcProvider.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { createAuditTrail } from './auditTrail.js';

describeWith({ postgresql: await postgresMissing() }, 'the audit of sign-ins', () => {
  let ground: ProviderApi;
  beforeAll(async () => {
    ground = await startProviderApi();
  });
  afterAll(() => ground.stop());

  type Entry = {
    id: string;
    what: string;
    actor: string | null;
    name: string | null;
    operation: string | null;
    projectId: string | null;
    target: string | null;
    detail: string;
    attempts: number;
  };
  const list = `query ($projectId: ID, $filter: AuditEventFilter, $first: Int! = 200, $after: String) {
    auditEvents(projectId: $projectId, filter: $filter, first: $first, after: $after) {
      nodes { id at what actor name operation projectId target clientAddress detail attempts } pageInfo { endCursor } } }`;
  const events = async (variables: object = {}, token?: string): Promise<Entry[]> =>
    (await ground.api.post(list, variables, token)).data.auditEvents.nodes as Entry[];

  test('shows who signed in and out, and what was refused, without codes and cookies', async () => {
    const { data } = await ground.api.post('mutation { createSignInLink { url } }');
    const code = (data as { createSignInLink: { url: string } }).createSignInLink.url.split('#')[1] ?? '';
    const browser = new WebBrowser(ground.api.url);
    await browser.postForm('/sign-in/link', { code });
    const [cookie = ''] = browser.cookies.values();
    await browser.postForm('/sign-out', {});
    await browser.postForm('/sign-in/link', { code });
    await browser.get('/sign-in/callback?state=forgedforged');
    await ground.signIn('ada');
    const order = {
      ...{ iss: ground.provider.issuer, aud: clientId, jti: randomUUID(), sub: 'ada' },
      ...{ iat: Math.floor(Date.now() / 1000), events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
    };
    await browser.postForm('/sign-in/back-channel-logout', { logout_token: await ground.provider.sign(order) });

    const stored = await events();
    const ada = `person:${ground.provider.issuer}#ada`;
    expect(stored.map(({ what, actor, name }) => [what, actor, name])).toEqual([
      ['SIGNED_OUT_BY_PROVIDER', ada, null],
      ['SIGNED_IN', ada, 'Ada Example'],
      ['SIGN_IN_REFUSED', null, null],
      ['SIGN_IN_REFUSED', null, null],
      ['SIGNED_OUT', 'installation', 'Administrator of the installation'],
      ['SIGNED_IN', 'installation', 'Administrator of the installation'],
      ['SIGN_IN_LINK_CREATED', 'installation', 'Installation'],
    ]);
    expect(JSON.stringify(stored)).not.toContain(code);
    expect(JSON.stringify(stored)).not.toContain(cookie);
    const first = (await ground.api.post(list, { first: 1 })).data.auditEvents.pageInfo.endCursor as string;
    await expect(events({ first: 1, after: first })).resolves.toEqual([stored[1]]);
    const refused = await events({ filter: { what: ['SIGN_IN_REFUSED'] } });
    expect(refused).toEqual(stored.filter(({ what }) => what === 'SIGN_IN_REFUSED'));
  });

  test('is not for people without a role', async () => {
    const { browser } = await ground.signIn('ada');
    const { errors } = await browser.graphql('query { auditEvents { nodes { id } } }');
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });

  test('stores at most 60 different refusals a minute, and the number of the others', async () => {
    let nowMs = 0;
    const { dataSource } = ground.api.shared;
    const audit = createAuditTrail(dataSource, 86_400_000, { error: () => undefined }, () => nowMs);
    const before = await audit.count({ projectIds: 'ALL' });
    const refuse = (clientAddress: string) => audit.record({ what: 'CREDENTIAL_REFUSED', clientAddress });
    for (let address = 1; address <= 100; address += 1) await refuse(`203.0.113.${address}`);
    for (let attempt = 0; attempt < 5; attempt += 1) await refuse('203.0.113.1');
    nowMs = 60_000;
    await refuse('203.0.113.1');
    const [newest, others] = await audit.list({ projectIds: 'ALL' }, 2, null);
    expect((await audit.count({ projectIds: 'ALL' })) - before).toBe(62);
    expect([newest?.attempts, newest?.clientAddress]).toEqual([1, '203.0.113.1']);
    expect([others?.attempts, others?.clientAddress]).toEqual([45, null]);
  });

  test('stores repetitions of a refusal as one event at the end of the minute', async () => {
    const { dataSource } = ground.api.shared;
    const audit = createAuditTrail(dataSource, 86_400_000, { error: () => undefined });
    const refuse = () => audit.record({ what: 'CREDENTIAL_REFUSED', clientAddress: '203.0.113.200' });
    for (let attempt = 0; attempt < 5; attempt += 1) await refuse();
    await audit.flush();
    const stored = await audit.list({ projectIds: 'ALL' }, 2, null);
    expect(stored.map(({ attempts, clientAddress }) => [attempts, clientAddress])).toEqual([
      [4, '203.0.113.200'],
      [1, '203.0.113.200'],
    ]);
  });

  test('deletes events that are older than the setting says', async () => {
    await ground.api.owner.query("UPDATE audit_entries SET at = clock_timestamp() - interval '2 days'");
    const audit = createAuditTrail(ground.api.shared.dataSource, 86_400_000, { error: () => undefined });
    await audit.record({ what: 'SIGNED_IN' });
    await audit.sweep();
    await expect(events()).resolves.toHaveLength(1);
  });
});
