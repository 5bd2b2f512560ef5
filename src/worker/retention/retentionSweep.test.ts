import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { postgresMissing, startPostgres, type TestPostgres } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { naiveDeletions, someHistoryBefore, somePolicy, someZone } from '../../../test/fixtures/retentionReckoning.js';
import { sentStatements } from '../../../test/fixtures/sentStatements.js';
import type { RetainedBackup } from '../../plans/retention/retention.js';
import type { RetentionPolicy } from '../../plans/retention/retentionPolicy.js';
import { createRetentionSweep } from './retentionSweep.js';

const dayMs = 86_400_000;

type Plan = {
  readonly id: string;
  readonly policy: RetentionPolicy;
  readonly timeZone: string;
  readonly backups: readonly RetainedBackup[];
};

describeWith({ postgresql: await postgresMissing() }, 'the sweep of retention', () => {
  let postgres: TestPostgres;
  let views: DataSource;
  const fileEndpointId = randomUUID();
  beforeAll(async () => {
    postgres = await startPostgres();
    views = await postgres.connect(postgres.ownerUrl);
  });
  afterAll(() => postgres.stop());

  /** Writes the plans into the views, as their events would, and replaces all earlier plans. */
  async function view(plans: readonly Plan[]): Promise<void> {
    await views.query('TRUNCATE backup_plans, backup_jobs');
    await views.query(
      `INSERT INTO backup_plans SELECT plan.* FROM jsonb_array_elements($1::jsonb) AS given (row),
       jsonb_populate_record(NULL::backup_plans, given.row) AS plan`,
      [JSON.stringify(plans.map(planRow))],
    );
    await views.query(
      `INSERT INTO backup_jobs SELECT job.* FROM jsonb_array_elements($1::jsonb) AS given (row),
       jsonb_populate_record(NULL::backup_jobs, given.row) AS job`,
      [JSON.stringify(plans.flatMap((plan) => plan.backups.map((backup) => jobRow(plan, backup))))],
    );
  }

  const planRow = ({ id, policy, timeZone }: Plan) => ({
    ...{ id, project_id: id, service_id: id, name: id, file_endpoint_ids: [fileEndpointId], typed: '@daily' },
    ...{
      normalized: '0 0 0 * * *',
      time_zone: timeZone,
      retention: policy,
      paused: false,
      max_attempts: 3,
      include_users: 'NONE',
      compression: 'BALANCED',
    },
    ...{
      stall_timeout_ms: 1,
      schedule_version: 1,
      scheduled_since: new Date(0),
      accounted_until: {},
      yield_to_locks: true,
      created_at: new Date(0),
      version: 1,
    },
  });
  const jobRow = (plan: Plan, { id, trigger, startedAt, protectedBy, verified, counted }: RetainedBackup) => ({
    ...{ id, project_id: plan.id, service_id: plan.id, engine: 'MARIADB', plan_id: plan.id, batch_id: id },
    ...{ file_endpoint_id: fileEndpointId, trigger: counted ? 'SCHEDULE' : trigger, requested_by: 'tester' },
    ...{ queued_at: startedAt, started_at: startedAt, max_attempts: 3, stall_timeout_ms: 1, status: 'SUCCEEDED' },
    ...{ availability: 'STORED', attempt: 1, attempts: [], parts: [], warnings: [], attempts_with_remains: [] },
    ...{ readers: protectedBy.includes('READER') ? ['a restore'] : [], stored_size_bytes: 1 },
    // Each event of a job increases its version.
    version: 3 + protectedBy.length,
    ...(protectedBy.includes('HOLD') ? { hold: { reason: 'audit', by: 'tester', at: startedAt } } : {}),
    ...(verified ? { verified: { level: 'READABLE', at: startedAt } } : {}),
  });
  const someBackup = (startedMs: number, protectedBy: RetainedBackup['protectedBy'] = []): RetainedBackup => ({
    ...{ id: randomUUID(), startedAt: new Date(startedMs), trigger: 'SCHEDULE', counted: true, verified: false },
    protectedBy,
  });
  const sweepAt = (now: () => Date) => createRetentionSweep({ dataSource: views, now });

  test('finds exactly the destinations that have a backup to delete, for every policy', async () => {
    const now = new Date('2026-03-30T10:00:00Z');
    const somePlan = fc.record({
      id: fc.uuid(),
      policy: somePolicy,
      timeZone: someZone,
      backups: fc.oneof(someHistoryBefore(now, 300), someHistoryBefore(now, 48 * 400)),
    });
    const somePlans = fc.uniqueArray(somePlan, { minLength: 10, maxLength: 30, selector: ({ id }) => id });
    await fc.assert(
      fc.asyncProperty(somePlans, async (given) => {
        const plans = given.map((plan) => ({
          ...plan,
          backups: plan.backups.map((backup) => ({ ...backup, id: randomUUID() })),
        }));
        await view(plans);
        const found = (await sweepAt(() => now)()).map(({ planId }) => planId);
        const expected = plans.filter((plan) => naiveDeletions({ ...plan, now }).size > 0).map(({ id }) => id);
        expect(found.sort()).toEqual(expected.sort());
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });

  test('evaluates GFS again after a change, and evaluates ages again as time passes', async () => {
    const backupsOf = (days: readonly number[]) => days.map((day) => someBackup(Date.UTC(2026, 2, day)));
    const gfs = { hourly: 0, daily: 2, weekly: 0, monthly: 0, yearly: 0 };
    const byGfs = {
      id: randomUUID(),
      policy: { style: 'GFS', gfs },
      timeZone: 'UTC',
      backups: backupsOf([1, 2]),
    } as const;
    const byAge = {
      ...byGfs,
      id: randomUUID(),
      policy: { style: 'DAYS', period: 4 },
      backups: backupsOf([1, 2]),
    } as const;
    await view([byGfs, byAge]);
    let now = new Date(Date.UTC(2026, 2, 3));
    const sweep = sweepAt(() => now);
    const found = async () => (await sweep()).map(({ planId }) => planId);
    expect(await found()).toEqual([]);
    now = new Date(now.getTime() + 2 * dayMs);
    expect(await found()).toEqual([byAge.id]);
    expect(await found()).toEqual([byAge.id]);

    const [first] = byGfs.backups;
    await view([{ ...byGfs, backups: [...byGfs.backups, ...backupsOf([3])] }]);
    expect(await found()).toEqual([byGfs.id]);
    await view([{ ...byGfs, backups: [...byGfs.backups.filter((one) => one !== first), ...backupsOf([3])] }]);
    expect(await found()).toEqual([]);
  });

  test('reads the backups of FILES again only after a change', async () => {
    const held = someBackup(Date.UTC(2026, 2, 1), ['HOLD']);
    const backups = [held, someBackup(Date.UTC(2026, 2, 2))];
    const plan = { id: randomUUID(), policy: { style: 'FILES', period: 1 }, timeZone: 'UTC', backups } as const;
    await view([plan]);
    const sweep = sweepAt(() => new Date(Date.UTC(2026, 2, 3)));
    const statements = async () => (await sentStatements(views, sweep)).length;
    const whileNew = await statements();
    expect(await statements()).toBeLessThan(whileNew);

    await view([{ ...plan, backups: [{ ...held, protectedBy: [] }, ...backups.slice(1)] }]);
    expect(await sweep()).toEqual([{ planId: plan.id, fileEndpointId }]);
    expect(await sweep()).toEqual([{ planId: plan.id, fileEndpointId }]);
  });

  test('finds all destinations when there are more backups than are read at once', async () => {
    const counts = [1_200, 1_200, ...Array.from({ length: 20 }, () => 45), 2_300, 1, 41];
    const plans = counts.map((count): Plan => {
      const backups = Array.from({ length: count }, (_, hour) => someBackup(Date.UTC(2026, 2, 1, hour)));
      return { id: randomUUID(), policy: { style: 'FILES', period: 40 }, timeZone: 'UTC', backups };
    });
    await view(plans);
    const found = (await sweepAt(() => new Date(Date.UTC(2026, 10, 1)))()).map(({ planId }) => planId);
    expect(found.sort()).toEqual(plans.flatMap(({ id, backups }) => (backups.length > 40 ? [id] : [])).sort());
  });

  test('skips plans that were removed or keep everything', async () => {
    const now = new Date('2026-03-30T10:00:00Z');
    const backups = [1, 2, 3].map((day) => someBackup(Date.UTC(2026, 0, day)));
    const plan = { id: randomUUID(), policy: { style: 'FILES', period: 1 }, timeZone: 'UTC', backups } as const;
    await view([plan]);
    expect(await sweepAt(() => now)()).toEqual([{ planId: plan.id, fileEndpointId }]);
    await views.query('UPDATE backup_plans SET removed_at = now()');
    expect(await sweepAt(() => now)()).toEqual([]);
    await view([{ ...plan, policy: { style: 'ALL' } }]);
    expect(await sweepAt(() => now)()).toEqual([]);
  });
});
