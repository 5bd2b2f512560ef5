import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { failed, queuedJob, started, succeeded, executeCommands } from '../../test/fixtures/backupJobs.js';
import { startPlanApi, type PlanApi } from '../../test/fixtures/api/planApi.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { findBackupPlans } from '../plans/planQueries.js';
import { createJobQueue } from '../postgres/jobQueue.js';
import { findServices } from '../services/serviceQueries.js';
import type { ProtectionStatus } from '../services/serviceInput.js';
import {
  countProtections,
  possiblyLate,
  protectionsOfPlans,
  protectionsOfServices,
  servicesProtectedAs,
} from './protectionQueries.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const now = new Date('2026-03-10T12:00:00Z');
const ago = (ms: number) => new Date(now.getTime() - ms);

type Planned = { readonly serviceId: string; readonly planId: string; readonly fileEndpointId: string };

describeWith({ postgresql: await postgresMissing() }, 'the protection of services, from the log', () => {
  let api: PlanApi;
  beforeAll(async () => {
    api = await startPlanApi();
  });
  afterAll(() => api.stop());

  const manager = () => api.dataSource.manager;
  const planned = async (changes = {}): Promise<Planned> => {
    const serviceId = await api.createService();
    const fileEndpointId = await api.createEndpoint();
    const plan = { serviceId, fileEndpointIds: [fileEndpointId], frequency: '0 0 5 * * *', ...changes };
    return { serviceId, fileEndpointId, planId: (await api.createPlan(plan)).id };
  };
  const job = async ({ serviceId, planId, fileEndpointId }: Planned, queuedAt: Date) => {
    const request = { serviceId, planId, fileEndpointId, queuedAt: queuedAt.toISOString() };
    const id = await queuedJob({ ...api, queue: createJobQueue(api.dataSource) }, api.projectId, request);
    return { id, projectId: api.projectId };
  };
  const backup = async (of: Planned, startedAt: Date, tookMs: number) => {
    const end = new Date(startedAt.getTime() + tookMs).toISOString();
    await executeCommands(api, await job(of, startedAt), started(1, startedAt.toISOString()), succeeded(1, end));
  };
  const failure = async (of: Planned, at: Date) =>
    executeCommands(api, await job(of, at), started(1, at.toISOString()), failed(1, at.toISOString()));
  const protectionOf = async (serviceId: string) => {
    const services = await findServices(manager(), [serviceId]);
    const [protection] = await protectionsOfServices(
      manager(),
      services.flatMap((each) => each ?? []),
      now,
    );
    if (protection === undefined) throw new Error('The service is there.');
    return protection;
  };
  const ofPlan = async (planId: string) => {
    const plans = await findBackupPlans(manager(), [planId]);
    const [protection] = await protectionsOfPlans(
      manager(),
      plans.flatMap((each) => each ?? []),
      now,
    );
    return protection;
  };

  test('allows the longest gap and the median of the last ten successes, without older jobs and failures', async () => {
    const of = await planned();
    for (const days of [13, 12]) await backup(of, ago(days * 24 * hourMs), 10 * hourMs);
    const minutes = [10, 1, 9, 2, 8, 3, 7, 4, 6, 5];
    for (const [index, took] of minutes.entries()) await backup(of, ago((11 - index) * 24 * hourMs), took * minuteMs);
    await failure(of, ago(hourMs));
    expect(await protectionOf(of.serviceId)).toMatchObject({
      status: 'LATE',
      dataAsOf: ago(48 * hourMs),
      dueBy: new Date(ago(48 * hourMs).getTime() + 24 * hourMs + 5.5 * minuteMs),
      consecutiveFailures: 1,
    });
    expect(await ofPlan(of.planId)).toMatchObject({ status: 'LATE' });
  });

  test('uses the plan that runs most often, and for each plan its own backups', async () => {
    const weekly = await planned({ frequency: '0 0 5 * * 1' });
    await backup(weekly, ago(30 * hourMs), 0);
    expect(await protectionOf(weekly.serviceId)).toMatchObject({ status: 'PROTECTED' });
    const daily = await api.createPlan({
      ...{ serviceId: weekly.serviceId, fileEndpointIds: [weekly.fileEndpointId], frequency: '0 0 5 * * *' },
    });
    expect(await protectionOf(weekly.serviceId)).toMatchObject({ status: 'LATE', dueBy: ago(6 * hourMs) });
    expect(await ofPlan(weekly.planId)).toMatchObject({ status: 'PROTECTED' });
    expect(await ofPlan(daily.id)).toMatchObject({ status: 'NEVER', dataAsOf: null });
  });

  test('is the same in the filter, in the counts and in the search for late services', async () => {
    const states: Record<ProtectionStatus, string> = {
      PROTECTED: '',
      LATE: '',
      FAILING: '',
      NEVER: (await planned()).serviceId,
      NO_PLAN: await api.createService(),
      PAUSED: '',
    };
    for (const [status, hours] of [
      ['PROTECTED', 23],
      ['LATE', 25],
      ['FAILING', 20],
      ['PAUSED', 200],
    ] as const) {
      const of = await planned({ paused: status === 'PAUSED' });
      await backup(of, ago(hours * hourMs), 0);
      if (status === 'FAILING') for (const each of [3, 2, 1]) await failure(of, ago(each * hourMs));
      states[status] = of.serviceId;
    }
    const counts = new Map<ProtectionStatus, number>();
    const counted = [{ projectId: api.projectId }, { projectId: randomUUID() }];
    const [ofProject, ofNoProject] = await countProtections(manager(), counted, now);
    for (const { status, services } of ofProject ?? []) counts.set(status, services);
    expect(ofNoProject).toEqual([]);
    for (const [status, serviceId] of Object.entries(states) as [ProtectionStatus, string][]) {
      expect(await protectionOf(serviceId)).toMatchObject({ status });
      const found = await servicesProtectedAs(manager(), now, [api.projectId], [status]);
      expect(found).toContain(serviceId);
      expect(found).toHaveLength(counts.get(status) ?? 0);
      expect((await possiblyLate(manager(), now)).includes(serviceId)).toBe(status === 'LATE');
    }
    expect(await protectionOf(states.FAILING)).toMatchObject({ consecutiveFailures: 3 });
    expect(await servicesProtectedAs(manager(), now, [], ['LATE'])).toEqual([]);
  });

  test('can be read, and so can the plan, if the frequency is unknown to this program', async () => {
    const of = await planned();
    await backup(of, ago(1_000 * hourMs), 0);
    await api.dataSource.query("UPDATE backup_plans SET normalized = 'when the moon is full' WHERE id = $1", [
      of.planId,
    ]);
    expect(await protectionOf(of.serviceId)).toMatchObject({ status: 'PROTECTED', dueBy: null });
    expect(await possiblyLate(manager(), now)).not.toContain(of.serviceId);
    const { data } = await api.call(`{ backupPlan(id: "${of.planId}") { frequency { normalized description } } }`);
    expect(data.backupPlan.frequency).toEqual({
      normalized: 'when the moon is full',
      description: expect.stringMatching('does not understand'),
    });
    await api.dataSource.query('UPDATE services SET recovery_point_objective_ms = 3600000 WHERE id = $1', [
      of.serviceId,
    ]);
    expect(await protectionOf(of.serviceId)).toMatchObject({ status: 'LATE' });
  });
});
