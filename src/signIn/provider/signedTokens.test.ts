import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHmac, randomUUID } from 'node:crypto';
import { generateKeyPair, SignJWT } from 'jose';
import { startProviderApi, type ProviderApi } from '../../../test/fixtures/api/providerApi.js';
import type { WebBrowser } from '../../../test/fixtures/api/webBrowser.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { clientId } from '../../../test/fixtures/servers/oidcProvider.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';

const audience = 'https://backup.example.org/api';
const rules = JSON.stringify([{ claim: 'groups', contains: 'backup-admins', role: 'VIEWER', project: 'shop' }]);
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

describeWith({ postgresql: await postgresMissing() }, 'tokens that the provider has signed', () => {
  let ground: ProviderApi;
  beforeAll(async () => {
    ground = await startProviderApi({ OIDC_AUDIENCE: audience, OIDC_CLAIM_RULES: rules });
    await ground.api.post('mutation { createProject(name: "shop") { id } }');
  });
  afterAll(() => ground.stop());

  const now = () => Math.floor(Date.now() / 1000);
  const claims = (more: object = {}) => ({
    ...{ iss: ground.provider.issuer, sub: 'ada', aud: audience, iat: now(), exp: now() + 300 },
    ...{ name: 'Ada', groups: ['backup-admins'] },
    ...more,
  });
  const ask = async (token: string): Promise<unknown> => {
    const { data, errors } = await ground.api.post('query { me { subject } projects { nodes { name } } }', {}, token);
    return errors[0]?.extensions.code ?? data;
  };

  test('an access token is a bearer token of its person, with the rights of its claims', async () => {
    await expect(ask(await ground.provider.sign(claims()))).resolves.toEqual({
      me: { subject: `person:${ground.provider.issuer}#ada` },
      projects: { nodes: [{ name: 'shop' }] },
    });
    await expect(ask(await ground.provider.sign(claims({ groups: [] })))).resolves.toMatchObject({
      projects: { nodes: [] },
    });
  });

  test.each([
    ['another issuer', { iss: 'https://evil.example' }],
    ['another audience', { aud: 'https://other.example.org' }],
    ['the client as its audience', { aud: clientId }],
    ['no audience', { aud: undefined }],
    ['a time of expiry in the past', { exp: Math.floor(Date.now() / 1000) - 60 }],
    ['no time of expiry', { exp: undefined }],
    ['a beginning in the future', { nbf: Math.floor(Date.now() / 1000) + 600 }],
    ['no subject', { sub: undefined }],
    ['a nonce, as an ID token', { nonce: 'x' }],
    ['the type of an ID token', { typ: 'ID' }],
    ['the type of a refresh token', { typ: 'Refresh' }],
    ['events, as a logout token', { events: {} }],
  ])('an access token with %s is refused', async (_what, wrong) => {
    await expect(ask(await ground.provider.sign(claims(wrong)))).resolves.toBe('UNAUTHENTICATED');
  });

  test('clocks may differ by 30 seconds', async () => {
    const token = (seconds: number) => ground.provider.sign(claims({ exp: now() + seconds }));
    await expect(ask(await token(-15))).resolves.toMatchObject({ me: {} });
    await expect(ask(await token(-45))).resolves.toBe('UNAUTHENTICATED');
  });

  test('a token without signature, with a shared secret, or with a foreign key is refused', async () => {
    const none = `${base64({ alg: 'none' })}.${base64(claims())}.`;
    const hs256 = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64(claims())}`;
    const withPublicKey = `${hs256}.${createHmac('sha256', ground.provider.publicPem).update(hs256).digest('base64url')}`;
    const foreign = await generateKeyPair('RS256');
    const kid = (
      JSON.parse(Buffer.from((await ground.provider.sign(claims())).split('.')[0] ?? '', 'base64url').toString()) as {
        kid: string;
      }
    ).kid;
    const signed = new SignJWT(claims());
    const withForeignKey = await signed.setProtectedHeader({ alg: 'RS256', kid }).sign(foreign.privateKey);
    const withOwnKey = await new SignJWT(claims())
      .setProtectedHeader({ alg: 'RS256', jku: 'https://evil.example/keys', x5u: 'https://evil.example' })
      .sign(foreign.privateKey);
    const [head = '', , signature = ''] = (await ground.provider.sign(claims())).split('.');
    const changed = `${head}.${base64(claims({ sub: 'admin' }))}.${signature}`;
    for (const token of [none, withPublicKey, withForeignKey, withOwnKey, changed, `${none}x`]) {
      await expect(ask(token)).resolves.toBe('UNAUTHENTICATED');
    }
  });

  const logout = async (token: string) =>
    fetch(`${ground.api.url}/sign-in/back-channel-logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token }),
    });
  const order = (more: object = {}) => ({
    ...{ iss: ground.provider.issuer, aud: clientId, iat: now(), exp: now() + 120, jti: randomUUID(), sub: 'ada' },
    ...{ events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
    ...more,
  });
  const hasSession = async (browser: WebBrowser) =>
    (await browser.graphql('query { me { subject } }')).errors === undefined;

  test('an order of the provider ends the sessions of the person, or the one session that it names', async () => {
    const [first, second] = [await ground.signIn('ada'), await ground.signIn('ada')];
    const [{ sid }] = await ground.api.owner.query<[{ sid: string }]>(
      'SELECT provider_session AS sid FROM sign_in_sessions ORDER BY created_at LIMIT 1',
    );
    const answer = await logout(await ground.provider.sign(order({ sub: undefined, sid }), { typ: 'logout+jwt' }));
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    await expect(hasSession(first.browser)).resolves.toBe(false);
    await expect(hasSession(second.browser)).resolves.toBe(true);
    await logout(await ground.provider.sign(order()));
    await expect(hasSession(second.browser)).resolves.toBe(false);
  });

  test('an order that is older than a session does not end it, so a replayed order does nothing', async () => {
    const { browser } = await ground.signIn('ada');
    await expect(hasSession(browser)).resolves.toBe(true);
    const old = await ground.provider.sign(order({ iat: now() - 100, jti: 'old' }));
    await logout(old);
    await expect(hasSession(browser)).resolves.toBe(true);
  });

  test.each([
    ['another issuer', { iss: 'https://evil.example' }],
    ['another audience', { aud: audience }],
    ['no event', { events: {} }],
    ['no events', { events: undefined }],
    ['a nonce, as an ID token', { nonce: 'x' }],
    ['neither person nor session', { sub: undefined }],
    ['no id', { jti: undefined }],
    ['an age of ten minutes', { iat: Math.floor(Date.now() / 1000) - 600, exp: undefined }],
  ])('an order with %s is refused', async (_what, wrong) => {
    const { browser } = await ground.signIn('ada');
    expect((await logout(await ground.provider.sign(order(wrong)))).status).toBe(400);
    await expect(hasSession(browser)).resolves.toBe(true);
  });

  test('a forged order is refused', async () => {
    const { browser } = await ground.signIn('ada');
    const { privateKey } = await generateKeyPair('RS256');
    const forged = await new SignJWT(order()).setProtectedHeader({ alg: 'RS256' }).sign(privateKey);
    const none = `${base64({ alg: 'none' })}.${base64(order())}.`;
    for (const token of [forged, none, 'x', '']) expect((await logout(token)).status).toBe(400);
    await expect(hasSession(browser)).resolves.toBe(true);
  });
});
