import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../../test/fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';
import type { Authenticate } from '../../server/authenticate.js';
import { viewerOf } from '../../server/viewer.js';
import { grantsOf } from './grantsOf.js';

const create = 'mutation ($input: AccessTokenInput!) { createAccessToken(input: $input) { token accessToken { id } } }';
const set = `mutation ($projectId: ID!, $subject: String!, $role: Role) {
  setMember(projectId: $projectId, issuer: "https://id.example.org", subject: $subject, role: $role) { id } }`;

describeWith({ postgresql: await postgresMissing() }, 'an open WebSocket at another replica', () => {
  let postgres: TestPostgres;
  let api: WholeApi;
  let replica: WholeApi;
  let own: SettledProject;
  const clients: Client[] = [];
  let filesystemRoot: string;

  /** People of tests: the token is `person_<sub>`, and the rights are those of the member now. */
  const people: Authenticate = async ({ value }) => {
    const [word, sub = ''] = value.split('_');
    if (word !== 'person') return undefined;
    const who = { issuer: 'https://id.example.org', sub };
    const grants = await grantsOf(replica.shared.dataSource.manager, who);
    return { viewer: viewerOf({ kind: 'person', ...who, name: null, grants }), expiresAt: null };
  };

  beforeAll(async () => {
    postgres = await startPostgres();
    filesystemRoot = await mkdtemp(join(tmpdir(), 'stowage-sockets-'));
    const ground = { database: postgres, masterKeys: [randomBytes(32).toString('base64')], filesystemRoot };
    api = await startWholeApi(ground);
    replica = await startWholeApi(ground, { signIn: people });
    own = await settleProject(api, 'Amsterdam', 9);
  });
  afterAll(async () => {
    for (const client of clients) await client.dispose();
    await replica.stop();
    await api.stop();
    await postgres.stop();
    await rm(filesystemRoot, { recursive: true });
  });

  /** Subscribes to the events of the project, and waits for the first one. */
  async function subscribed(token: string): Promise<{ readonly closed: Promise<{ code: number; reason: string }> }> {
    let close: (event: { code: number; reason: string }) => void = () => undefined;
    const closed = new Promise<{ code: number; reason: string }>((resolve) => (close = resolve));
    const client = createClient({
      url: `${replica.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: token },
      retryAttempts: 0,
      on: {
        closed(event) {
          const { code, reason } = event as { code: number; reason: string };
          close({ code, reason });
        },
      },
    });
    clients.push(client);
    const events = client.iterate({ query: 'subscription { events(after: "0") { id } }' });
    expect((await events.next()).value).toMatchObject({ data: { events: { id: expect.any(String) } } });
    return { closed };
  }
  const created = async (input: object = {}) => {
    const variables = { input: { projectId: own.projectId, name: 'ci', role: 'VIEWER', ...input } };
    const { data, text } = await api.post(create, variables);
    if (data === null) throw new Error(text);
    return data.createAccessToken as { token: string; accessToken: { id: string } };
  };
  const setRole = async (subject: string, role: string | null) => {
    expect((await api.post(set, { projectId: own.projectId, subject, role })).errors).toEqual([]);
  };

  test('is closed with 4403 after its token was revoked', async () => {
    const { token, accessToken } = await created();
    const { closed } = await subscribed(token);
    await api.post('mutation ($id: ID!) { revokeAccessToken(id: $id) { id } }', { id: accessToken.id });
    expect(await closed).toEqual({ code: 4403, reason: 'Forbidden: the sign-in has ended' });
  });

  test('is closed with 4403 when its token expires', async () => {
    const { token } = await created({ expiresAt: new Date(Date.now() + 2_000).toISOString() });
    const { closed } = await subscribed(token);
    expect(await closed).toEqual({ code: 4403, reason: 'Forbidden: the sign-in has expired' });
    expect((await replica.post('{ me { subject } }', {}, token)).status).toBe(401);
  });

  test('is closed with 4403 when its person loses a right, and stays open when a right is added', async () => {
    await setRole('anna', 'VIEWER');
    const { closed } = await subscribed('person_anna');
    await setRole('anna', 'ADMIN');
    const { data } = await replica.post('{ me { memberships { role } } }', {}, 'person_anna');
    expect(data.me.memberships).toEqual([{ role: 'ADMIN' }]);
    await setRole('ben', 'ADMIN');
    expect(await Promise.race([closed, Promise.resolve('open')])).toBe('open');
    await setRole('anna', 'OPERATOR');
    expect(await closed).toEqual({ code: 4403, reason: 'Forbidden: the rights were reduced' });
  });
});
