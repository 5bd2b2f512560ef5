import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { sentStatements } from '../../test/fixtures/sentStatements.js';
import { memberOf, startSliceApi, type SliceApi } from '../../test/fixtures/api/sliceApi.js';
import { createEngines } from '../engines/engines.js';
import { entitiesInUse } from '../postgres/entitiesInUse.js';
import { NodeResolver } from '../server/nodeApi.js';
import { restoreUnderWay } from '../restores/restoreUnderWay.js';
import { parseAllowedTargets } from '../storage/allowedTargets.js';
import { serviceResolvers, type ServiceDependencies } from './serviceApi.js';
import { ServiceType } from './serviceType.js';
import { serviceLookup } from './serviceView.js';
import { nodesOf } from '../server/nodesOf.js';
import { serviceConnection } from './serviceConnection.js';
import { findService } from './serviceQueries.js';

const register = `mutation ($input: ServiceInput!, $commandId: ID) { registerService(input: $input, commandId: $commandId) {
  id name engine instanceId dashboardUrl host port username databases tls { mode ca } recoveryPointObjective version
  viewerActions project { id name } removedAt lastCheck { ok } } }`;
const update = `mutation ($id: ID!, $input: ServicePatch!, $expectedVersion: Int) {
  updateService(id: $id, input: $input, expectedVersion: $expectedVersion) { id name host port username databases tls { mode } version } }`;
