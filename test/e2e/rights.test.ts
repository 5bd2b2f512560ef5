/** docs/rights.md says who may do what. These tests call every operation as every kind of caller, and compare. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { getNamedType, isObjectType, type GraphQLField, type GraphQLObjectType } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { hasRole } from '../../src/server/viewer.js';
import { queueRestore } from '../../src/restores/restoreJobCommands.js';
import { mutationCases } from '../fixtures/api/badInputs.js';
import { identitiesOf, type Identity } from '../fixtures/api/identities.js';
import { idsOf, queryCases, type Variables } from '../fixtures/api/operationCases.js';
import { nodeDocument, operationDocument } from '../fixtures/api/operationDocument.js';
import { rightsOf, type OperationKind, type Right } from '../fixtures/api/rightsTable.js';
import { memberWith } from '../fixtures/api/sliceApi.js';
import { startWholeApi, type HttpAnswer, type WholeApi } from '../fixtures/api/wholeApi.js';
import { executeCommands, queuedJob, started, succeeded } from '../fixtures/backupJobs.js';
import { describeWith } from '../fixtures/requirements.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../fixtures/settledProject.js';

/** The message of a refused operation. */
async function refusalOf(client: Client, query: string, variables: Variables): Promise<string | undefined> {
  try {
    const { value } = await client.iterate({ query, variables }).next();
    return (value as { errors?: readonly { message: string }[] } | undefined)?.errors?.[0]?.message;
  } catch (refused) {
    if (Array.isArray(refused)) return (refused as { message: string }[])[0]?.message;
    throw refused;
  }
}

type Operation = GraphQLField<unknown, unknown>;

