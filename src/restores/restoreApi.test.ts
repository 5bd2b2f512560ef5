import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { GraphqlUser } from '../../test/fixtures/api/graphqlUser.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { settleProject, type SettledProject } from '../../test/fixtures/settledProject.js';
import { installationToken, startWholeApi, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import { restoreJob, type RestoreJobCommand } from './restoreJob.js';

const start = `mutation ($input: StartRestoreInput!, $commandId: ID) {
  startRestore(input: $input, commandId: $commandId) { id status mode message backup { id viewerActions } target { id } } }`;
const limitMs = 120_000;

type Change = { kind: string; job: { id: string; status: string } | null };

describeWith({ postgresql: await postgresMissing() }, 'restores over GraphQL', () => {
  let api: WholeApi;
  let settled: SettledProject;
  const users: GraphqlUser[] = [];

  beforeAll(async () => {
    api = await startWholeApi();
    settled = await settleProject(api, 'harbour', 3306);
  });
  afterEach(async () => {
    for (const user of users.splice(0)) await user.close();
  });
  afterAll(() => api.stop());

  const user = () => {
    const user = new GraphqlUser(api.url, installationToken);
    users.push(user);
    return user;
  };
  const asNew = (changes: object = {}, more: object = {}) => ({
    backupJobId: settled.storedJobId,
    target: { asNew: { serviceId: settled.idleServiceId, ...changes } },
    ...more,
  });
  const restored = async () => (await api.post(start, { input: asNew() })).data.startRestore as { id: string };
  const executeCommands = async (id: string, ...commands: readonly RestoreJobCommand[]) => {
    for (const command of commands) {
      await api.shared.store.transact({ actor: 'worker', correlationId: randomUUID() }, (tx) =>
        tx.execute(restoreJob, { id, projectId: settled.projectId }, command),
      );
    }
  };
  const at = new Date().toISOString();
  const started: RestoreJobCommand = { kind: 'START_ATTEMPT', attempt: { number: 1, worker: 'worker', startedAt: at } };
  const succeeded: RestoreJobCommand = { kind: 'SUCCEED', attempt: 1, result: { warnings: [], differences: [] }, at };

  test('a stored backup is restored into another service, and is not deleted meanwhile', async () => {
    const commandId = randomUUID();
    const { data, errors } = await api.post(start, { input: asNew(), commandId });
    expect(errors).toEqual([]);
    expect(data.startRestore).toMatchObject({
      status: 'QUEUED',
      mode: 'AS_NEW',
      message: expect.stringContaining('No worker is running'),
      backup: { id: settled.storedJobId, viewerActions: ['HOLD', 'RESTORE'] },
      target: { id: settled.idleServiceId },
    });
    expect((await api.post(start, { input: asNew(), commandId })).data).toEqual(data);
    const cancel = 'mutation ($id: ID!) { cancelRestoreJob(id: $id) { status message backup { viewerActions } } }';
    const cancelled = await api.post(cancel, { id: data.startRestore.id });
    expect(cancelled.data.cancelRestoreJob).toEqual({
      status: 'CANCELLED',
      message: 'Cancelled by installation before it had started.',
      backup: { viewerActions: ['DELETE', 'HOLD', 'RESTORE'] },
    });
  });

  test('the address of a target cannot change while a restore waits or runs', async () => {
    const move = `mutation ($id: ID!, $input: ServicePatch!) { updateService(id: $id, input: $input) { host port } }`;
    const moved = async (input: object) => {
      const { errors } = await api.post(move, { id: settled.idleServiceId, input });
      return errors.map(({ extensions }) => extensions['code']);
    };
    const { id } = await restored();
    const away = { port: 3310, password: 'another' };
    expect(await moved(away)).toEqual(['SERVICE_IN_USE']);
    await executeCommands(id, started);
    expect(await moved(away)).toEqual(['SERVICE_IN_USE']);
    expect(await moved({ recoveryPointObjective: 'PT1H' })).toEqual([]);
    await executeCommands(id, succeeded);
    expect(await moved(away)).toEqual([]);
  });

  test('the address of a target cannot change while a cancelled restore may still write there', async () => {
    const { id } = await restored();
    const toolStarted: RestoreJobCommand = { kind: 'START_TOOL', attempt: 1, databases: ['orders'], at };
    await executeCommands(id, started, toolStarted, { kind: 'CONFIRM_CANCEL', attempt: 1, targetUnanswered: true, at });
    const { data } = await api.post('query ($id: ID!) { restoreJob(id: $id) { status message warnings } }', { id });
    expect(data.restoreJob).toMatchObject({
      status: 'CANCELLED',
      message: expect.stringContaining('The target does not answer yet'),
      warnings: [expect.stringContaining("in the database 'orders'")],
    });
    const move = 'mutation ($id: ID!, $input: ServicePatch!) { updateService(id: $id, input: $input) { port } }';
    const input = { port: 3311, password: 'another' };
    const moved = async () => (await api.post(move, { id: settled.idleServiceId, input })).errors;
    expect(await moved()).toMatchObject([{ extensions: { code: 'SERVICE_IN_USE' } }]);
    await executeCommands(id, { kind: 'FREE_TARGET', sessionsEnded: true, at });
    expect(await moved()).toEqual([]);
  });

  test.each<[string, (project: SettledProject) => object, string]>([
    ['in place', () => ({ target: { inPlace: { confirm: 'orders' } } }), 'NOT_YET_AVAILABLE'],
    ['under other names', () => asNew({ databases: [{ from: 'a', to: 'b' }] }), 'NOT_YET_AVAILABLE'],
    ['into the same service', ({ serviceId }) => asNew({ serviceId }), 'NOT_YET_AVAILABLE'],
    ['into no service', () => asNew({ serviceId: null }), 'NOT_YET_AVAILABLE'],
    ['with a decryption key', () => asNew({}, { decryptionKey: 'AGE-SECRET' }), 'NOT_YET_AVAILABLE'],
    ['into a service that was removed', ({ removedServiceId }) => asNew({ serviceId: removedServiceId }), 'BAD_INPUT'],
    ['into a service that never existed', () => asNew({ serviceId: randomUUID() }), 'BAD_INPUT'],
    ['of a backup that was deleted', ({ deletedJobId }) => asNew({}, { backupJobId: deletedJobId }), 'CONFLICT'],
    ['of a backup that has not ended yet', ({ queuedJobId }) => asNew({}, { backupJobId: queuedJobId }), 'CONFLICT'],
    ['of a backup that never existed', () => asNew({}, { backupJobId: randomUUID() }), 'NOT_FOUND'],
  ])('a restore %s is refused and stores nothing', async (_what, input, code) => {
    const before = await api.stored();
    const answer = await api.post(start, { input: { backupJobId: settled.storedJobId, ...input(settled) } });
    expect(answer.errors[0]?.extensions.code).toBe(code);
    expect(await api.stored()).toEqual(before);
  });

  test('a subscription to one restore sends its changes until its end', async () => {
    const { id } = await restored();
    const query = 'subscription ($id: ID!) { restoreJob(id: $id) { id status phase message differences { path } } }';
    const subscription = user().subscribe<{ status: string }>('restoreJob', query, { id });
    await subscription.until((messages) => messages.length === 1, limitMs);
    await executeCommands(id, started);
    await subscription.until((messages) => messages.at(-1)?.status === 'RUNNING', limitMs);
    await executeCommands(id, succeeded);
    const messages = await subscription.untilComplete(limitMs);
    expect(messages.at(-1)).toMatchObject({
      status: 'SUCCEEDED',
      differences: [],
      message: 'Restored; the target has everything that the backup contains.',
    });
  });

  test('a subscription to all restores of a target sends SNAPSHOT, READY and changes', async () => {
    const { id } = await restored();
    const query = `subscription ($serviceId: ID) {
      restoreJobChanges(serviceId: $serviceId) { kind position job { id status } } }`;
    const subscription = user().subscribe<Change>('restoreJobChanges', query, { serviceId: settled.idleServiceId });
    await subscription.until((messages) => messages.some(({ kind }) => kind === 'READY'), limitMs);
    const snapshot = subscription.messages.filter(({ kind }) => kind === 'SNAPSHOT').map(({ job }) => job?.id);
    expect(snapshot).toContain(id);
    expect(snapshot).not.toContain(settled.restoreJobId);
    await executeCommands(id, started);
    await subscription.until((messages) => messages.at(-1)?.job?.status === 'RUNNING', limitMs);
    expect(subscription.messages.at(-1)).toMatchObject({ kind: 'CHANGED', job: { id } });
  });
});
