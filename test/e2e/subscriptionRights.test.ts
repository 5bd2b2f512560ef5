/** Opens every subscription as every kind of caller, and compares with docs/rights.md. Then it takes the rights away. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { identitiesOf, type Identity } from '../fixtures/api/identities.js';
import { subscriptionCases, type Variables } from '../fixtures/api/operationCases.js';
import { operationDocument } from '../fixtures/api/operationDocument.js';
import { rightsOf, type Right } from '../fixtures/api/rightsTable.js';
import { startWholeApi, type WholeApi } from '../fixtures/api/wholeApi.js';
import { describeWith } from '../fixtures/requirements.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../fixtures/settledProject.js';
import { until } from '../fixtures/until.js';

const mayLastMs = 5_000;

describeWith({ postgresql: await postgresMissing() }, 'the rights of subscriptions in docs/rights.md', () => {
  let api: WholeApi;
  let own: SettledProject;
  let identities: readonly Identity[];
  const clients: Client[] = [];

  beforeAll(async () => {
    api = await startWholeApi();
    // Nothing is ever sent to port 9, because no worker runs.
    own = await settleProject(api, 'Amsterdam', 9);
    const other = await settleProject(api, 'Zanzibar', 9);
    identities = await identitiesOf(api, own, [own.serviceId, own.idleServiceId], other);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.dispose();
  });
  afterAll(() => api.stop());

  type Subscription = { readonly right: Right; readonly query: string; readonly variables: Variables };
  const subscriptions = (): readonly Subscription[] =>
    Object.values(api.schema.getSubscriptionType()?.getFields() ?? {}).flatMap((operation) => {
      const right = rightsOf('subscription').find(({ name }) => name === operation.name);
      if (right === undefined) throw new Error(`${operation.name} is not in docs/rights.md.`);
      const query = operationDocument('subscription', operation);
      const cases = subscriptionCases[operation.name]?.(own) ?? (right.needs === 'INSTALLATION' ? [{}] : []);
      if (cases.length === 0) throw new Error(`${operation.name} has no case in operationCases.ts.`);
      return cases.map((variables) => ({ right, query, variables: { after: '0', ...variables } }));
    });

  function connect(
    { token, headers }: Pick<Identity, 'headers' | 'token'>,
    onClosed: (event: { readonly code: number }) => void = () => undefined,
  ): Client {
    class CallerSocket extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols, { headers: { ...headers } });
      }
    }
    const client = createClient({
      url: `${api.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: CallerSocket,
      ...(token === undefined ? {} : { connectionParams: { authorization: token } }),
      retryAttempts: 0,
      lazy: true,
      on: { closed: (event) => onClosed(event as { readonly code: number }) },
    });
    clients.push(client);
    return client;
  }

  /** ALLOWED when the first message has arrived, otherwise the code of the error, or that with which the socket was closed. */
  async function outcomeOf(client: Client, { query, variables }: Subscription): Promise<string> {
    try {
      const { value } = await client.iterate({ query, variables }).next();
      const { errors } = value as { readonly errors?: readonly { readonly extensions: { readonly code: string } }[] };
      return errors?.[0]?.extensions.code ?? 'ALLOWED';
    } catch (refused) {
      if (Array.isArray(refused))
        return String((refused as { extensions?: { code?: unknown } }[])[0]?.extensions?.code);
      return String((refused as { readonly code?: unknown }).code);
    }
  }

  function expectedOf({ needs }: Right, { standing, token, headers }: Identity): string {
    if (standing === 'NOT_SIGNED_IN') return token === undefined && headers === undefined ? '4401' : '4403';
    if (standing === 'INSTALLATION') return 'ALLOWED';
    if (needs === 'INSTALLATION') return 'FORBIDDEN';
    return standing === 'STRANGER' ? 'NOT_FOUND' : 'ALLOWED';
  }

  test('are those of every caller', async () => {
    const wrong: object[] = [];
    for (const identity of identities) {
      for (const subscription of subscriptions()) {
        const { right, variables } = subscription;
        // There is no worker, so the first message would never arrive.
        if (right.needs === 'INSTALLATION' && identity.standing === 'INSTALLATION') continue;
        const outcome = await outcomeOf(connect(identity), subscription);
        const expected = expectedOf(right, identity);
        if (outcome !== expected)
          wrong.push({ subscription: right.name, variables, as: identity.name, outcome, expected });
        for (const client of clients.splice(0)) await client.dispose();
      }
    }
    expect(wrong).toEqual([]);
  });

  const grants = ['VIEWER', 'OPERATOR', 'ADMIN'].flatMap((role) => [
    { name: `${role} of the project`, input: { role } },
    { name: `${role} of a service`, input: { role, inService: true } },
  ]);

  test.each(grants)('end for a token that is revoked, as $name', async ({ input: { inService, role } }) => {
    const input = { projectId: own.projectId, name: 'open', role, ...(inService ? { serviceId: own.serviceId } : {}) };
    const create =
      'mutation ($input: AccessTokenInput!) { createAccessToken(input: $input) { token accessToken { id } } }';
    const { token, accessToken } = (await api.post(create, { input })).data.createAccessToken as {
      token: string;
      accessToken: { id: string };
    };
    let closed: { readonly code: number; readonly atMs: number } | undefined;
    const client = connect({ token }, ({ code }) => (closed = { code, atMs: performance.now() }));
    // The subscription of a finished job ends by itself.
    const visible = subscriptions().filter(
      ({ right, variables }) => right.needs !== 'INSTALLATION' && variables['id'] !== own.storedJobId,
    );
    const arrived = visible.map(() => [] as number[]);
    const ended = visible.map(async ({ query, variables }, index) => {
      try {
        for await (const _ of client.iterate({ query, variables })) arrived[index]?.push(performance.now());
        return 'ENDED';
      } catch (error) {
        return String((error as { readonly code?: unknown }).code);
      }
    });
    await until(() => arrived.every(({ length }) => length > 0), 'each subscription has sent something');
    await api.post('mutation ($id: ID!) { revokeAccessToken(id: $id) { id } }', { id: accessToken.id });
    const revokedAtMs = performance.now();
    const hold = 'mutation ($id: ID!, $reason: String!) { holdBackup(id: $id, reason: $reason) { id } }';
    await until(() => closed !== undefined, 'the socket is closed');
    await api.post(hold, { id: own.storedJobId, reason: `after the revocation of ${accessToken.id}` });
    expect(await Promise.all(ended)).toEqual(visible.map(() => '4403'));
    expect(closed?.code).toBe(4403);
    expect(Math.max(...arrived.flat()) - revokedAtMs).toBeLessThan(mayLastMs);
    expect((closed?.atMs ?? Infinity) - revokedAtMs).toBeLessThan(mayLastMs);
    expect(await outcomeOf(connect({ token }), visible[0] as Subscription)).toBe('4403');
  });
});