describeWith({ postgresql: await postgresMissing() }, 'the rights in docs/rights.md', () => {
  let api: WholeApi;
  let own: SettledProject;
  let other: SettledProject;
  let identities: readonly Identity[];
  /** The same project, with an endpoint and a token that belong to a service in the place of those of the project. */
  let ofService: SettledProject;
  /** A backup of the idle service, and a restore of it into the other service. */
  let foreignBackupId: string;
  let restoreOfForeign: string;
  /** A restore of a backup of the other service into the idle service. */
  let foreignRestore: string;

  beforeAll(async () => {
    api = await startWholeApi();
    // Nothing is ever sent to port 9, because no worker runs.
    own = await settleProject(api, 'Amsterdam', 9);
    other = await settleProject(api, 'Zanzibar', 9);
    identities = await identitiesOf(api, own, [own.serviceId, own.idleServiceId], other);
    ofService = { ...own, ...(await belongings()) };
    await makeForeignJobs();
  });
  afterAll(() => api.stop());

  const operations = (kind: OperationKind): readonly Operation[] => {
    const { schema } = api;
    const types = { query: schema.getQueryType(), mutation: schema.getMutationType() };
    const type = kind === 'subscription' ? schema.getSubscriptionType() : types[kind];
    return Object.values(type?.getFields() ?? {});
  };

  test.each(['mutation', 'query', 'subscription'] as const)('list every %s with what it declares', (kind) => {
    const declared = operations(kind).map(({ name, extensions }) => [name, extensions['requires']] as const);
    expect(rightsOf(kind).map(({ name, needs }) => [name, needs])).toEqual(declared.toSorted());
  });

  test('are those of every mutation', async () => {
    const wrong: object[] = [];
    for (const operation of operations('mutation')) {
      const right = rightsOf('mutation').find(({ name }) => name === operation.name);
      if (right === undefined) throw new Error(`${operation.name} is not in docs/rights.md.`);
      const query = operationDocument('mutation', operation);
      const found = identities.map(async (identity) => {
        const variables = attempt(operation, right, identity);
        const { errors, text } = await send(query, variables, identity);
        const code = errors[0]?.extensions.code;
        const answer = code === 'BAD_INPUT' && text.includes('"path":"commandId"') ? 'ALLOWED' : (code ?? 'ALLOWED');
        const expected = expectedOf(right, identity);
        return answer === expected ? [] : [{ mutation: operation.name, as: identity.name, answer, expected, text }];
      });
      wrong.push(...(await Promise.all(found)).flat());
    }
    expect(wrong).toEqual([]);
  });

  test('let no query, no field of a node and no nested field show what is not visible', async () => {
    const leaks: object[] = [];
    const nodes = await nodesWithTypes();
    const one = api.admit(memberWith([{ projectId: own.projectId, serviceId: own.serviceId, role: 'ADMIN' }]));
    const viewers = [
      ...identities.map((identity) => ({ identity, hidden: hiddenFrom(identity) })),
      {
        identity: { name: 'ADMIN of one service', token: one, standing: 'SERVICE' } as const,
        hidden: hiddenInProject(),
      },
    ];
    for (const { identity, hidden } of viewers) {
      // What a role shows does not depend on its height, so nested fields are read as the lowest roles.
      const isHigher = 'role' in identity && identity.role !== 'VIEWER';
      const levels = isHigher || identity.standing === 'NOT_SIGNED_IN' ? 1 : 3;
      const calls = [
        ...operations('query').flatMap((operation) => {
          const query = operationDocument('query', operation, levels);
          const cases = [...(queryCases[operation.name]?.(own) ?? []), ...(queryCases[operation.name]?.(other) ?? [])];
          return cases.map((variables) => ({ query, variables }));
        }),
        ...nodes.map(({ id, type }) => ({ query: nodeDocument(type, levels), variables: { id } })),
      ];
      // A caller without a valid sign-in is refused before the document is read.
      if (identity.standing === 'NOT_SIGNED_IN') calls.splice(20);
      const call = async ({ query, variables }: (typeof calls)[number]): Promise<void> => {
        const { text, status, errors } = await send(query, variables, identity);
        // Otherwise no answer could show anything.
        if (identity.standing === 'INSTALLATION' && errors.length > 0) leaks.push({ query, variables, errors });
        const sent = Object.values(variables).flat();
        const shown = hidden(query).filter((each) => text.includes(each) && !sent.includes(each));
        if (shown.length > 0) leaks.push({ as: identity.name, query: query.slice(0, 80), variables, shown });
        if (identity.standing === 'NOT_SIGNED_IN' && status !== 401) leaks.push({ as: identity.name, query, status });
      };
      for (let first = 0; first < calls.length; first += 10)
        await Promise.all(calls.slice(first, first + 10).map(call));
    }
    expect(leaks).toEqual([]);
  });

  test('show a role in one service its own objects, and null or a part in the place of others', async () => {
    const { projectId, serviceId, idleServiceId, readJobId, restoreJobId, fileEndpointId } = own;
    const one = api.admit(memberWith([{ projectId, serviceId, role: 'VIEWER' }]));
    const seen = await api.post(
      `query ($job: ID!, $restore: ID!, $foreign: ID!, $endpoint: ID!, $project: ID!) {
        project(id: $project) { name viewerRole viewerActions }
        backupJob(id: $job) { service { id } plan { id } fileEndpoint { id } restores { nodes { id } } }
        own: restoreJob(id: $restore) { backup { id } target { id } }
        ofForeign: restoreJob(id: $foreign) { backup { id } target { id } }
        fileEndpoint(id: $endpoint) { backups viewerActions lastAudit { at } }
      }`,
      {
        job: readJobId,
        restore: restoreJobId,
        foreign: restoreOfForeign,
        endpoint: fileEndpointId,
        project: projectId,
      },
      one,
    );
    expect(seen.errors).toEqual([]);
    expect(seen.data).toEqual({
      project: { name: 'Amsterdam', viewerRole: null, viewerActions: [] },
      backupJob: {
        service: { id: serviceId },
        plan: { id: own.planId },
        fileEndpoint: { id: fileEndpointId },
        restores: { nodes: [{ id: restoreJobId }] },
      },
      own: { backup: { id: readJobId }, target: { id: serviceId } },
      ofForeign: { backup: null, target: { id: serviceId } },
      // The backup of the idle service at the same endpoint does not count.
      fileEndpoint: { backups: 2, viewerActions: [], lastAudit: null },
    });
    const protection = 'query ($id: ID!) { project(id: $id) { protection { services } } }';
    expect((await api.post(protection, { id: projectId }, one)).data.project.protection).toEqual([{ services: 1 }]);
    const events = 'query ($id: ID) { events(streamId: $id) { nodes { streamId } totalCount } }';
    const history = await api.post(events, { id: readJobId }, one);
    expect(history.data.events.totalCount).toBeGreaterThan(2);
    expect((await api.post(events, { id: idleServiceId }, one)).data.events).toEqual({ nodes: [], totalCount: 0 });
    const restore = 'mutation ($input: StartRestoreInput!) { startRestore(input: $input) { id } }';
    const operator = api.admit(memberWith([{ projectId, serviceId, role: 'OPERATOR' }]));
    const into = (target: string) => ({ input: { backupJobId: readJobId, target: { asNew: { serviceId: target } } } });
    const [unseen, missing] = [
      await api.post(restore, into(idleServiceId), operator),
      await api.post(restore, into(randomUUID()), operator),
    ];
    expect(unseen.errors[0]?.extensions.code).toBe('BAD_INPUT');
    expect(unseen.text).toBe(missing.text);
  });

  test('let no subscription of a role in one service send what is not visible, and let those without a right send nothing', async () => {
    const { projectId, serviceId, storedJobId } = own;
    const one = api.admit(memberWith([{ projectId, serviceId, role: 'VIEWER' }]));
    const hidden = hiddenInProject()('summary');
    const sent: string[] = [];
    const lists = operations('subscription').filter(
      ({ name }) => /Changes$|^events$/.test(name) && name !== 'workerChanges',
    );
    await withSocket(one, async (client) => {
      const readers = lists.map((operation) => {
        const query = operationDocument('subscription', operation, 3);
        const results = client.iterate({ query, variables: { after: '0', projectId } });
        // Each list sends something, because an object of each kind exists. Holds change only backups.
        const showsHolds = ['backupJobChanges', 'events'].includes(operation.name);
        const last = showsHolds ? 'the last change' : '"READY"';
        return (async () => {
          for await (const result of results) {
            const text = JSON.stringify(result);
            sent.push(text);
            if (text.includes(last)) return;
          }
        })();
      });
      const hold = 'mutation ($id: ID!, $reason: String!) { holdBackup(id: $id, reason: $reason) { id } }';
      await api.post(hold, { id: foreignBackupId, reason: 'a change that is not visible' });
      await api.post(hold, { id: storedJobId, reason: 'the last change' });
      await Promise.all(readers);
      for (const operation of operations('subscription').filter(({ args }) => args.some(({ name }) => name === 'id'))) {
        const id = operation.name === 'restoreJob' ? foreignRestore : foreignBackupId;
        const refusal = await refusalOf(client, operationDocument('subscription', operation), { id });
        expect(refusal).toBe(`There is no such ${operation.name.replace('Job', ' job')}.`);
      }
    });
    // The data of events may contain ids of objects that are not visible.
    const ofEvents = sent.filter((text) => text.includes('"streamType"'));
    const inOthers = [...hidden, foreignBackupId, foreignRestore];
    const shown = sent.flatMap((text) =>
      (ofEvents.includes(text) ? hidden : inOthers).filter((each) => text.includes(each)),
    );
    expect(shown).toEqual([]);
    expect(sent.join('')).not.toContain('not visible');
    for (const { token } of identities.filter(({ standing }) => standing === 'NOT_SIGNED_IN')) {
      const code = token === undefined ? 4401 : 4403;
      await withSocket(token, async (client) => {
        await expect(client.iterate({ query: '{ me { subject } }' }).next()).rejects.toMatchObject({ code });
      });
    }
  });

  test('are those of every page and download', async () => {
    const page = readFileSync(new URL('../../docs/rights.md', import.meta.url), 'utf8').split('### Pages\n')[1] ?? '';
    const listed = [...page.matchAll(/`(\/[^`]+)`/g)].map(([, path = '']) =>
      path.replace('<service instance id>', own.instanceId),
    );
    const audit = ['/audit/events.csv', '/audit/events.jsonl'];
    expect(listed).toEqual(expect.arrayContaining([...audit, '/metrics', '/sign-in', '/playground', '/healthz']));
    const wrong: object[] = [];
    for (const path of new Set(listed)) {
      const open = await fetch(`${api.url}${path}`, { redirect: 'manual' });
      for (const identity of identities) {
        const { token, headers, standing, role, name } = identity;
        const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
        const response = await fetch(`${api.url}${path}`, { headers: { ...headers, ...bearer }, redirect: 'manual' });
        const text = await response.text();
        const isAdmin = standing === 'INSTALLATION' || (standing === 'PROJECT' && role === 'ADMIN');
        const mayExport = isAdmin || name === 'an ADMIN of another project';
        const ofSignedIn = (may: boolean) => (standing === 'NOT_SIGNED_IN' ? 401 : may ? 200 : 403);
        const expected = audit.includes(path)
          ? ofSignedIn(mayExport)
          : path === '/metrics' && token !== undefined
            ? ofSignedIn(standing === 'INSTALLATION')
            : open.status;
        const hidden = audit.includes(path) ? hiddenFrom(identity)('') : [...idsOf(own), ...idsOf(other), own.name];
        const shown = hidden.filter((each) => text.includes(each) && !path.includes(each));
        if (response.status !== expected || shown.length > 0)
          wrong.push({ path, as: name, status: response.status, expected, shown });
      }
    }
    expect(wrong).toEqual([]);
  });

  test('name every path from one object to another', () => {
    const paths = Object.values(api.schema.getTypeMap()).flatMap((type) => {
      if (!isObjectType(type) || !type.getInterfaces().some(({ name }) => name === 'Node')) return [];
      const leading = Object.values(type.getFields()).filter((field) => {
        const to = getNamedType(field.type);
        const node = isObjectType(to) ? (to.getFields()['nodes'] ?? field) : field;
        const end = getNamedType(node.type);
        return isObjectType(end) && end.getInterfaces().some(({ name }) => name === 'Node');
      });
      return leading.map(({ name }) => `${type.name}.${name}`);
    });
    const page = readFileSync(new URL('../../docs/rights.md', import.meta.url), 'utf8');
    const table = (page.split('### Paths from one object to another\n')[1] ?? '').split('\n#')[0] ?? '';
    const listed = [...table.matchAll(/^\| `(\w+\.\w+)` \| [^|]+ \|$/gm)].map(([, path]) => path);
    expect(listed).toEqual(paths.toSorted());
  });

  async function withSocket(token: string | undefined, use: (client: Client) => Promise<void>): Promise<void> {
    const client = createClient({
      url: `${api.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      ...(token === undefined ? {} : { connectionParams: { authorization: token } }),
      retryAttempts: 0,
    });
    try {
      await use(client);
    } finally {
      await client.dispose();
    }
  }

  /** Every object of both projects, with its type. */
  async function nodesWithTypes(): Promise<readonly { readonly id: string; readonly type: GraphQLObjectType }[]> {
    const ids = new Set([...[ofService, own, other].flatMap(idsOf), foreignBackupId, restoreOfForeign, foreignRestore]);
    const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }';
    const found = (await api.post(query, { ids: [...ids] })).data.nodes as ({
      __typename: string;
      id: string;
    } | null)[];
    return found.flatMap((node) => {
      const type = node === null ? undefined : api.schema.getType(node.__typename);
      return node !== null && isObjectType(type) ? [{ id: node.id, type }] : [];
    });
  }

  /** Variables with which nothing is executed if the caller may call the operation, where it has a commandId. */
  function attempt(operation: Operation, { inOneService }: Right, { standing }: Identity): Variables {
    const good = mutationCases[operation.name]?.good({ own: ofService, other: ofService, port: 9 }) ?? {};
    const hasCommandId = operation.args.some(({ name }) => name === 'commandId');
    const variables = hasCommandId ? { ...good, commandId: '*' } : good;
    if (standing !== 'SERVICE' || inOneService !== 'with serviceId') return variables;
    const { serviceId } = own;
    return 'input' in variables
      ? { ...variables, input: { ...(variables['input'] as object), serviceId } }
      : { ...variables, serviceId };
  }

  function expectedOf({ needs, inOneService }: Right, { standing, role }: Identity): string {
    if (standing === 'NOT_SIGNED_IN') return 'UNAUTHENTICATED';
    if (standing === 'INSTALLATION') return 'ALLOWED';
    if (needs === 'INSTALLATION') return 'FORBIDDEN';
    if (standing === 'STRANGER') return 'NOT_FOUND';
    if (standing === 'SERVICE' && inOneService === 'no') return 'FORBIDDEN';
    return needs === 'SIGNED_IN' || hasRole(role, needs) ? 'ALLOWED' : 'FORBIDDEN';
  }

  const ofOther = () => [...idsOf(other), other.name];

  /** What no answer to a document may show to the caller. */
  function hiddenFrom({ standing, name }: Identity): (document: string) => readonly string[] {
    if (standing === 'INSTALLATION') return () => [];
    if (standing === 'PROJECT') return ofOther;
    if (standing === 'SERVICE')
      return () => [...ofOther(), own.removedServiceId, own.idleFileEndpointId, own.accessTokenId];
    const ofOwn = () => [...idsOf(own), own.name, foreignBackupId];
    return () => (name === 'an ADMIN of another project' ? ofOwn() : [...ofOwn(), ...ofOther()]);
  }

  /** The same for a role in the service alone. The data of events may contain ids of objects that are not visible. */
  function hiddenInProject(): (document: string) => readonly string[] {
    const { idleServiceId, removedServiceId, idleFileEndpointId, accessTokenId, name } = own;
    const hidden = [...ofOther(), idleServiceId, removedServiceId, idleFileEndpointId, accessTokenId, `${name} idle`];
    return (document) => (document.includes('summary') ? hidden : [...hidden, foreignBackupId, foreignRestore]);
  }

  async function send(query: string, variables: Variables, { token, headers: further }: Identity): Promise<HttpAnswer> {
    if (token !== undefined) return api.post(query, variables, token);
    const headers = { ...further, 'content-type': 'application/json' };
    const response = await fetch(`${api.url}/graphql`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ query, variables }),
    });
    const text = await response.text();
    return { errors: [], ...(JSON.parse(text) as Partial<HttpAnswer>), data: null, status: response.status, text };
  }

  async function belongings(): Promise<Pick<SettledProject, 'idleFileEndpointId' | 'accessTokenId'>> {
    const { projectId, serviceId } = own;
    const common = { projectId, serviceId, name: 'of the service' };
    const endpoint = await api.post(
      'mutation ($input: FileEndpointInput!) { createFileEndpoint(input: $input) { id } }',
      { input: { ...common, settings: { filesystem: { path: 'of-the-service' } } } },
    );
    const token = await api.post(
      'mutation ($input: AccessTokenInput!) { createAccessToken(input: $input) { accessToken { id } } }',
      { input: { ...common, role: 'VIEWER' } },
    );
    return {
      idleFileEndpointId: endpoint.data.createFileEndpoint.id as string,
      accessTokenId: token.data.createAccessToken.accessToken.id as string,
    };
  }

  async function makeForeignJobs(): Promise<void> {
    const { shared } = api;
    const { projectId, serviceId, idleServiceId, fileEndpointId, storedJobId } = own;
    foreignBackupId = await queuedJob(shared, projectId, { serviceId: idleServiceId, fileEndpointId });
    await executeCommands(shared, { id: foreignBackupId, projectId }, started(), succeeded());
    const restore = async (backupJobId: string, targetServiceId: string) => {
      const id = randomUUID();
      const request = {
        engine: 'MARIADB',
        mode: 'AS_NEW',
        requestedBy: 'tester',
        queuedAt: new Date().toISOString(),
      } as const;
      const limits = { maxAttempts: 3, stallTimeoutMs: 600_000 };
      await shared.store.transact({ actor: 'tester', correlationId: randomUUID() }, (tx) =>
        queueRestore(tx, shared.queue, { id, projectId }, { backupJobId, targetServiceId, ...request, ...limits }),
      );
      return id;
    };
    restoreOfForeign = await restore(foreignBackupId, serviceId);
    foreignRestore = await restore(storedJobId, idleServiceId);
  }
});
