import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { settleProject, type SettledProject } from '../../test/fixtures/settledProject.js';
import { startWholeApi, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import { queuedJob } from '../../test/fixtures/backupJobs.js';
import { deciders } from '../../test/fixtures/streams.js';
import { rebuildProjection } from '../postgres/rebuildProjection.js';
import { backupJob } from './backupJob.js';
import { backupJobProjection, BackupJobTable } from './backupJobView.js';

describeWith({ postgresql: await postgresMissing() }, 'A backup job retried by hand', () => {
  let api: WholeApi;
  let settled: SettledProject;

  beforeAll(async () => {
    api = await startWholeApi();
    settled = await settleProject(api, 'harbour', 3306);
  });
  afterAll(() => api.stop());

  const create = async (mutation: string, variables: object): Promise<string> => {
    const { data, text } = await api.post(mutation, variables);
    const { made: one } = (data ?? {}) as { made?: { id: string } };
    if (one === undefined) throw new Error(text);
    return one.id;
  };
  const endpoint = () =>
    create('mutation ($input: FileEndpointInput!) { made: createFileEndpoint(input: $input) { id } }', {
      input: {
        projectId: settled.projectId,
        name: `endpoint ${randomUUID()}`,
        settings: { filesystem: { path: randomUUID() } },
      },
    });
  const plan = (...fileEndpointIds: readonly string[]) =>
    create('mutation ($input: BackupPlanInput!) { made: createBackupPlan(input: $input) { id } }', {
      input: {
        serviceId: settled.serviceId,
        name: `plan ${randomUUID()}`,
        fileEndpointIds,
        frequency: '0 0 5 1 1 *',
        retention: { style: 'FILES', period: 7 },
      },
    });
  const cancel = (id: string) => create('mutation ($id: ID!) { made: cancelBackupJob(id: $id) { id } }', { id });
  /** A job of this order that was CANCELLED before any worker ran it. */
  const cancelled = async (input: object): Promise<string> => {
    const { data, text } = await api.post(
      'mutation ($input: StartBackupInput!) { startBackup(input: $input) { jobs { id } } }',
      { input },
    );
    const [job] = (data?.startBackup.jobs ?? []) as { id: string }[];
    if (job === undefined) throw new Error(text);
    return cancel(job.id);
  };
  const retry = async (id: string, commandId?: string) => {
    const { data, errors } = await api.post(
      'mutation ($id: ID!, $commandId: ID) { retryBackupJob(id: $id, commandId: $commandId) { id status trigger } }',
      { id, commandId },
    );
    const [refusal] = errors;
    return {
      job: data?.retryBackupJob as { id: string; status: string; trigger: string } | undefined,
      refusal: refusal === undefined ? undefined : { code: refusal.extensions.code, message: refusal.message },
    };
  };
  const rowOf = (id: string) => api.shared.dataSource.manager.findOneByOrFail(BackupJobTable, { id });

  test('by ten people at once queues one new job, and another one only after that job has ended', async () => {
    const id = await cancelled({ planId: await plan(await endpoint()) });
    const retried = await Promise.all(Array.from({ length: 10 }, () => retry(id, randomUUID())));
    expect(retried.map(({ refusal }) => refusal).filter(Boolean)).toEqual([]);
    const [first, ...others] = new Set(retried.map(({ job }) => job?.id));
    expect(others).toEqual([]);
    await cancel(String(first));
    const again = await retry(id);
    expect(again.job).toMatchObject({ status: 'QUEUED', trigger: 'RETRY' });
    expect(again.job?.id).not.toBe(first);
  });

  test('counts with the trigger at the beginning of its chain, also if older events do not record it', async () => {
    const fileEndpointId = await endpoint();
    const of = { serviceId: settled.serviceId, planId: await plan(fileEndpointId), fileEndpointId };
    const { dataSource, store } = api.shared;
    const scheduled = await queuedJob(api.shared, settled.projectId, { ...of, trigger: 'SCHEDULE' });
    const retriedBefore = { ...of, trigger: 'RETRY', retryOf: scheduled, standsFor: null } as const;
    const older = await queuedJob(api.shared, settled.projectId, retriedBefore);
    await cancel(older);
    const newer = (await retry(older)).job?.id ?? '';
    const standsFor = async () => Promise.all([scheduled, older, newer].map(async (id) => (await rowOf(id)).standsFor));
    expect(await standsFor()).toEqual([null, 'SCHEDULE', 'SCHEDULE']);
    expect((await store.read({ streamId: newer }))[0]).toMatchObject({
      schemaVersion: backupJob.schemaVersions?.['BackupQueued'],
      data: { request: { trigger: 'RETRY', retryOf: older, standsFor: 'SCHEDULE' } },
    });
    await dataSource.query('UPDATE backup_jobs SET stands_for = NULL');
    await rebuildProjection(dataSource, backupJobProjection, deciders);
    expect(await standsFor()).toEqual([null, 'SCHEDULE', 'SCHEDULE']);
  });

  test('uses the current limits of its plan', async () => {
    const planId = await plan(await endpoint());
    const id = await cancelled({ planId });
    const change =
      'mutation ($id: ID!, $input: BackupPlanPatch!) { made: updateBackupPlan(id: $id, input: $input) { id } }';
    await create(change, { id: planId, input: { timeout: 'PT9H', stallTimeout: 'PT7M', maxAttempts: 5 } });
    const { job } = await retry(id);
    expect(await rowOf(String(job?.id))).toMatchObject({
      ...{ planId, retryOf: id, timeoutMs: 9 * 3_600_000, stallTimeoutMs: 7 * 60_000, maxAttempts: 5 },
    });
  });

  test('waits for its turn after another job of the same destination', async () => {
    const planId = await plan(await endpoint());
    const id = await cancelled({ planId });
    await create('mutation ($id: ID!) { made: startBackup(input: { planId: $id }) { id: batchId } }', { id: planId });
    expect((await retry(id)).job).toMatchObject({ status: 'QUEUED' });
  });

  test('is refused if its plan was removed', async () => {
    const planId = await plan(await endpoint());
    const id = await cancelled({ planId });
    await create('mutation ($id: ID!) { made: removeBackupPlan(id: $id) { id } }', { id: planId });
    expect((await retry(id)).refusal).toEqual({
      code: 'CONFLICT',
      message: expect.stringMatching(/plan .* was removed/),
    });
  });

  test('is refused if its plan now stores elsewhere', async () => {
    const planId = await plan(await endpoint());
    const id = await cancelled({ planId });
    const change =
      'mutation ($id: ID!, $input: BackupPlanPatch!) { made: updateBackupPlan(id: $id, input: $input) { id } }';
    await create(change, { id: planId, input: { fileEndpointIds: [await endpoint()] } });
    expect((await retry(id)).refusal).toEqual({
      code: 'CONFLICT',
      message: expect.stringMatching(/no longer stores at/),
    });
  });

  test('is refused if its file endpoint was removed', async () => {
    const fileEndpointId = await endpoint();
    const id = await cancelled({ service: { serviceId: settled.idleServiceId, fileEndpointId } });
    await create('mutation ($id: ID!) { made: removeFileEndpoint(id: $id) { id } }', { id: fileEndpointId });
    expect((await retry(id)).refusal).toEqual({
      code: 'CONFLICT',
      message: expect.stringMatching(/endpoint .* removed/),
    });
  });

  test.each<[string, () => string]>([
    ['is QUEUED', () => settled.queuedJobId],
    ['is SUCCEEDED', () => settled.storedJobId],
  ])('is refused if it %s', async (_how, id) => {
    expect((await retry(id())).refusal).toEqual({
      code: 'CONFLICT',
      message: expect.stringMatching(/nothing to retry/),
    });
  });
});
