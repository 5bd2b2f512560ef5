/**
 * Random histories of real plans. After each sweep they are compared with a separate calculation of the backups that
 * must exist.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { failed, queuedJob, started, executeCommands } from '../../../test/fixtures/backupJobs.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { naiveDeletions, naiveNewestFirst, somePolicy, someZone } from '../../../test/fixtures/retentionReckoning.js';
import { settledFolder, settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';
import { storeBackup } from '../../../test/fixtures/storedBackups.js';
import { startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { openFileEndpoint } from '../../endpoints/openFileEndpoint.js';
import type { BackupJobCommand } from '../../backups/backupJob.js';
import { deleteByHand } from '../../backups/deletion/deleteByHand.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import { rowById } from '../../server/rowsById.js';
import { missingAfterMs } from '../../backups/storedBackup.js';
import { openLog } from '../../log.js';
import { backupPlan, type PlanContent } from '../../plans/backupPlan.js';
import type { RetainedBackup, Trigger } from '../../plans/retention/retention.js';
import type { RetentionPolicy } from '../../plans/retention/retentionPolicy.js';
import { applyRetention } from './retentionRun.js';

const hourMs = 3_600_000;

type Run = {
  readonly do: 'SUCCEED' | 'FAIL';
  readonly at: number;
  readonly trigger: Trigger;
  readonly which: number;
};
type Happening = {
  readonly do: 'HOLD' | 'LET GO' | 'READ' | 'READ NO MORE' | 'VERIFY' | 'MISS' | 'FIND' | 'DELETE';
  readonly which: number;
};
type Step =
  | Run
  | Happening
  | { readonly do: 'KEEP'; readonly policy: RetentionPolicy }
  | { readonly do: 'MOVE'; readonly timeZone: string }
  | { readonly do: 'WAIT'; readonly halfHours: number };

const someStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constantFrom('SUCCEED' as const, 'SUCCEED' as const, 'SUCCEED' as const, 'FAIL' as const),
      at: fc.constantFrom(0, 0, 0, 1),
      trigger: fc.constantFrom<Trigger>('SCHEDULE', 'SCHEDULE', 'CATCH_UP', 'MANUAL', 'RETRY'),
      which: fc.nat({ max: 99 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('HOLD', 'LET GO', 'READ', 'READ NO MORE', 'VERIFY', 'MISS', 'MISS', 'FIND', 'DELETE'),
      which: fc.nat({ max: 99 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('KEEP' as const), policy: somePolicy }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('MOVE' as const), timeZone: someZone }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('WAIT' as const), halfHours: fc.nat({ max: 400 }) }) },
);

/** Times shortly before the clocks of the zones change, or before months and years end. */
const someBeginning = fc.constantFrom(
  ...['2026-03-27T10:00:00Z', '2026-10-22T21:30:00Z', '2028-02-26T23:00:00Z', '2026-12-29T04:00:00Z'],
);

/** A backup in this calculation. It contains the events of the backup, and no result of the program. */
type Known = RetainedBackup & { readonly place: number; readonly bytes: 'THERE' | 'DOUBTFUL' | 'MISSING' | 'GONE' };

