import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { mutationCases } from '../fixtures/api/badInputs.js';
import { idsOf, queryCases, subscriptionCases, type Variables } from '../fixtures/api/operationCases.js';
import { operationDocument } from '../fixtures/api/operationDocument.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { describeWith } from '../fixtures/requirements.js';
import { settleProject, type SettledProject } from '../fixtures/settledProject.js';
import { memberOf } from '../fixtures/api/sliceApi.js';
import { until } from '../fixtures/until.js';
import { startWholeApi, type ApiErrorAnswer, type WholeApi } from '../fixtures/api/wholeApi.js';

/** Queries that show nothing about a project, or are not built yet. */
const saysNothing = ['me'];

/** Operations about all projects, which need the installation-level token. */
const ofTheInstallation = ['workers', 'workerChanges'];
/** Operations about a project that only its ADMINs may call. */
const ofAdmins = ['auditEvents'];
const mutationsOfTheInstallation = ['createProject', 'createSignInLink'];

describeWith({ postgresql: await postgresMissing() }, 'members of one project', () => {
  let api: WholeApi;
  let own: SettledProject;
  let foreign: SettledProject;
  let viewer: string;
  let admin: string;

  beforeAll(async () => {
    api = await startWholeApi();
    // Nothing is ever sent to port 9, because no worker runs.
    own = await settleProject(api, 'Amsterdam', 9);
    foreign = await settleProject(api, 'Zanzibar', 9);
    viewer = api.admit(memberOf(own.projectId, 'VIEWER'));
    admin = api.admit(memberOf(own.projectId, 'ADMIN'));
    // Otherwise the audits of both projects would be empty.
    const settings = 'query ($id: ID!) { fileEndpoint(id: $id) { settings { __typename } } }';
    for (const { fileEndpointId } of [own, foreign]) await api.post(settings, { id: fileEndpointId });
    await until(async () => {
      const read = 'query { auditEvents(filter: { what: [SETTINGS_READ] }) { totalCount } }';
      return (await api.post(read)).data.auditEvents.totalCount >= 2;
    }, 'the audit has both reads');
  });
  afterAll(() => api.stop());

  const all = {
    query: () => Object.values(api.schema.getQueryType()?.getFields() ?? {}),
    subscription: () => Object.values(api.schema.getSubscriptionType()?.getFields() ?? {}),
  };
  const forMembers = ({ name }: { readonly name: string }) => !ofTheInstallation.includes(name);
  const tokenFor = ({ name }: { readonly name: string }) => (ofAdmins.includes(name) ? admin : viewer);
  const queries = () => all.query().filter(forMembers);
  const mutations = () => Object.values(api.schema.getMutationType()?.getFields() ?? {});
  const subscriptions = () => all.subscription().filter(forMembers);

  const namesForeign = (text: string) => [...idsOf(foreign), foreign.name].some((each) => text.includes(each));

  test('have a case for every operation', () => {
    const without = [
      ...queries().filter(({ name }) => queryCases[name] === undefined),
      ...mutations().filter(({ name }) => mutationCases[name] === undefined),
      ...subscriptions().filter(({ name }) => subscriptionCases[name] === undefined),
    ];
    expect(without.map(({ name }) => name)).toEqual([]);
  });

  test('get the same answer from every query about another project as about a missing project', async () => {
    const nowhere = neverSettled();
    const wrong: object[] = [];
    for (const operation of queries()) {
      const query = operationDocument('query', operation, 2);
      const cases = queryCases[operation.name] ?? (() => []);
      const [foreignCases, missingCases] = [cases(foreign), cases(nowhere)];
      const compare = async (variables: Variables, index: number): Promise<void> => {
        const [{ text }, { text: answer }, { text: forMembers }] = await Promise.all([
          api.post(query, variables, tokenFor(operation)),
          api.post(query, missingCases[index], tokenFor(operation)),
          api.post(query, variables),
        ]);
        if (text !== answer || namesForeign(text)) wrong.push({ query, variables, text, answer });
        // Otherwise the test of this case could not fail.
        if (forMembers === text && !saysNothing.includes(operation.name)) wrong.push({ query, variables, forMembers });
      };
      await Promise.all(foreignCases.map(compare));
    }
    expect(wrong).toEqual([]);
  });

  test('get FORBIDDEN for operations of the installation', async () => {
    const codes: unknown[] = [];
    for (const operation of all.query().filter((each) => !forMembers(each))) {
      const { errors, text } = await api.post(operationDocument('query', operation, 3), {}, admin);
      codes.push([operation.name, errors[0]?.extensions.code]);
      expect(namesForeign(text)).toBe(false);
    }
    await withSocket(admin, async (client) => {
      for (const operation of all.subscription().filter((each) => !forMembers(each))) {
        const errors = await refusalOf(client, operationDocument('subscription', operation, 3), {});
        codes.push([operation.name, errors[0]?.extensions.code]);
      }
    });
    expect(codes).toEqual(ofTheInstallation.map((name) => [name, 'FORBIDDEN']));
  });

  test('see their own project in every list and lookup, and nothing of another project in nested fields', async () => {
    const wrong: object[] = [];
    for (const operation of queries()) {
      const query = operationDocument('query', operation, 3);
      const cases = queryCases[operation.name]?.(own) ?? [];
      const required = operation.args.some(({ type, defaultValue }) => String(type).endsWith('!') && !defaultValue);
      const checkAnswer = async (variables: Variables): Promise<void> => {
        const { text, errors } = await api.post(query, variables, tokenFor(operation));
        if (namesForeign(text)) wrong.push({ query, variables, answer: text });
        if (saysNothing.includes(operation.name)) return;
        if (errors.length > 0 || !/"id":|"normalized":|"count":|"date":/.test(text))
          wrong.push({ query, variables, text });
      };
      await Promise.all((required || operation.name === 'service' ? cases : [{}, ...cases]).map(checkAnswer));
    }
    expect(wrong).toEqual([]);
  });

  test('get the same answer from every mutation of another project as of a missing project, and nothing is stored', async () => {
    const nowhere = neverSettled();
    const before = await api.stored();
    const wrong: object[] = [];
    for (const operation of mutations()) {
      const cases = mutationCases[operation.name];
      if (cases === undefined || mutationsOfTheInstallation.includes(operation.name)) continue;
      const query = operationDocument('mutation', operation, 2);
      const variables = cases.good({ own: foreign, other: foreign, port: 9 });
      const { text, errors } = await api.post(query, variables, admin);
      const missing = cases.good({ own: nowhere, other: nowhere, port: 9 });
      const answer = (await api.post(query, missing, admin)).text;
      const code = errors[0]?.extensions.code;
      if (code !== 'NOT_FOUND') wrong.push({ query, variables, text });
      if (text !== answer || namesForeign(text)) wrong.push({ query, variables, text, answer });
    }
    expect(wrong).toEqual([]);
    expect(await api.stored()).toEqual(before);
  });

  test('cannot use objects of another project in their own project', async () => {
    const before = await api.stored();
    const refusals: [mutation: string, variables: Variables, path: string][] = [
      ['createBackupPlan', planOf(own, [foreign.fileEndpointId]), 'input.fileEndpointIds.0'],
      ['updateBackupPlan', patchOf(own, [foreign.fileEndpointId]), 'input.fileEndpointIds.0'],
      ['startBackup', backupOf(own.serviceId, foreign.fileEndpointId), 'input.service.fileEndpointId'],
      ['startRestore', restoreOf(own.storedJobId, foreign.serviceId), 'input.target.asNew.serviceId'],
    ];
    for (const [name, variables, path] of refusals) {
      const operation = mutations().find((each) => each.name === name);
      if (operation === undefined) throw new Error(`There is no ${name}.`);
      const { errors, text } = await api.post(operationDocument('mutation', operation), variables, admin);
      expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_INPUT', details: { fields: [{ path }] } });
      const missing = JSON.parse(JSON.stringify(variables).replaceAll(foreignIds(), randomUUID())) as Variables;
      const answer = await api.post(operationDocument('mutation', operation), missing, admin);
      expect(text).toBe(answer.text);
    }
    expect(await api.stored()).toEqual(before);
  });

  const foreignIds = () => new RegExp(idsOf(foreign).join('|'), 'g');

  test('may change nothing in their own project as a viewer', async () => {
    const before = await api.stored();
    for (const operation of mutations()) {
      const cases = mutationCases[operation.name];
      if (cases === undefined || cases.notYet === true) continue;
      const variables = cases.good({ own, other: own, port: 9 });
      const { errors } = await api.post(operationDocument('mutation', operation), variables, viewer);
      expect([operation.name, errors[0]?.extensions.code]).toEqual([operation.name, 'FORBIDDEN']);
    }
    expect(await api.stored()).toEqual(before);
  });

  test('get the same answer from every subscription to another project as to a missing project', async () => {
    const nowhere = neverSettled();
    const wrong: object[] = [];
    await withSocket(viewer, async (client) => {
      for (const operation of subscriptions()) {
        const query = operationDocument('subscription', operation, 3);
        const cases = subscriptionCases[operation.name] ?? (() => []);
        for (const [index, variables] of cases(foreign).entries()) {
          const errors = await refusalOf(client, query, variables);
          const missing = await refusalOf(client, query, cases(nowhere)[index] ?? {});
          const text = JSON.stringify(errors);
          const isNotFound = errors[0]?.extensions.code === 'NOT_FOUND';
          if (!isNotFound || text !== JSON.stringify(missing)) wrong.push({ query, errors, missing });
        }
      }
    });
    expect(wrong).toEqual([]);
  });

  test('receive only their own project from subscriptions to everything', async () => {
    const lists = subscriptions().filter(({ args }) => args.every(({ name }) => name !== 'id'));
    const messages: string[] = [];
    const ready: Promise<void>[] = [];
    /** Whether the message is the last change of its kind in the own project. */
    const isLast = (list: string, text: string): boolean => {
      if (list === 'serviceChanges') return text.includes(`"id":"${own.serviceId}"`);
      if (list === 'backupPlanChanges') return text.includes(`"id":"${own.planId}"`);
      if (list === 'fileEndpointChanges') return text.includes(`renamed ${own.idleFileEndpointId}`);
      const id = list === 'restoreJobChanges' ? own.restoreJobId : own.queuedJobId;
      return text.includes(id) && /CANCELLED|Cancelled/.test(text);
    };
    await withSocket(viewer, async (client) => {
      const subscriptions = lists.map((operation) => {
        const query = operationDocument('subscription', operation, 3);
        const variables = operation.name === 'events' ? { after: '0' } : {};
        const results = client.iterate({ query, variables });
        let isReady = (): void => undefined;
        ready.push(new Promise((resolve) => (isReady = resolve)));
        return (async () => {
          for await (const result of results) {
            const text = JSON.stringify(result);
            messages.push(text);
            if (operation.name === 'events' || text.includes('"READY"')) isReady();
            if (isLast(operation.name, text)) return;
          }
        })();
      });
      await Promise.all(ready);
      for (const { queuedJobId, restoreJobId, idleFileEndpointId } of [foreign, own]) {
        const rename =
          'mutation ($id: ID!, $name: String) { updateFileEndpoint(id: $id, input: { name: $name }) { id } }';
        const { errors } = await api.post(rename, { id: idleFileEndpointId, name: `renamed ${idleFileEndpointId}` });
        expect(errors).toEqual([]);
        for (const [mutation, id] of [
          ['cancelRestoreJob', restoreJobId],
          ['cancelBackupJob', queuedJobId],
        ] as const) {
          const { errors } = await api.post(`mutation ($id: ID!) { ${mutation}(id: $id) { id } }`, { id });
          expect(errors).toEqual([]);
        }
      }
      await Promise.all(subscriptions);
    });
    expect(messages.filter(namesForeign)).toEqual([]);
    expect(messages.some((text) => text.includes(own.queuedJobId))).toBe(true);
  });

  async function withSocket(token: string, use: (client: Client) => Promise<void>): Promise<void> {
    const client = createClient({
      url: `${api.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: token },
      retryAttempts: 0,
    });
    await use(client).finally(() => client.dispose());
  }
});

/** The ids of a project that does not exist. */
function neverSettled(): SettledProject {
  return {
    name: 'Zealand',
    projectId: randomUUID(),
    instanceId: randomUUID(),
    serviceId: randomUUID(),
    idleServiceId: randomUUID(),
    removedServiceId: randomUUID(),
    fileEndpointId: randomUUID(),
    idleFileEndpointId: randomUUID(),
    planId: randomUUID(),
    queuedJobId: randomUUID(),
    storedJobId: randomUUID(),
    readJobId: randomUUID(),
    deletedJobId: randomUUID(),
    restoreJobId: randomUUID(),
    accessTokenId: randomUUID(),
    usedCommandId: randomUUID(),
  };
}

const planOf = ({ serviceId }: SettledProject, fileEndpointIds: readonly string[]): Variables => ({
  input: { serviceId, name: 'a', fileEndpointIds, frequency: '@daily', retention: { style: 'ALL' } },
});
const patchOf = ({ planId }: SettledProject, fileEndpointIds: readonly string[]): Variables => ({
  id: planId,
  input: { fileEndpointIds },
});
const backupOf = (serviceId: string, fileEndpointId: string): Variables => ({
  input: { service: { serviceId, fileEndpointId } },
});
const restoreOf = (backupJobId: string, serviceId: string): Variables => ({
  input: { backupJobId, target: { asNew: { serviceId } } },
});

/** The errors of a refused subscription, or the first message of one that is not refused. */
async function refusalOf(client: Client, query: string, variables: Variables): Promise<readonly ApiErrorAnswer[]> {
  try {
    for await (const result of client.iterate({ query, variables })) {
      return (result.errors ?? [{ message: JSON.stringify(result.data) }]) as unknown as ApiErrorAnswer[];
    }
    return [];
  } catch (refused) {
    if (Array.isArray(refused)) return refused as ApiErrorAnswer[];
    throw refused;
  }
}
