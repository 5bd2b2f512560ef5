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
    detail: string;
    attempts: number;
  };
  const entries = async (args = ''): Promise<Entry[]> => {
    const { data } = await ground.api.post(
      `query { auditEntries${args} { id at what actor name clientAddress detail attempts } }`,
    );
    return (data as { auditEntries: Entry[] }).auditEntries;
  };

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

    const stored = await entries();
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
    await expect(entries(`(first: 1, before: "${stored[0]?.id ?? ''}")`)).resolves.toEqual([stored[1]]);
  });

  test('is for the installation-level token only', async () => {
    const { browser } = await ground.signIn('ada');
    const { errors } = await browser.graphql('query { auditEntries { id } }');
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });

  test('stores at most 60 refused sign-ins a minute, and counts the others in the next entry', async () => {
    let nowMs = 0;
    const { dataSource } = ground.api.shared;
    const audit = createAuditTrail(dataSource, 86_400_000, { error: () => undefined }, () => nowMs);
    const before = await entries('(first: 1000)');
    for (let attempt = 0; attempt < 100; attempt += 1) await audit.record({ what: 'SIGN_IN_REFUSED' });
    nowMs = 60_000;
    await audit.record({ what: 'SIGN_IN_REFUSED' });
    const after = await entries('(first: 1000)');
    expect([after.length - before.length, after[0]?.attempts]).toEqual([61, 41]);
  });

  test('deletes entries that are older than the setting says', async () => {
    await ground.api.owner.query("UPDATE audit_entries SET at = clock_timestamp() - interval '2 days'");
    const audit = createAuditTrail(ground.api.shared.dataSource, 86_400_000, { error: () => undefined });
    await audit.record({ what: 'SIGNED_IN' });
    await audit.sweep();
    await expect(entries()).resolves.toHaveLength(1);
  });
});