describeWith({ postgresql: await postgresMissing() }, 'after any history of a plan', () => {
  let api: WholeApi;
  let project: SettledProject;
  let endpointIds: readonly [string, string];
  const folders = ['backups', 'idle'] as const;
  beforeAll(async () => {
    api = await startWholeApi();
    project = await settleProject(api, 'harbour', 9);
    endpointIds = [project.fileEndpointId, project.idleFileEndpointId];
  });
  afterAll(() => api.stop());

  async function checkHistory(beginning: string, steps: readonly Step[]): Promise<void> {
    const { projectId, serviceId } = project;
    const { store } = api.shared;
    const metadata = { actor: 'tester', correlationId: randomUUID() };
    const planId = randomUUID();
    let now = new Date(beginning);
    let content: PlanContent = {
      ...{ name: planId, fileEndpointIds: endpointIds, typed: '@daily', normalized: '0 0 0 * * *', timeZone: 'UTC' },
      ...{ retention: { style: 'FILES', period: 2 }, maxAttempts: 3, catchUpWindowMs: null, timeoutMs: null },
      stallTimeoutMs: 600_000,
      yieldToLocks: true,
      driftThreshold: null,
      includeUsers: 'NONE',
      compression: 'BALANCED',
      description: null,
    };
    await store.transact(metadata, (tx) =>
      tx.execute(
        backupPlan,
        { id: planId, projectId },
        {
          ...({ kind: 'CREATE', serviceId, content, paused: false } as const),
          at: now.toISOString(),
        },
      ),
    );
    const known: Known[] = [];
    const failures: { readonly id: string; readonly place: number; readonly counts: boolean }[] = [];

    const change = async (changed: Partial<PlanContent>) => {
      content = { ...content, ...changed };
      const command = { kind: 'UPDATE', content, paused: false, at: now.toISOString() } as const;
      await store.transact(metadata, (tx) => tx.execute(backupPlan, { id: planId, projectId }, command));
    };
    const execute = (id: string, command: BackupJobCommand) => executeCommands(api.shared, { id, projectId }, command);
    const become = (one: Known, changed: Partial<Known>) => known.splice(known.indexOf(one), 1, { ...one, ...changed });

    async function run(step: Run): Promise<void> {
      now = new Date(now.getTime() + hourMs / 2);
      const again = step.trigger === 'RETRY' ? failures[step.which % Math.max(1, failures.length)] : undefined;
      if (step.trigger === 'RETRY' && again === undefined) return;
      const place = again?.place ?? step.at;
      const counts = again?.counts ?? step.trigger !== 'MANUAL';
      const fileEndpointId = endpointIds[place === 0 ? 0 : 1];
      const request = { trigger: step.trigger, retryOf: again?.id ?? null };
      const at = now.toISOString();
      if (step.do === 'FAIL') {
        const id = await queuedJob(api.shared, projectId, {
          ...request,
          serviceId,
          planId,
          fileEndpointId,
          queuedAt: at,
        });
        await executeCommands(api.shared, { id, projectId }, started(1, at), failed(1, at));
        failures.push({ id, place, counts });
        return;
      }
      const folder = settledFolder(api, project, folders[place === 0 ? 0 : 1]);
      const { id } = await storeBackup(
        api.shared,
        { projectId, serviceId, planId, fileEndpointId, folder },
        now,
        request,
      );
      const backup = { id, startedAt: now, trigger: step.trigger, counted: counts, verified: false, protectedBy: [] };
      known.push({ ...backup, place, bytes: 'THERE' });
    }

    async function happen(step: Happening): Promise<void> {
      const listed = known.filter(({ bytes }) => bytes !== 'GONE');
      const one = listed[step.which % Math.max(1, listed.length)];
      if (one === undefined) return;
      const at = now.toISOString();
      const [isHeld, isRead] = [one.protectedBy.includes('HOLD'), one.protectedBy.includes('READER')];
      const isStored = one.bytes === 'THERE' || one.bytes === 'DOUBTFUL';
      switch (step.do) {
        case 'HOLD':
          if (!isStored || isHeld) return;
          await execute(one.id, { kind: 'HOLD', hold: { reason: 'audit', by: 'tester', at } });
          become(one, { protectedBy: ['HOLD', ...one.protectedBy] });
          return;
        case 'LET GO':
          await execute(one.id, { kind: 'RELEASE_HOLD', by: 'tester', at });
          become(one, { protectedBy: one.protectedBy.filter((by) => by !== 'HOLD') });
          return;
        case 'READ':
          if (!isStored || isRead) return;
          await execute(one.id, { kind: 'RESERVE', readerId: 'a restore', at });
          become(one, { protectedBy: [...one.protectedBy, 'READER'] });
          return;
        case 'READ NO MORE':
          await execute(one.id, { kind: 'RELEASE', readerId: 'a restore', at });
          become(one, { protectedBy: one.protectedBy.filter((by) => by !== 'READER') });
          return;
        case 'VERIFY':
          if (!isStored) return;
          await execute(one.id, { kind: 'RECORD_VERIFICATION', verification: { level: 'READABLE', at } });
          become(one, { verified: true });
          return;
        case 'MISS':
          if (one.bytes === 'DOUBTFUL') now = new Date(now.getTime() + missingAfterMs);
          if (!isStored) return;
          await execute(one.id, { kind: 'REPORT_ABSENT', at: now.toISOString() });
          become(one, { bytes: one.bytes === 'THERE' ? 'DOUBTFUL' : 'MISSING' });
          return;
        case 'FIND':
          await execute(one.id, { kind: 'REPORT_PRESENT', at });
          become(one, { bytes: 'THERE' });
          return;
        case 'DELETE': {
          const mates = known.filter(
            ({ id, place, bytes }) => id !== one.id && place === one.place && bytes === 'THERE',
          );
          const standIns = one.counted && one.bytes === 'THERE' ? mates.filter(({ counted }) => counted) : mates;
          const may = one.protectedBy.length === 0 && (one.bytes === 'MISSING' || standIns.length > 0);
          const row = await rowById(api.shared.dataSource.manager, BackupJobTable, one.id);
          if (row === null) throw new Error('It was not stored.');
          const request = { operation: 'deleteBackup', input: {}, subject: 'tester', projectId, metadata };
          const deletion = { force: false, by: 'tester', expectedVersion: undefined };
          const stopping = new AbortController().signal;
          const done = deleteByHand({ ...api.shared, stopping }, request, row, deletion).then(
            () => 'DONE',
            (error: unknown) => (error as { code?: string }).code,
          );
          expect(await done).toBe(may ? 'DONE' : 'CONFLICT');
          if (may) become(one, { bytes: 'GONE' });
          return;
        }
      }
    }

    for (const step of steps) {
      switch (step.do) {
        case 'SUCCEED':
        case 'FAIL':
          await run(step);
          break;
        case 'KEEP':
          await change({ retention: step.policy });
          break;
        case 'MOVE':
          await change({ timeZone: step.timeZone });
          break;
        case 'WAIT':
          now = new Date(now.getTime() + (step.halfHours * hourMs) / 2);
          break;
        case 'DELETE':
        case 'FIND':
        case 'HOLD':
        case 'LET GO':
        case 'MISS':
        case 'READ NO MORE':
        case 'READ':
        case 'VERIFY':
          await happen(step);
      }
      if (step.do === 'SUCCEED' || step.do === 'KEEP' || step.do === 'WAIT') await sweepAndCompare();
    }

    async function sweepAndCompare(): Promise<void> {
      const at = now;
      const tools = {
        ...api.shared,
        log: openLog('json', 'error', { write: () => undefined }),
        storageOf: (id: string) => openFileEndpoint(api.shared, id),
        now: () => at,
      };
      for (const [place, fileEndpointId] of endpointIds.entries()) {
        const listed = known.filter(
          (one) => one.place === place && (one.bytes === 'THERE' || one.bytes === 'DOUBTFUL'),
        );
        const backups = listed.map((one) => ({ ...one, counted: one.counted && one.bytes === 'THERE' }));
        const { retention: policy, timeZone } = content;
        const due = naiveDeletions({ policy, backups, now, timeZone });
        const going = await applyRetention(tools, { planId, fileEndpointId }, AbortSignal.timeout(120_000));

        // These rules hold for every policy.
        const counted = backups.filter((one) => one.counted).toSorted(naiveNewestFirst);
        const never = [
          ...[counted[0], counted.find(({ verified }) => verified)],
          ...backups.filter((one) => !one.counted || one.protectedBy.length > 0),
        ].flatMap((one) => (one === undefined ? [] : [one.id]));
        expect(going.filter((id) => never.includes(id))).toEqual([]);
        expect(new Set(going)).toEqual(due);
        for (const one of listed.filter(({ id }) => due.has(id))) become(one, { bytes: 'GONE' });
      }
      const rows = await api.shared.dataSource.query<{ id: string }[]>(
        `SELECT id FROM backup_jobs WHERE plan_id = $1 AND availability IN ('STORED', 'MISSING')`,
        [planId],
      );
      const left = known.filter(({ bytes }) => bytes !== 'GONE').map(({ id }) => id);
      expect(rows.map(({ id }) => id).sort()).toEqual(left.sort());
    }
  }

  test('each sweep keeps the newest, the newest verified, the held, the reserved and the manual backups', async () => {
    const someSteps = fc.array(someStep, { minLength: 25, maxLength: 45, size: 'max' });
    await fc.assert(fc.asyncProperty(someBeginning, someSteps, checkHistory), { numRuns: 12, endOnFailure: true });
  });
});
