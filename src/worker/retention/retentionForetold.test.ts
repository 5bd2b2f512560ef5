/**
 * The API predicts what retention will delete. The prediction must be exact to the millisecond if nothing else changes.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { graphql } from 'graphql';
import { failed, queuedJob, started, executeCommands } from '../../../test/fixtures/backupJobs.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { naiveBuckets, someHistoryBefore, somePolicy, someZone } from '../../../test/fixtures/retentionReckoning.js';
import { settledFolder, settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';
import { beginBackup, storeBackup } from '../../../test/fixtures/storedBackups.js';
import { startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { composeApi } from '../../composition/api.js';
import { openFileEndpoint } from '../../endpoints/openFileEndpoint.js';
import type { BackupJobCommand, BackupRequest } from '../../backups/backupJob.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import { missingAfterMs } from '../../backups/storedBackup.js';
import { openLog } from '../../log.js';
import type { RetentionPolicy } from '../../plans/retention/retentionPolicy.js';
import { parseFrequency } from '../../scheduler/cron/parseFrequency.js';
import { runsBetween } from '../../scheduler/cron/runsBetween.js';
import { AnswerBudget } from '../../server/budget/answerBudget.js';
import { Loaders } from '../../server/loaders.js';
import { installationViewer } from '../../server/viewer.js';
import { createAuditTrail } from '../../signIn/audit/auditTrail.js';
import { parseAllowedTargets } from '../../storage/allowedTargets.js';
import { applyRetention } from './retentionRun.js';

const hourMs = 3_600_000;
const days = 4;
const folders = ['backups', 'idle'] as const;

type Change =
  | { readonly do: 'KEEP'; readonly policy: RetentionPolicy }
  | { readonly do: 'MOVE'; readonly timeZone: string }
  | { readonly do: 'PAUSE' | 'RESUME' | 'REMOVE' | 'ONE ENDPOINT' | 'BOTH ENDPOINTS' | 'BY HAND' | 'BEGIN' }
  | { readonly do: 'HOLD' | 'LET GO' | 'VERIFY' | 'DOUBT' | 'MISS' | 'FIND'; readonly which: number };

const someChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('KEEP' as const), policy: somePolicy }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('MOVE' as const), timeZone: someZone }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('PAUSE', 'RESUME', 'REMOVE', 'ONE ENDPOINT', 'BOTH ENDPOINTS', 'BY HAND'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('HOLD', 'LET GO', 'VERIFY', 'DOUBT', 'MISS', 'FIND'),
      which: fc.nat({ max: 99 }),
    }),
  },
);

/** In half of the cases a run has begun after the changes. */
const someChanges = fc
  .tuple(fc.array(someChange, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([changes, begins]): readonly Change[] => (begins ? [...changes, { do: 'BEGIN' }] : changes));

/**
 * Times shortly before the clocks of the zones change, and before the end of months, a year and a leap year's February.
 * They are years ahead, because the scheduler of the installation uses the server's clock and would catch up with times
 * in the past.
 */
const someBeginning = fc.constantFrom(
  ...['2036-03-28T10:00:00Z', '2036-10-23T21:30:00Z', '2036-02-26T23:00:00Z', '2036-12-29T04:00:00Z'],
);
const someLife = someBeginning.chain((beginning) =>
  fc.record({
    beginning: fc.constant(new Date(beginning)),
    policy: somePolicy,
    timeZone: someZone,
    frequency: fc.constantFrom('0 0 0 * * *', '0 30 2 * * *', '0 0 1,13 * * *', '0 0 5 L * *'),
    histories: fc.tuple(someHistoryBefore(new Date(beginning), 200), someHistoryBefore(new Date(beginning), 48 * 90)),
    changes: fc.array(someChanges, { minLength: 2, maxLength: 2 }),
  }),
);
type Life = typeof someLife extends fc.Arbitrary<infer Each> ? Each : never;

type Foretold = {
  readonly id: string;
  readonly availability: string | null;
  readonly expectedDeletionAt: string | null;
};
type Day = { readonly date: string; readonly kept: number; readonly deleted: number; readonly storedSize: string };

describeWith({ postgresql: await postgresMissing() }, 'the forecast of retention', () => {
  let api: WholeApi;
  let project: SettledProject;
  let dataOf: (query: string, variables: object) => Promise<Record<string, unknown>>;
  let now = new Date();
  beforeAll(async () => {
    api = await startWholeApi();
    project = await settleProject(api, 'harbour', 9);
    const schema = composeApi({
      audit: createAuditTrail(api.shared.dataSource, 1, { error: () => undefined }),
      ...api.shared,
      ...{ now: () => now, allowedTargets: parseAllowedTargets('default,loopback'), minIntervalMs: 60_000 },
      ...{ stopping: new AbortController().signal, publicUrl: () => api.url },
    });
    dataOf = async (source, variableValues) => {
      const viewer = { viewer: installationViewer, correlationId: randomUUID(), clientAddress: undefined };
      const contextValue = { ...viewer, loaders: new Loaders(), budget: new AnswerBudget() };
      const { data, errors } = await graphql({ schema, source, variableValues: { ...variableValues }, contextValue });
      if (errors?.[0] !== undefined) throw errors[0];
      return data ?? {};
    };
  });
  afterAll(() => api.stop());

  async function checkLife(life: Life): Promise<void> {
    const { projectId, serviceId } = project;
    const endpointIds = [project.fileEndpointId, project.idleFileEndpointId] as const;
    now = life.beginning;
    const input = {
      ...{ serviceId, name: randomUUID(), fileEndpointIds: endpointIds, frequency: life.frequency },
      ...{ timeZone: life.timeZone, retention: life.policy },
    };
    const created = await dataOf(
      'mutation ($input: BackupPlanInput!) { made: createBackupPlan(input: $input) { id } }',
      {
        input,
      },
    );
    const planId = (created['made'] as { id: string }).id;
    const plan = { timeZone: life.timeZone, runs: true, removed: false, places: [0, 1] };
    const update = (changed: object) =>
      dataOf('mutation ($id: ID!, $input: BackupPlanPatch!) { updateBackupPlan(id: $id, input: $input) { id } }', {
        ...{ id: planId, input: changed },
      });
    const harbour = (place: number) => {
      const folder = settledFolder(api, project, folders[place === 0 ? 0 : 1]);
      return { projectId, serviceId, planId, fileEndpointId: endpointIds[place === 0 ? 0 : 1], folder };
    };
    const execute = (id: string, ...commands: Parameters<typeof executeCommands>[2][]) =>
      executeCommands(api.shared, { id, projectId }, ...commands);
    const rows = () => api.shared.dataSource.manager.findBy(BackupJobTable, { planId });
    const verify = (id: string) =>
      execute(id, { kind: 'RECORD_VERIFICATION', verification: { level: 'READABLE', at: now.toISOString() } });
    const hold = (id: string) => dataOf('mutation ($id: ID!) { holdBackup(id: $id, reason: "audit") { id } }', { id });
    const underWay: { readonly place: number; readonly succeed: () => Promise<void>; readonly id: string }[] = [];

    for (const [place, history] of life.histories.entries()) {
      for (const { startedAt, trigger, verified, protectedBy } of history) {
        // The trigger RETRY needs an earlier job. So such a backup is stored with the trigger SCHEDULE.
        const kind = trigger === 'RETRY' || trigger === 'SAFETY' ? 'SCHEDULE' : trigger;
        const { id } = await storeBackup(api.shared, harbour(place), startedAt, { trigger: kind });
        if (verified) await verify(id);
        if (protectedBy.length > 0) await hold(id);
      }
    }

    async function change(one: Change): Promise<void> {
      const stored = (await rows()).filter(
        ({ availability }) => availability === 'STORED' || availability === 'MISSING',
      );
      const row = 'which' in one ? stored[one.which % Math.max(1, stored.length)] : undefined;
      switch (one.do) {
        case 'KEEP':
          if (!plan.removed) await update({ retention: one.policy });
          return;
        case 'MOVE':
          if (plan.removed) return;
          await update({ timeZone: one.timeZone });
          plan.timeZone = one.timeZone;
          return;
        case 'PAUSE':
        case 'RESUME':
          if (plan.removed) return;
          await dataOf(`mutation ($id: ID!) { ${one.do.toLowerCase()}BackupPlan(id: $id) { id } }`, { id: planId });
          plan.runs = one.do === 'RESUME';
          return;
        case 'REMOVE':
          if (underWay.length > 0) return;
          if (!plan.removed) await dataOf('mutation ($id: ID!) { removeBackupPlan(id: $id) { id } }', { id: planId });
          plan.removed = true;
          return;
        case 'ONE ENDPOINT':
        case 'BOTH ENDPOINTS':
          if (plan.removed) return;
          plan.places = one.do === 'ONE ENDPOINT' ? [0] : [0, 1];
          await update({ fileEndpointIds: plan.places.map((place) => endpointIds[place === 0 ? 0 : 1]) });
          return;
        case 'BY HAND':
          await storeBackup(api.shared, harbour(0), now, { trigger: 'MANUAL' });
          return;
        case 'BEGIN':
          if (plan.removed || underWay.length > 0) return;
          underWay.push({ place: 0, ...(await beginBackup(api.shared, harbour(0), now)) });
          return;
        default:
          if (row !== undefined) await happen(one.do, row.id, row.availability === 'STORED', row.hold !== null);
      }
    }

    async function happen(what: string, id: string, isStored: boolean, isHeld: boolean): Promise<void> {
      const at = now.toISOString();
      const later = new Date(now.getTime() + missingAfterMs).toISOString();
      if (what === 'HOLD' && isStored && !isHeld) await hold(id);
      if (what === 'LET GO') await execute(id, { kind: 'RELEASE_HOLD', by: 'tester', at });
      if (what === 'VERIFY' && isStored) await verify(id);
      if (what === 'DOUBT' && isStored) await execute(id, { kind: 'REPORT_ABSENT', at });
      if (what === 'MISS' && isStored)
        await execute(id, { kind: 'REPORT_ABSENT', at }, { kind: 'REPORT_ABSENT', at: later });
      if (what === 'FIND') await execute(id, { kind: 'REPORT_PRESENT', at });
    }

    async function foretold() {
      const ids = (await rows()).map(({ id }) => id);
      const query =
        'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on BackupJob { id availability expectedDeletionAt } } }';
      const jobs: Foretold[] = [];
      for (let from = 0; from < ids.length; from += 50) {
        jobs.push(...((await dataOf(query, { ids: ids.slice(from, from + 50) }))['nodes'] as Foretold[]));
      }
      const preview = await dataOf(
        `query ($id: ID!) { days: retentionPreview(input: { planId: $id }, days: ${days}) {
          date kept deleted storedSize } }`,
        { id: planId },
      );
      return { jobs, preview: preview['days'] as Day[] };
    }

    const sweep = async (): Promise<string[]> => {
      const at = now;
      const log = openLog('json', 'error', { write: () => undefined });
      const storageOf = (id: string) => openFileEndpoint(api.shared, id);
      const tools = { ...api.shared, log, storageOf, now: () => at };
      const deletedTimes: string[] = [];
      for (const fileEndpointId of endpointIds) {
        deletedTimes.push(...(await applyRetention(tools, { planId, fileEndpointId }, AbortSignal.timeout(120_000))));
      }
      return deletedTimes;
    };

    for (const changes of life.changes) {
      for (const one of changes) await change(one);
      const { jobs, preview } = await foretold();
      const begin = now;
      const end = new Date(now.getTime() + days * 24 * hourMs);
      const newestIsVerified = endpointIds.map(async (fileEndpointId) => {
        const counted = (await rows()).filter(
          (row) =>
            row.fileEndpointId === fileEndpointId &&
            row.availability === 'STORED' &&
            row.absentSince === null &&
            row.trigger !== 'MANUAL',
        );
        const age = (row: (typeof counted)[number]) => row.startedAt?.getTime() ?? 0;
        return counted.sort((a, b) => age(b) - age(a) || (a.id < b.id ? 1 : -1))[0]?.verified != null;
      });
      const verifies = await Promise.all(newestIsVerified);
      const isRunning = plan.runs && !plan.removed;
      const runs = isRunning ? runsBetween(parseFrequency(life.frequency), plan.timeZone, begin, end, 1_000) : [];
      const runTimes = new Set(runs.map((run) => run.getTime()));
      const expected = new Map(
        jobs.flatMap(({ id, availability, expectedDeletionAt }) => {
          if (availability !== 'STORED') expect(expectedDeletionAt).toBeNull();
          if (availability !== 'STORED' || expectedDeletionAt === null) return [];
          return [[id, Math.max(Date.parse(expectedDeletionAt), begin.getTime())] as const];
        }),
      );
      const times = new Set([begin.getTime(), ...runTimes]);
      for (const at of expected.values()) if (at <= end.getTime()) times.add(at).add(Math.max(at - 1, begin.getTime()));
      for (let at = begin.getTime(); at <= end.getTime(); at += 6 * hourMs) times.add(at);

      const there = new Set((await rows()).filter((row) => row.availability === 'STORED').map(({ id }) => id));
      const succeededAt: number[] = [];
      const deletedAt = new Map<string, number>();
      for (const time of [...times].sort((a, b) => a - b)) {
        now = new Date(time);
        for (const { place, succeed, id } of underWay.splice(0)) {
          await succeed();
          if (verifies[place] === true) await verify(id);
          succeededAt.push(time);
        }
        if (runTimes.has(time)) {
          for (const place of plan.places) {
            const { id } = await storeBackup(api.shared, harbour(place), now);
            if (verifies[place] === true) await verify(id);
            succeededAt.push(time);
          }
        }
        for (const id of await sweep()) deletedAt.set(id, time);
      }
      now = end;

      const shown = [...there].map((id) => [id, deletedAt.get(id) ?? null]);
      const due = [...there].map((id) => {
        const at = expected.get(id) ?? Infinity;
        return [id, at <= end.getTime() ? at : null];
      });
      expect(shown).toEqual(due);

      const dayOf = (time: number) => naiveBuckets(new Date(time), plan.timeZone).daily;
      const lastDay = dayOf(end.getTime());
      const deletedTimes = [...deletedAt.values()];
      for (const { date, kept, deleted, storedSize } of preview) {
        if (date >= lastDay) continue;
        const left = there.size + succeededAt.filter((time) => dayOf(time) <= date).length;
        const stays = left - deletedTimes.filter((time) => dayOf(time) <= date).length;
        expect({ date, kept, deleted }).toEqual({
          ...{ date, kept: stays, deleted: deletedTimes.filter((time) => dayOf(time) === date).length },
        });
        if (there.size > 0) expect(Number(storedSize)).toBe(9 * stays);
      }
    }
  }

  /** The time is 05:10. The backups of the last two days exist, and the next run is tomorrow at 05:00. */
  const cancelRequest = { kind: 'REQUEST_CANCEL', by: 'tester', at: '2036-03-04T05:05:00.000Z' } as const;
  const failsUntil = (retryAt: string): BackupJobCommand => {
    const error = {
      code: 'SERVICE_UNREACHABLE',
      message: 'The service does not answer.',
      hint: 'Wait.',
      toolOutput: null,
    } as const;
    const attempt = { attempt: 1, outcome: 'FAILED', at: '2036-03-04T05:06:00.000Z' } as const;
    return { kind: 'FAIL_ATTEMPT', ...attempt, error: { ...error, retriable: true }, retryAt };
  };
  const starts = started(1, '2036-03-04T05:00:03.000Z');
  const jobsUnderWay: readonly {
    readonly job: string;
    readonly trigger?: 'MANUAL' | 'CATCH_UP';
    readonly isRetry?: true;
    readonly told: readonly BackupJobCommand[];
    readonly from: string | null;
  }[] = [
    { job: 'a RUNNING backup', told: [starts], from: '2036-03-04T05:00:03.000Z' },
    { job: 'a RUNNING CATCH_UP backup', trigger: 'CATCH_UP', told: [starts], from: '2036-03-04T05:00:03.000Z' },
    { job: 'a QUEUED backup', told: [], from: '2036-03-04T05:10:00.000Z' },
    {
      job: 'a backup that waits for its next attempt',
      told: [starts, failsUntil('2036-03-04T05:20:00.000Z')],
      from: '2036-03-04T05:20:00.000Z',
    },
    {
      job: 'a backup whose next attempt waits for a worker',
      told: [starts, failsUntil('2036-03-04T05:07:00.000Z')],
      from: '2036-03-04T05:10:00.000Z',
    },
    { job: 'the RETRY of a scheduled backup', isRetry: true, told: [starts], from: '2036-03-04T05:00:03.000Z' },
    { job: 'a manual backup', trigger: 'MANUAL', told: [starts], from: null },
    { job: 'the RETRY of a manual backup', trigger: 'MANUAL', isRetry: true, told: [starts], from: null },
    { job: 'a backup that is being cancelled', told: [starts, cancelRequest], from: null },
  ];

  test.each(jobsUnderWay)('counts $job from $from', async ({ trigger, isRetry, told: execute, from }) => {
    const { projectId, serviceId, fileEndpointId } = project;
    now = new Date('2036-03-04T05:10:00Z');
    const input = {
      ...{ serviceId, name: randomUUID(), fileEndpointIds: [fileEndpointId], frequency: '0 0 5 * * *' },
      retention: { style: 'FILES', period: 2 },
    };
    const created = await dataOf(
      'mutation ($input: BackupPlanInput!) { made: createBackupPlan(input: $input) { id } }',
      {
        input,
      },
    );
    const planId = (created['made'] as { id: string }).id;
    const harbour = {
      projectId,
      serviceId,
      planId,
      fileEndpointId,
      folder: settledFolder(api, project, 'backups'),
    };
    const oldest = await storeBackup(api.shared, harbour, new Date('2036-03-02T05:00:00Z'));
    await storeBackup(api.shared, harbour, new Date('2036-03-03T05:00:00Z'));
    const queue = (request: Partial<BackupRequest>) =>
      queuedJob(api.shared, projectId, { serviceId, fileEndpointId, planId, ...request });
    const first = { trigger: trigger ?? 'SCHEDULE' } as const;
    const retried = isRetry === true ? await queue(first) : null;
    if (retried !== null) await executeCommands(api.shared, { id: retried, projectId }, starts, failed());
    const id = await queue(retried === null ? first : { trigger: 'RETRY', retryOf: retried });
    await executeCommands(api.shared, { id, projectId }, ...execute);

    const { job, preview } = await dataOf(
      `query ($id: ID!, $planId: ID!) {
         job: node(id: $id) { ... on BackupJob { expectedDeletionAt } }
         preview: retentionPreview(input: { planId: $planId }, days: 2) { date kept deleted }
       }`,
      { id: oldest.id, planId },
    );
    expect(job).toEqual({ expectedDeletionAt: from ?? '2036-03-05T05:00:00.000Z' });
    expect(preview).toEqual([
      { date: '2036-03-04', kept: 2, deleted: from === null ? 0 : 1 },
      { date: '2036-03-05', kept: 2, deleted: 1 },
    ]);
  });

  test('is exact day by day and to the millisecond, after any history', async () => {
    await fc.assert(fc.asyncProperty(someLife, checkLife), { numRuns: 6, endOnFailure: true });
  });
});
