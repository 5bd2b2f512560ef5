import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { queuedJob, started, succeeded, executeCommands } from '../../test/fixtures/backupJobs.js';
import { GraphqlUser } from '../../test/fixtures/api/graphqlUser.js';
import { startPlanApi, type PlanApi } from '../../test/fixtures/api/planApi.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { settleProject } from '../../test/fixtures/settledProject.js';
import { installationToken, startWholeApi, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import { deciders } from '../../test/fixtures/streams.js';
import { openLog } from '../log.js';
import { createJobQueue } from '../postgres/jobQueue.js';
import { rebuildProjection } from '../postgres/rebuildProjection.js';
import { latenessProjection } from './latenessView.js';
import { createProtectionWatch } from './protectionWatch.js';
import { latenessStreamId } from './recordLateness.js';

const hourMs = 3_600_000;
const begun = new Date('2026-03-01T05:00:00Z');
const after = (ms: number) => new Date(begun.getTime() + ms);
const log = openLog('json', 'error');

describeWith({ postgresql: await postgresMissing() }, 'the watch over protection', () => {
  let api: PlanApi;
  let serviceId: string;
  let endpointId: string;
  let plan: { readonly id: string; readonly version: number };
  let now: Date;

  beforeAll(async () => {
    api = await startPlanApi();
  });
  beforeEach(async () => {
    serviceId = await api.createService();
    endpointId = await api.createEndpoint();
    plan = await api.createPlan({ serviceId, fileEndpointIds: [endpointId], frequency: '0 0 5 * * *' });
  });
  afterAll(() => api.stop());

  const watch = () =>
    createProtectionWatch({
      ...api,
      feed: { subscribe: () => ({ from: 0n, close: () => undefined }) },
      log,
      now: () => now,
    });
  const lookAt = async (moment: Date, watches = 1) => {
    now = moment;
    await Promise.all(Array.from({ length: watches }, () => watch().check()));
  };
  const backup = async (startedAt: Date, tookMs: number) => {
    const id = await queuedJob({ ...api, queue: createJobQueue(api.dataSource) }, api.projectId, {
      ...{ serviceId, planId: plan.id, fileEndpointId: endpointId, queuedAt: startedAt.toISOString() },
    });
    const end = new Date(startedAt.getTime() + tookMs).toISOString();
    await executeCommands(
      api,
      { id, projectId: api.projectId },
      started(1, startedAt.toISOString()),
      succeeded(1, end),
    );
    return id;
  };
  const story = async () => {
    const events = await api.store.read({ streamId: latenessStreamId(serviceId) });
    return events.map(({ type, data }) => ({ type, ...data }));
  };
  const lateRows = () =>
    api.dataSource.query<object[]>('SELECT * FROM late_services WHERE service_id = $1', [serviceId]);
  const call = async (field: string, variables: object) => {
    const type = field.startsWith('update') ? ', $input: ServicePatch!' : '';
    const given = field.startsWith('update') ? ', input: $input' : '';
    const answer = await api.call(`mutation ($id: ID!${type}) { ${field}(id: $id${given}) { version } }`, {
      ...variables,
    });
    expect(answer.message).toBeUndefined();
  };

  test('records a late service once for eight replicas, after the longest gap and the usual duration', async () => {
    await backup(begun, 10 * 60_000);
    const version = async () =>
      (await api.call(`{ service(id: "${serviceId}") { version } }`)).data.service.version as number;
    const before = await version();
    // The longest day of a plan in UTC plus ten minutes.
    const deadline = after(24 * hourMs + 10 * 60_000);
    await lookAt(deadline, 8);
    expect(await story()).toEqual([]);
    const at = new Date(deadline.getTime() + 1);
    await lookAt(at, 8);
    await lookAt(after(48 * hourMs), 8);
    const { name } = (await api.call(`{ service(id: "${serviceId}") { name } }`)).data.service as { name: string };
    expect(await story()).toEqual([
      {
        ...{ type: 'ServiceBecameLate', serviceId, serviceName: name, dataAsOf: begun.toISOString() },
        ...{ dueBy: deadline.toISOString(), at: at.toISOString() },
      },
    ]);
    expect(await lateRows()).toHaveLength(1);
    expect(await version()).toBe(before);
  });

  test('records a recovery by the next backup once, and then the next lateness', async () => {
    await backup(begun, 0);
    await lookAt(after(25 * hourMs), 3);
    await backup(after(26 * hourMs), 0);
    await lookAt(after(27 * hourMs), 8);
    await lookAt(after(52 * hourMs), 8);
    expect(await story()).toMatchObject([
      { type: 'ServiceBecameLate' },
      { type: 'ServiceRecovered', dataAsOf: after(26 * hourMs).toISOString(), at: after(27 * hourMs).toISOString() },
      { type: 'ServiceBecameLate', dataAsOf: after(26 * hourMs).toISOString() },
    ]);
  });

  test('uses the objective of the service, and ends when the objective becomes longer', async () => {
    await backup(begun, 0);
    await call('updateService', { id: serviceId, input: { recoveryPointObjective: 'PT1H' } });
    await lookAt(after(hourMs));
    expect(await story()).toEqual([]);
    await lookAt(after(hourMs + 1));
    expect(await story()).toMatchObject([{ type: 'ServiceBecameLate', dueBy: after(hourMs).toISOString() }]);
    await call('updateService', { id: serviceId, input: { recoveryPointObjective: 'P7D' } });
    await lookAt(after(2 * hourMs));
    expect((await story()).at(-1)).toMatchObject({ type: 'ServiceLatenessEnded', reason: 'OBJECTIVE_CHANGED' });
  });

  test.each([
    ['pauseBackupPlan', 'PLAN_PAUSED'],
    ['removeBackupPlan', 'NO_PLAN'],
  ])('ends the lateness after %s, and the event has the reason', async (mutation, reason) => {
    await backup(begun, 0);
    await lookAt(after(25 * hourMs));
    await call(mutation, { id: plan.id });
    await lookAt(after(26 * hourMs));
    expect((await story()).at(-1)).toMatchObject({ type: 'ServiceLatenessEnded', reason });
    expect(await lateRows()).toEqual([]);
  });

  test('ends the lateness with the last backup, and with the service', async () => {
    const jobId = await backup(begun, 0);
    const job = { id: jobId, projectId: api.projectId };
    await lookAt(after(25 * hourMs));
    await executeCommands(api, job, {
      kind: 'DECIDE_DELETION',
      reason: 'BY_HAND',
      by: 'tester',
      at: begun.toISOString(),
    });
    await lookAt(after(26 * hourMs));
    expect((await story()).at(-1)).toMatchObject({ type: 'ServiceLatenessEnded', reason: 'NO_BACKUP' });

    await backup(begun, 0);
    await lookAt(after(27 * hourMs));
    // No reference may be left that prevents the removal of a service. The log of jobs stays unchanged.
    await api.dataSource.query('DELETE FROM entity_uses');
    await call('removeService', { id: serviceId });
    await lookAt(after(28 * hourMs));
    expect((await story()).slice(-2)).toMatchObject([
      { type: 'ServiceBecameLate' },
      { type: 'ServiceLatenessEnded', reason: 'SERVICE_REMOVED' },
    ]);
  });

  test('records nothing for a service without a backup, and a rebuild finds the late services', async () => {
    await lookAt(after(1_000 * hourMs));
    expect(await story()).toEqual([]);
    await backup(begun, 0);
    await lookAt(after(1_000 * hourMs));
    const rows = await lateRows();
    expect(rows).toHaveLength(1);
    const owner = await api.postgres.connect(api.postgres.ownerUrl);
    await rebuildProjection(owner, latenessProjection, deciders);
    expect(await lateRows()).toEqual(rows);
  });
});

describeWith({ postgresql: await postgresMissing() }, 'a running server', () => {
  let api: WholeApi;
  beforeAll(async () => {
    api = await startWholeApi();
  });
  afterAll(() => api.stop());

  test('notifies subscribers that a service became late and that it recovered', async () => {
    const { serviceId, projectId, fileEndpointId } = await settleProject(api, 'harbour', 9);
    const user = new GraphqlUser(api.url, installationToken);
    const query = `subscription ($projectId: ID) {
      events(projectId: $projectId, after: "0", streamTypes: ["Protection"]) { type summary data } }`;
    const subscription = user.subscribe<{ type: string; summary: string; data: object }>('events', query, {
      projectId,
    });
    const statusQuery = `{ service(id: "${serviceId}") { protection { status } } }`;
    try {
      await api.post(
        'mutation ($id: ID!) { updateService(id: $id, input: { recoveryPointObjective: "PT1H" }) { version } }',
        { id: serviceId },
      );
      expect((await subscription.until(({ length }) => length === 1, 60_000))[0]).toMatchObject({
        type: 'ServiceBecameLate',
        summary: expect.stringMatching(/^Service "harbour orders" is late: .* due by 2026-01-01T06:01:00.000Z\.$/),
        data: { serviceId },
      });
      expect((await api.post(statusQuery)).data.service.protection.status).toBe('LATE');
      const job = { id: await queuedJob(api.shared, projectId, { serviceId, fileEndpointId }), projectId };
      await executeCommands(api.shared, job, started(), succeeded());
      const [, recovered] = await subscription.until(({ length }) => length === 2, 60_000);
      expect(recovered).toMatchObject({ type: 'ServiceRecovered', data: { serviceId } });
      expect((await api.post(statusQuery)).data.service.protection.status).toBe('PROTECTED');
    } finally {
      await user.close();
    }
  });
});
