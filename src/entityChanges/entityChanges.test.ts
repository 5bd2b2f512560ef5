import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { backupJob } from '../backups/backupJob.js';
import { executeCommands, queuedJob, started, succeeded } from '../../test/fixtures/backupJobs.js';
import { GraphqlUser, type ReceivedMessages } from '../../test/fixtures/api/graphqlUser.js';
import { memberWith } from '../../test/fixtures/api/sliceApi.js';
import { installationToken, startWholeApi, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { recordLateness } from '../protection/recordLateness.js';
import { settleProject, type SettledProject } from '../../test/fixtures/settledProject.js';

type Entity = { id: string; name: string; version: number; removedAt: string | null; protection?: { status: string } };
type Change = { kind: string; position: string; entity: Entity | null };
type List = 'serviceChanges' | 'fileEndpointChanges' | 'backupPlanChanges';

const objects = { serviceChanges: 'service', fileEndpointChanges: 'fileEndpoint', backupPlanChanges: 'backupPlan' };
const limitMs = 120_000;

describeWith({ postgresql: await postgresMissing() }, 'subscriptions to services, file endpoints and plans', () => {
  let api: WholeApi;
  let settled: SettledProject;
  const users: GraphqlUser[] = [];

  beforeAll(async () => {
    api = await startWholeApi();
    settled = await settleProject(api, 'harbour', 9);
  });
  afterEach(async () => {
    for (const user of users.splice(0)) await user.close();
  });
  afterAll(() => api.stop());

  const follow = (list: List, variables: object = {}, token = installationToken): ReceivedMessages<Change> => {
    const user = new GraphqlUser(api.url, token);
    users.push(user);
    const protection = list === 'fileEndpointChanges' ? '' : 'protection { status }';
    const serviceId = list === 'fileEndpointChanges' ? '' : 'serviceId: $serviceId';
    const document = `subscription ($projectId: ID, $after: Position ${serviceId && ', $serviceId: ID'}) {
      ${list}(projectId: $projectId, after: $after ${serviceId}) {
        kind position entity: ${objects[list]} { id name version removedAt ${protection} } } }`;
    return user.subscribe<Change>(list, document, { ...variables });
  };
  const isReady = (messages: readonly Change[]) => messages.some(({ kind }) => kind === 'READY');
  const entitiesOf = ({ messages }: ReceivedMessages<Change>) =>
    messages.flatMap(({ entity }) => (entity === null ? [] : [entity]));
  const head = async () => String(await api.shared.store.head());
  const rename = async (id: string, name: string): Promise<void> => {
    const mutation = 'mutation ($id: ID!, $input: ServicePatch!) { updateService(id: $id, input: $input) { id } }';
    expect((await api.post(mutation, { id, input: { name } })).errors).toEqual([]);
  };
  const storedBackup = async (project: SettledProject, planId: string | null = project.planId): Promise<string> => {
    const { projectId, serviceId, fileEndpointId } = project;
    const id = await queuedJob(api.shared, projectId, { serviceId, fileEndpointId, planId });
    await executeCommands(api.shared, { id, projectId }, started(), succeeded());
    return id;
  };

  test('send READY, and then each service that is registered, changed and removed', async () => {
    const subscription = follow('serviceChanges', { projectId: settled.projectId });
    await subscription.until(isReady, limitMs);
    expect(subscription.messages).toMatchObject([{ kind: 'READY', entity: null }]);
    const input = { projectId: settled.projectId, name: 'quay', engine: 'MARIADB', host: '127.0.0.1', port: 9 };
    const register = 'mutation ($input: ServiceInput!) { registerService(input: $input) { id } }';
    const { id } = (await api.post(register, { input })).data.registerService as { id: string };
    await subscription.until((messages) => messages.some(({ entity }) => entity?.id === id), limitMs);
    await rename(id, 'pier');
    await subscription.until((messages) => messages.at(-1)?.entity?.name === 'pier', limitMs);
    await api.post('mutation ($id: ID!) { removeService(id: $id) { id } }', { id });
    await subscription.until((messages) => messages.at(-1)?.entity?.removedAt !== null, limitMs);
    expect(subscription.messages.slice(1).map(({ kind, entity }) => [kind, entity?.id])).toEqual(
      Array.from({ length: 3 }, () => ['CHANGED', id]),
    );
    const positions = subscription.messages.map(({ position }) => BigInt(position));
    expect(positions).toEqual(positions.toSorted((a, b) => Number(a - b)));
  });

  test('send the changes of plans and of file endpoints', async () => {
    const project = await settleProject(api, `own changes ${randomUUID()}`, 9);
    const { projectId, planId, idleFileEndpointId } = project;
    const plans = follow('backupPlanChanges', { projectId });
    const endpoints = follow('fileEndpointChanges', { projectId });
    await Promise.all([plans.until(isReady, limitMs), endpoints.until(isReady, limitMs)]);
    await api.post('mutation ($id: ID!) { pauseBackupPlan(id: $id) { id } }', { id: planId });
    await plans.until((messages) => messages.at(-1)?.entity?.protection?.status === 'PAUSED', limitMs);
    await api.post('mutation ($id: ID!) { removeFileEndpoint(id: $id) { id } }', { id: idleFileEndpointId });
    await endpoints.until((messages) => messages.at(-1)?.entity?.removedAt != null, limitMs);
    expect(entitiesOf(plans).map(({ id }) => id)).toEqual([planId]);
    expect(entitiesOf(endpoints).map(({ id }) => id)).toEqual([idleFileEndpointId]);
  });

  test('send a service and its plan when a backup changes their protection, and when a service becomes LATE', async () => {
    const project = await settleProject(api, `protection ${randomUUID()}`, 9);
    const { serviceId, planId } = project;
    const services = follow('serviceChanges', { serviceId });
    const plans = follow('backupPlanChanges', { serviceId });
    await Promise.all([services.until(isReady, limitMs), plans.until(isReady, limitMs)]);
    // The newest backup of the settled project is of January 2026.
    const objective = 'mutation ($id: ID!, $input: ServicePatch!) { updateService(id: $id, input: $input) { id } }';
    await api.post(objective, { id: serviceId, input: { recoveryPointObjective: 'PT1H' } });
    const last = (status: string) => (messages: readonly Change[]) =>
      messages.at(-1)?.entity?.protection?.status === status;
    await services.until(last('LATE'), limitMs);
    const sent = services.messages.length;
    const { shared } = api;
    const now = () => new Date();
    await recordLateness({ ...shared, now }, true, () => false);
    await services.until((messages) => messages.length > sent, limitMs);
    await plans.until(last('LATE'), limitMs);
    await storedBackup(project);
    for (const subscription of [services, plans]) await subscription.until(last('PROTECTED'), limitMs);
    expect(new Set(entitiesOf(services).map(({ id }) => id))).toEqual(new Set([serviceId]));
    expect(new Set(entitiesOf(plans).map(({ id }) => id))).toEqual(new Set([planId]));
  });

  test('send after a position each one that changed since then, once and in its current state, then READY', async () => {
    const project = await settleProject(api, `after ${randomUUID()}`, 9);
    const { projectId, serviceId, idleServiceId, planId } = project;
    const after = await head();
    await rename(serviceId, 'first');
    await rename(serviceId, 'second');
    for (let each = 0; each < 3; each += 1) await storedBackup(project);
    const services = follow('serviceChanges', { projectId, after });
    const plans = follow('backupPlanChanges', { projectId, after });
    await Promise.all([services.until(isReady, limitMs), plans.until(isReady, limitMs)]);
    const beforeReady = ({ messages }: ReceivedMessages<Change>) =>
      messages.slice(
        0,
        messages.findIndex(({ kind }) => kind === 'READY'),
      );
    expect(beforeReady(services)).toMatchObject([{ kind: 'CHANGED', entity: { id: serviceId, name: 'second' } }]);
    expect(beforeReady(plans)).toMatchObject([{ kind: 'CHANGED', entity: { id: planId } }]);
    await rename(idleServiceId, 'last');
    await services.until((messages) => messages.at(-1)?.entity?.name === 'last', limitMs);
    const again = follow('serviceChanges', { projectId, after: services.messages.at(-1)?.position });
    await again.until(isReady, limitMs);
    expect(beforeReady(again)).toEqual([]);
  });

  test('end with the state of the database, although services change while the subscription begins', async () => {
    const project = await settleProject(api, `race ${randomUUID()}`, 9);
    const { projectId, serviceId, idleServiceId } = project;
    const after = await head();
    const writers = [serviceId, idleServiceId].map(async (id, index) => {
      for (let round = 0; round < 8; round += 1) await rename(id, `${projectId} ${index} ${round}`);
    });
    const readers = Array.from({ length: 4 }, () => follow('serviceChanges', { projectId, after }));
    await Promise.all(writers);
    await rename(idleServiceId, 'the last name');
    const rows = await api.shared.dataSource.query<{ id: string; name: string; version: number }[]>(
      'SELECT id, name, version FROM services WHERE id = ANY($1::uuid[]) ORDER BY id',
      [[serviceId, idleServiceId]],
    );
    for (const reader of readers) {
      await reader.until((messages) => messages.some(({ entity }) => entity?.name === 'the last name'), limitMs);
      const latest = new Map<string, Entity>();
      for (const entity of entitiesOf(reader)) {
        expect(latest.get(entity.id)?.version ?? 0).toBeLessThanOrEqual(entity.version);
        latest.set(entity.id, entity);
      }
      const found = [...latest.values()].map(({ id, name, version }) => ({ id, name, version }));
      expect(found.toSorted((one, other) => one.id.localeCompare(other.id))).toEqual(rows);
    }
  });

  test('send a service once when one transaction deletes thirty of its backups', async () => {
    const project = await settleProject(api, `many ${randomUUID()}`, 9);
    const { projectId, serviceId, idleServiceId } = project;
    const jobIds: string[] = [];
    for (let each = 0; each < 30; each += 1) jobIds.push(await storedBackup(project, null));
    const subscription = follow('serviceChanges', { projectId });
    await subscription.until(isReady, limitMs);
    await api.shared.store.transact({ actor: 'tester', correlationId: randomUUID() }, async (tx) => {
      const at = new Date().toISOString();
      for (const id of jobIds) {
        const decided = { kind: 'DECIDE_DELETION', reason: 'BY_HAND', by: 'tester', at } as const;
        await tx.execute(backupJob, { id, projectId }, decided);
      }
    });
    await rename(idleServiceId, 'a mark');
    await subscription.until((messages) => messages.at(-1)?.entity?.name === 'a mark', limitMs);
    const sent = entitiesOf(subscription).filter(({ id }) => id === serviceId);
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.length).toBeLessThan(5);
  });

  test('send a role in one service only that service and what belongs to it', async () => {
    const project = await settleProject(api, `service ${randomUUID()}`, 9);
    const { projectId, serviceId, idleServiceId, planId, fileEndpointId, idleFileEndpointId } = project;
    const after = '0';
    const one = api.admit(memberWith([{ projectId, serviceId, role: 'VIEWER' }]));
    const lists = ['serviceChanges', 'backupPlanChanges', 'fileEndpointChanges'] as const;
    const found = await Promise.all(
      lists.map(async (list) => {
        const subscription = follow(list, { after }, one);
        await subscription.until(isReady, limitMs);
        return entitiesOf(subscription).map(({ id }) => id);
      }),
    );
    expect(found).toEqual([[serviceId], [planId], [fileEndpointId]]);
    expect(found.flat()).not.toContain(idleFileEndpointId);
    const refusals = await Promise.all(
      [idleServiceId, randomUUID()].map((id) =>
        follow('serviceChanges', { serviceId: id }, one).untilComplete(limitMs).catch(String),
      ),
    );
    expect(new Set(refusals)).toEqual(new Set(['Error: NOT_FOUND: There is no such service.']));
  });
});