const remove = 'mutation ($id: ID!) { removeService(id: $id) { id removedAt viewerActions } }';
const check = `mutation ($id: ID!, $input: ServicePatch) { checkService(id: $id, input: $input) {
  check { ok steps { name status code took message } } service { host lastCheck { ok checkedAt } } } }`;

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'services over GraphQL', () => {
  let api: SliceApi;
  let mariadb: MariadbServer;
  let projectId: string;

  beforeAll(async () => {
    mariadb = await startMariadb();
    await mariadb.sql('CREATE DATABASE harbour; CREATE TABLE harbour.ships (id INT PRIMARY KEY)');
    api = await startSliceApi((ground) => {
      const tools: ServiceDependencies = {
        ...ground,
        // As in a version that has a name for an engine and cannot back it up yet.
        engines: new Map([...createEngines({ allowAddress: () => true })].filter(([name]) => name !== 'MYSQL')),
        allowedTargets: parseAllowedTargets('default,loopback'),
        stopping: new AbortController().signal,
        publicUrl: () => 'https://backup.example.org',
        restoreUnderWay,
        entitiesInUse: (ids) => entitiesInUse(ground.dataSource, ids),
      };
      return [
        ...serviceResolvers(tools),
        new NodeResolver([nodesOf(tools, serviceLookup, (row) => ServiceType.of(row))]),
      ];
    });
    projectId = await api.createProject();
  });
  afterAll(async () => {
    await api.stop();
    await mariadb.stop();
  });

  const input = (changes: object = {}) => ({
    projectId,
    name: `db ${randomUUID()}`,
    engine: 'MARIADB',
    host: '127.0.0.1',
    username: 'stowage',
    password: 'a secret',
    ...changes,
  });
  const registered = async (changes: object = {}) => {
    const { data } = await api.call(register, { input: input(changes) });
    return data.registerService as { id: string; name: string; instanceId: string; version: number };
  };

  test('a registered service has defaults, a dashboard and a project, and no field returns the password', async () => {
    const { data } = await api.call(register, { input: input({ name: 'orders', recoveryPointObjective: 'PT90M' }) });
    expect(data.registerService).toMatchObject({
      name: 'orders',
      engine: 'MARIADB',
      port: 3306,
      databases: null,
      tls: { mode: 'OFF', ca: null },
      recoveryPointObjective: 'PT1H30M',
      version: 1,
      viewerActions: ['UPDATE', 'REMOVE', 'CHECK', 'BACK_UP', 'RESTORE_INTO', 'MANAGE_ACCESS'],
      project: { id: projectId, name: 'Harbour' },
      dashboardUrl: `https://backup.example.org/v2/dashboard/${data.registerService.instanceId}`,
      lastCheck: null,
    });
    const events = await api.store.read({ streamId: data.registerService.id });
    expect(JSON.stringify(events, (_key, value: unknown) => (typeof value === 'bigint' ? '' : value))).not.toContain(
      'a secret',
    );
    const row = await findService(api.dataSource.manager, data.registerService.id as string);
    if (row === null) throw new Error('The service is not in the view.');
    const connection = await serviceConnection(row, api.vault);
    expect(connection.password?.reveal()).toBe('a secret');
  });

  test('a second registration with the same values returns the same service and appends nothing', async () => {
    const values = input();
    const first = await api.call(register, { input: values });
    const before = await api.countEvents();
    const again = await api.call(register, { input: values });
    expect(again.data.registerService.id).toBe(first.data.registerService.id);
    expect(await api.countEvents()).toBe(before);
    for (const change of [{ host: '127.0.0.2' }, { password: 'other' }, { password: undefined }, { port: 3307 }]) {
      expect((await api.call(register, { input: { ...values, ...change } })).code).toBe('CONFLICT');
    }
  });

  test('simultaneous registrations of the same service create one service', async () => {
    const values = input();
    const answers = await Promise.all([1, 2, 3, 4].map(() => api.call(register, { input: values })));
    expect(new Set(answers.map(({ data }) => data.registerService.id as string)).size).toBe(1);
  });

  test('the same commandId returns the same service, and with another input it is a mismatch', async () => {
    const commandId = randomUUID();
    const values = input();
    const first = await api.call(register, { input: values, commandId });
    expect((await api.call(register, { input: values, commandId })).data).toEqual(first.data);
    const other = await api.call(register, { input: { ...values, password: 'other' }, commandId });
    expect(other.code).toBe('IDEMPOTENCY_MISMATCH');
  });

  test('only the installation token sets an instance id; the id finds the service, and is never used again', async () => {
    const instanceId = randomUUID();
    const refused = await api.call(register, { input: input({ instanceId }) }, memberOf(projectId, 'ADMIN'));
    expect(refused.details.fields).toMatchObject([{ path: 'input.instanceId' }]);
    const service = await registered({ instanceId });
    expect(service.instanceId).toBe(instanceId);
    const query = 'query ($instanceId: String!) { service(instanceId: $instanceId) { id } }';
    expect((await api.call(query, { instanceId })).data.service).toEqual({ id: service.id });
    expect((await api.call(query, { instanceId }, memberOf(randomUUID(), 'ADMIN'))).data.service).toBeNull();
    expect((await api.call(register, { input: input({ instanceId }) })).code).toBe('CONFLICT');
    await api.call(remove, { id: service.id });
    expect((await api.call(register, { input: input({ instanceId }) })).code).toBe('CONFLICT');
  });

  test.each([
    ['an empty name', { name: '' }, 'input.name'],
    ['a name of 10 kB', { name: 'x'.repeat(10_000) }, 'input.name'],
    ['control characters in the name', { name: 'a\u0007b' }, 'input.name'],
    ['an engine that is not built yet', { engine: 'MYSQL' }, 'input.engine'],
    ['an option as host', { host: '--defaults-file=x' }, 'input.host'],
    ['a URL as host', { host: 'mysql://db' }, 'input.host'],
    ['a metadata address as host', { host: '169.254.169.254' }, 'input.host'],
    ['several hosts outside MongoDB', { host: 'a.example.org,b.example.org' }, 'input.host'],
    [
      'a metadata address among several hosts',
      { engine: 'MONGODB', host: 'a.example.org,169.254.169.254' },
      'input.host',
    ],
    ['a connection string as host of MongoDB', { engine: 'MONGODB', host: 'mongodb://a.example.org' }, 'input.host'],
    ['a wrong port of one host', { engine: 'MONGODB', host: 'a.example.org,b.example.org:70000' }, 'input.host'],
    ['the same host twice', { engine: 'MONGODB', host: 'a.example.org,a.example.org' }, 'input.host'],
    ['port 0', { port: 0 }, 'input.port'],
    ['port 70000', { port: 70_000 }, 'input.port'],
    ['an option as user', { username: '-u' }, 'input.username'],
    ['a password without a user', { username: null }, 'input.username'],
    ['a password of two lines', { password: 'a\nb' }, 'input.password'],
    ['an option as database', { databases: ['a', '--result-file=/tmp/x'] }, 'input.databases.1'],
    ['a connection string as database', { databases: ['a host=evil'] }, 'input.databases.0'],
    ['a database name of 65 characters', { databases: ['x'.repeat(65)] }, 'input.databases.0'],
    ['an empty database name', { databases: [''] }, 'input.databases.0'],
    ['the same database twice', { databases: ['a', 'a'] }, 'input.databases'],
    ['no database', { databases: [] }, 'input.databases'],
    ['a text that is not a certificate', { tls: { mode: 'VERIFY', ca: 'no' } }, 'input.tls.ca'],
    ['an auth source outside MongoDB', { authSource: 'admin' }, 'input.authSource'],
    ['an objective of a second', { recoveryPointObjective: 'PT1S' }, 'input.recoveryPointObjective'],
  ])('%s is BAD_INPUT with its path, and nothing is stored', async (_what, change, path) => {
    const before = await api.countEvents();
    const { code, details } = await api.call(register, { input: input(change) });
    expect(code).toBe('BAD_INPUT');
    expect(details.fields).toMatchObject([{ path, hint: expect.any(String) }]);
    expect(await api.countEvents()).toBe(before);
  });

  test('all problems are reported at once, and the error for an unknown engine names the available ones', async () => {
    const bad = { engine: 'MYSQL', host: '', port: 0, databases: ['-x', ''] };
    const { details, code } = await api.call(register, { input: input(bad) });
    expect(code).toBe('BAD_INPUT');
    const paths = (details.fields as { path: string }[]).map(({ path }) => path);
    expect(paths).toEqual(['input.engine', 'input.host', 'input.port', 'input.databases.0', 'input.databases.1']);
    expect(details.fields[0].hint).toContain('MARIADB');
  });

  test('an unknown project and a project of others are refused with the same message', async () => {
    const unknown = await api.call(register, { input: input({ projectId: randomUUID() }) });
    const foreign = await api.call(register, { input: input() }, memberOf(randomUUID(), 'ADMIN'));
    expect(unknown).toMatchObject({ code: 'NOT_FOUND', message: 'There is no such project.' });
    expect(foreign).toMatchObject({ code: unknown.code, message: unknown.message });
    const viewer = await api.call(register, { input: input() }, memberOf(projectId, 'VIEWER'));
    expect(viewer.code).toBe('FORBIDDEN');
  });

  test('a service of MongoDB may name several members of a replica set', async () => {
    const host = 'a.example.org,b.example.org:27018,[2001:db8::1]:27019';
    const { data } = await api.call(register, { input: input({ engine: 'MONGODB', host, port: null }) });
    expect(data.registerService).toMatchObject({ host, port: 27_017 });
  });

  test('a patch changes its own fields, null sets the default, and null is refused for names', async () => {
    const { id } = await registered({ port: 3310, databases: ['a'] });
    const patch = { name: 'renamed', databases: null, port: null, password: 'again' };
    const { data } = await api.call(update, { id, input: patch });
    expect(data.updateService).toMatchObject({ name: 'renamed', databases: null, port: 3306, host: '127.0.0.1' });
    const { details } = await api.call(update, { id, input: { name: null, host: null } });
    expect(details.fields).toMatchObject([{ path: 'input.name' }, { path: 'input.host' }]);
  });

  test('a released name can be used again, and a taken name is a conflict', async () => {
    const [one, other] = [await registered(), await registered()];
    expect((await api.call(update, { id: one.id, input: { name: other.name } })).code).toBe('CONFLICT');
    await api.call(update, { id: one.id, input: { name: `${one.name} renamed` } });
    expect((await api.call(update, { id: other.id, input: { name: one.name } })).code).toBeUndefined();
  });

  test.each([{ host: '127.0.0.2' }, { port: 3307 }, { tls: { mode: 'REQUIRE' } }])(
    'another destination (%j) needs the stored password again',
    async (change) => {
      const { id } = await registered();
      const before = await api.countEvents();
      expect((await api.call(update, { id, input: change })).code).toBe('SECRET_REQUIRED');
      expect((await api.call(check, { id, input: change })).code).toBe('SECRET_REQUIRED');
      expect(await api.countEvents()).toBe(before);
      const { data } = await api.call(update, { id, input: { ...change, password: 'again' } });
      expect(data.updateService).toMatchObject({ ...change, version: 2 });
    },
  );

  test('a service without a password can be moved without a password', async () => {
    const { id } = await registered({ password: undefined });
    expect((await api.call(update, { id, input: { host: '127.0.0.2' } })).code).toBeUndefined();
  });

  test('a stale version is a conflict with both versions', async () => {
    const { id } = await registered();
    await api.call(update, { id, input: { databases: ['a'] } });
    const { code, details } = await api.call(update, { id, input: { databases: ['b'] }, expectedVersion: 1 });
    expect({ code, details }).toMatchObject({
      code: 'CONFLICT',
      details: { expectedVersion: 1, actualVersion: 2 },
    });
  });

  test('a removed service can be found by its id, is in no list, and releases its name', async () => {
    const { id, name } = await registered();
    const { data } = await api.call(remove, { id });
    expect(data.removeService).toEqual({ id, removedAt: expect.any(String), viewerActions: [] });
    const lists = await api.call(
      'query ($id: ID!, $search: String!) { node(id: $id) { __typename id } services(filter: { search: $search }) { nodes { id } } }',
      { id, search: name },
    );
    expect(lists.data).toEqual({ node: { __typename: 'Service', id }, services: { nodes: [] } });
    expect((await api.call(update, { id, input: { databases: ['a'] } })).code).toBe('CONFLICT');
    expect((await api.call(check, { id })).code).toBe('CONFLICT');
    expect((await registered({ name })).id).not.toBe(id);
  });

  test('a service in use cannot be removed, and viewerActions does not offer it', async () => {
    const { id } = await registered();
    await api.store.transact({ actor: 'tester', correlationId: 'c' }, (tx) => tx.reservations.use(id, 'a plan'));
    const query = 'query ($id: ID!) { service(id: $id) { viewerActions } }';
    expect((await api.call(query, { id })).data.service.viewerActions).not.toContain('REMOVE');
    const { code } = await api.call(remove, { id });
    expect(code).toBe('SERVICE_IN_USE');
    expect((await api.call('query ($id: ID!) { service(id: $id) { removedAt } }', { id })).data.service).toEqual({
      removedAt: null,
    });
  });

  test('lists are filtered, paged and limited to the projects of the viewer', async () => {
    const elsewhere = await api.createProject('Elsewhere');
    const ids: string[] = [];
    for (const host of ['127.0.0.11', '127.0.0.12', '127.0.0.13']) {
      ids.unshift((await registered({ projectId: elsewhere, host })).id);
    }
    const list = `query ($projectId: ID, $first: Int! = 50, $after: String, $filter: ServiceFilter) {
        services(projectId: $projectId, first: $first, after: $after, filter: $filter) { nodes { id project { id } } totalCount pageInfo { endCursor hasNextPage } } }`;
    const first = await api.call(list, { projectId: elsewhere, first: 2 });
    expect(first.data.services).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
    const rest = await api.call(list, { projectId: elsewhere, after: first.data.services.pageInfo.endCursor });
    const all = [...first.data.services.nodes, ...rest.data.services.nodes].map(({ id }: { id: string }) => id);
    expect(all).toEqual(ids);
    const member = memberOf(elsewhere, 'VIEWER');
    expect((await api.call(list, {}, member)).data.services.totalCount).toBe(3);
    expect((await api.call(list, { projectId }, member)).data.services.totalCount).toBe(0);
    const found = await api.call(list, { filter: { search: '127.0.0.12', engine: ['MARIADB'] } });
    expect(found.data.services.nodes).toMatchObject([{ id: ids[1], project: { id: elsewhere } }]);
    expect((await api.call(list, { filter: { protection: ['LATE'] } })).code).toBe('NOT_YET_AVAILABLE');
  });

  test('a list reads certificates only if it is asked for them', async () => {
    await api.call(register, { input: input({ tls: { mode: 'REQUIRE' } }) });
    const read = async (fields: string) => {
      const statements = await sentStatements(api.dataSource, () => api.call(`{ services { ${fields} } }`));
      return statements.some(({ query }) => query.includes('row.tls'));
    };
    expect(await read('totalCount nodes { id host viewerActions } edges { node { lastCheck { ok } } }')).toBe(false);
    expect(await read('edges { node { tls { mode } } }')).toBe(true);
  });

  test('lookups return null for a text that is not an id, and for services of others', async () => {
    const { id } = await registered();
    const query =
      'query ($id: ID!) { service(id: $id) { id } node(id: $id) { id } nodes(ids: [$id, "nonsense"]) { id } }';
    const nothing = { service: null, node: null, nodes: [null, null] };
    expect((await api.call(query, { id: 'no-uuid' })).data).toEqual(nothing);
    expect((await api.call(query, { id }, memberOf(randomUUID(), 'ADMIN'))).data).toEqual(nothing);
    expect((await api.call(update, { id, input: {} }, memberOf(randomUUID(), 'ADMIN'))).code).toBe('NOT_FOUND');
  });

  describe('checks against a real server', () => {
    const validate = `mutation ($input: ServiceInput!) { validateService(input: $input) { ok checkedAt steps { name status code hint took } } }`;
    const access = () => ({ port: mariadb.port, username: mariadb.username, password: mariadb.password });

    test('validateService runs every step and stores nothing', async () => {
      const before = await api.countEvents();
      const { data } = await api.call(validate, { input: input(access()) });
      expect(data.validateService).toMatchObject({ ok: true });
      const names = (data.validateService.steps as { name: string }[]).map(({ name }) => name);
      expect(names).toEqual(['RESOLVE', 'CONNECT', 'AUTHENTICATE', 'TOOL', 'PRIVILEGES', 'SETTINGS']);
      expect(await api.countEvents()).toBe(before);
    });

    test('a wrong password fails AUTHENTICATE and skips the rest', async () => {
      const { data } = await api.call(validate, { input: input({ ...access(), password: 'wrong' }) });
      const failed = (data.validateService.steps as { status: string }[]).filter(({ status }) => status === 'FAILED');
      expect(failed).toMatchObject([{ name: 'AUTHENTICATE', code: 'SERVICE_AUTH', hint: expect.any(String) }]);
    });

    test('checkService uses the stored password and stores the check', async () => {
      const { id } = await registered(access());
      const { data } = await api.call(check, { id });
      expect(data.checkService).toMatchObject({ check: { ok: true }, service: { lastCheck: { ok: true } } });
    });

    test('checkService with a patch checks the changed service and stores only the check', async () => {
      const { id } = await registered({ ...access(), host: 'localhost' });
      const { data } = await api.call(check, { id, input: { username: 'nobody', password: 'wrong' } });
      expect(data.checkService).toMatchObject({
        check: { ok: false },
        service: { host: 'localhost', lastCheck: { ok: false } },
      });
      expect((await api.call(check, { id })).data.checkService.check.ok).toBe(true);
    });
  });
});
