import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { startPlanApi, type PlanApi } from '../../test/fixtures/api/planApi.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import type { BackupRequest } from '../backups/backupJob.js';
import { backupHandling, queueBackup } from '../backups/backupJobCommands.js';
import { cancelJob } from '../jobs/jobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../backups/backupJobView.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import { createJobQueue } from '../postgres/jobQueue.js';
import type { MissedTicks } from '../plans/backupPlan.js';
import { BackupPlanTable } from '../plans/backupPlanView.js';
import { handleTick } from './handleTick.js';
import { tickBatchId, tickJobId } from './tickIds.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

describeWith({ postgresql: await postgresMissing() }, 'a tick of a plan', () => {
  let api: PlanApi;
  let queue: JobQueue;
  const start = new Date('2026-03-02T12:00:30.000Z');
  let now = start;

  beforeAll(async () => {
    api = await startPlanApi({ now: () => now });
    queue = createJobQueue(api.dataSource);
  });
  afterAll(() => api.stop());

  /** A plan that was created at `start` with this many endpoints. By default it runs daily at 5. */
  const plan = async (destinations: number, changes: object = {}) => {
    now = start;
    const fileEndpointIds: string[] = [];
    for (let count = 0; count < destinations; count += 1) fileEndpointIds.push(await api.createEndpoint());
    const { id } = await api.createPlan({ fileEndpointIds, ...changes });
    return { id, fileEndpointIds };
  };
  /** Handles the tick in a process whose clock shows the time of the tick, or `lateMs` more. */
  const handle = (planId: string, scheduledFor: Date, { lateMs = 0, version = 1 } = {}) =>
    handleTick(
      { store: api.store, queue, now: () => new Date(scheduledFor.getTime() + lateMs) },
      { planId, version, scheduledFor },
    );
  const jobsOf = (planId: string): Promise<BackupJobRow[]> =>
    api.dataSource.manager.find(BackupJobTable, {
      where: { planId },
      order: { scheduledFor: 'ASC', queuedAt: 'ASC' },
    });
  const missedOf = async (planId: string) =>
    (await api.store.read({ streamId: planId }))
      .filter(({ type }) => type === 'TicksMissed')
      .map(({ data }) => data as MissedTicks);
  const change = async (field: string, id: string, input?: object) => {
    const source =
      input === undefined
        ? `mutation ($id: ID!) { ${field}(id: $id) { id } }`
        : `mutation ($id: ID!, $input: BackupPlanPatch!) { ${field}(id: $id, input: $input) { id } }`;
    expect((await api.call(source, { id, input })).code).toBeUndefined();
  };
  const tick = new Date('2026-03-03T05:00:00.000Z');

  test('queues one job for each destination in the order of the plan, and workers claim them one after another', async () => {
    const { id, fileEndpointIds } = await plan(3, { maxAttempts: 2, timeout: 'PT2H', stallTimeout: 'PT1M' });
    expect(await handle(id, tick)).toBe(true);
    const jobs = await jobsOf(id);
    expect(jobs.map(({ id: jobId }) => jobId)).toEqual(
      fileEndpointIds.map((endpointId) => tickJobId(id, tick, endpointId)),
    );
    for (const job of jobs) {
      expect(job).toMatchObject({
        ...{ status: 'QUEUED', trigger: 'SCHEDULE', batchId: tickBatchId(id, tick), scheduledFor: tick },
        ...{ serviceId: api.serviceId, engine: 'MARIADB', requestedBy: 'scheduler', skippedFor: null, retryOf: null },
        ...{ maxAttempts: 2, timeoutMs: 2 * hourMs, stallTimeoutMs: minuteMs, version: 1 },
      });
    }
    const own = new Set(jobs.map((job) => job.id));
    const waiting = (await queue.waiting()).filter(({ jobId }) => own.has(jobId));
    expect(waiting.map(({ jobId }) => jobId)).toEqual(jobs.map((job) => job.id));
  });

  test('is idempotent', async () => {
    const { id } = await plan(2);
    await handle(id, tick);
    const before = await api.countEvents();
    expect(await handle(id, tick)).toBe(false);
    expect(await handle(id, tick, { lateMs: hourMs })).toBe(false);
    expect(await api.countEvents()).toBe(before);
  });

  test('changes nothing for an old version of a plan, or for a paused, removed or unknown plan', async () => {
    const { id } = await plan(1);
    await change('updateBackupPlan', id, { frequency: '0 0 5 * * 2' });
    const paused = await plan(1);
    await change('pauseBackupPlan', paused.id);
    const removed = await plan(1);
    await change('removeBackupPlan', removed.id);
    const before = await api.countEvents();
    expect(await handle(id, tick, { version: 1 })).toBe(false);
    expect(await handle(paused.id, tick, { version: 2 })).toBe(false);
    expect(await handle(removed.id, tick, { version: 2 })).toBe(false);
    expect(await handle('6a1f6f0e-5a0b-4c9e-9a57-0d3b5d1f2c47', tick)).toBe(false);
    expect(await api.countEvents()).toBe(before);
    expect(await handle(id, tick, { version: 2 })).toBe(true);
  });

  test('counts as on time if its alarm fires slightly early, by the clock of another machine', async () => {
    const { id } = await plan(1);
    expect(await handle(id, tick, { lateMs: -500 })).toBe(true);
    expect(await jobsOf(id)).toMatchObject([{ trigger: 'SCHEDULE', scheduledFor: tick, queuedAt: tick }]);
  });

  test('queues one catch-up run with its own id after days of downtime, and one record of missed ticks for each destination', async () => {
    const { id, fileEndpointIds } = await plan(2);
    const lateMs = 3 * 24 * hourMs + 4 * hourMs;
    expect(await handle(id, tick, { lateMs })).toBe(true);
    const latest = new Date('2026-03-06T05:00:00.000Z');
    expect(await jobsOf(id)).toMatchObject(
      fileEndpointIds.map((fileEndpointId) => ({
        ...{ id: tickJobId(id, latest, fileEndpointId), fileEndpointId, trigger: 'CATCH_UP', scheduledFor: latest },
        ...{ status: 'QUEUED', batchId: tickBatchId(id, latest) },
      })),
    );
    expect(await missedOf(id)).toEqual(
      fileEndpointIds.map((fileEndpointId) => ({
        ...{ fileEndpointId, count: 3, from: '2026-03-03T05:00:00.000Z', to: '2026-03-05T05:00:00.000Z' },
        ...{ reason: 'No scheduler handled them in time.', at: '2026-03-06T09:00:00.000Z' },
      })),
    );
  });

  test('is recorded once as missed if it is older than the catch-up window', async () => {
    const { id } = await plan(1, { catchUpWindow: 'PT2H' });
    expect(await handle(id, tick, { lateMs: 2 * hourMs })).toBe(false);
    expect(await handle(id, tick, { lateMs: 3 * hourMs })).toBe(false);
    expect(await jobsOf(id)).toEqual([]);
    expect(await missedOf(id)).toMatchObject([{ count: 1, from: tick.toISOString(), to: tick.toISOString() }]);
  });

  test('is skipped for destinations if the job of an earlier tick is active, and points to that job', async () => {
    const { id, fileEndpointIds } = await plan(2, { frequency: '@hourly' });
    const [first, second] = [new Date('2026-03-02T13:00:00.000Z'), new Date('2026-03-02T14:00:00.000Z')];
    await handle(id, first);
    const [done, active] = await jobsOf(id);
    if (done === undefined || active === undefined) throw new Error('Two jobs were expected.');
    const client = { actor: 'somebody', correlationId: done.batchId };
    await api.store.transact(client, (tx) => cancelJob(tx, queue, backupHandling, done, 'somebody', first));

    expect(await handle(id, second)).toBe(true);
    expect((await jobsOf(id)).slice(2)).toMatchObject([
      { fileEndpointId: fileEndpointIds[0], status: 'QUEUED', skippedFor: null, scheduledFor: second },
      { fileEndpointId: fileEndpointIds[1], status: 'SKIPPED', skippedFor: active.id, scheduledFor: second },
    ]);
    const waiting = (await queue.waiting()).map(({ jobId }) => jobId);
    expect(waiting).not.toContain(tickJobId(id, second, active.fileEndpointId));

    // Each further tick is skipped too, and points to the job that is active.
    await handle(id, new Date('2026-03-02T15:00:00.000Z'));
    expect((await jobsOf(id)).at(-1)).toMatchObject({ status: 'SKIPPED', skippedFor: active.id });
  });

  test('is skipped while the manual retry of an earlier tick is active, but not during a manual backup', async () => {
    const { id, fileEndpointIds } = await plan(2, { frequency: '@hourly' });
    const at = (hour: number) => new Date(Date.UTC(2026, 2, 2, hour));
    await handle(id, at(13));
    const [first, second] = await jobsOf(id);
    if (first === undefined || second === undefined) throw new Error('Two jobs were expected.');
    const request = (of: BackupJobRow, trigger: 'RETRY' | 'MANUAL', retryOf: string | null): BackupRequest => ({
      ...{
        serviceId: of.serviceId,
        engine: of.engine,
        planId: id,
        fileEndpointId: of.fileEndpointId,
        trigger,
        retryOf,
      },
      ...{ batchId: randomUUID(), requestedBy: 'somebody', scheduledFor: null, queuedAt: at(13).toISOString() },
      ...{ maxAttempts: 3, timeoutMs: null, stallTimeoutMs: minuteMs },
    });
    const [failed, retry, byHand, retryOfByHand] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    await api.store.transact({ actor: 'somebody', correlationId: first.batchId }, async (tx) => {
      for (const job of [first, second]) await cancelJob(tx, queue, backupHandling, job, 'somebody', at(13));
      const queueOf = (jobId: string, request: BackupRequest) =>
        queueBackup(tx, queue, { id: jobId, projectId: first.projectId }, request);
      // This is a retry of a retry. The chain begins with the tick.
      await queueOf(failed, request(first, 'RETRY', first.id));
      await cancelJob(tx, queue, backupHandling, { id: failed, projectId: first.projectId }, 'somebody', at(13));
      await queueOf(retry, request(first, 'RETRY', failed));
      await queueOf(byHand, request(second, 'MANUAL', null));
      await queueOf(retryOfByHand, request(second, 'RETRY', byHand));
    });

    expect(await handle(id, at(14))).toBe(true);
    expect((await jobsOf(id)).filter(({ scheduledFor }) => scheduledFor?.getTime() === at(14).getTime())).toMatchObject(
      [
        { fileEndpointId: fileEndpointIds[0], status: 'SKIPPED', skippedFor: retry },
        { fileEndpointId: fileEndpointIds[1], status: 'QUEUED', skippedFor: null },
      ],
    );
  });

  test('that is due when destinations change runs for the destinations that stay, but not for a new one', async () => {
    const { id, fileEndpointIds } = await plan(2);
    const [staying] = fileEndpointIds;
    now = new Date(tick.getTime() + 100);
    const added = await api.createEndpoint();
    await change('updateBackupPlan', id, { fileEndpointIds: [added, staying] });
    expect(await handle(id, tick, { lateMs: 300 })).toBe(true);
    expect(await jobsOf(id)).toMatchObject([{ fileEndpointId: staying, scheduledFor: tick }]);
    const next = new Date(tick.getTime() + 24 * hourMs);
    await handle(id, next);
    expect((await jobsOf(id)).slice(1)).toMatchObject([
      { fileEndpointId: added, scheduledFor: next, status: 'QUEUED' },
      { fileEndpointId: staying, scheduledFor: next, status: 'SKIPPED' },
    ]);
    expect(await missedOf(id)).toEqual([]);
  });

  test('is recorded as missed if its schedule changes or pauses before it is handled', async () => {
    for (const [field, input] of [
      ['pauseBackupPlan', undefined],
      ['updateBackupPlan', { frequency: '0 0 6 * * *' }],
      ['updateBackupPlan', { timeZone: 'Europe/Berlin', maxAttempts: 2 }],
    ] as const) {
      const { id, fileEndpointIds } = await plan(2);
      await handle(id, tick);
      now = new Date(tick.getTime() + 2 * 24 * hourMs + 200);
      await change(field, id, input);
      expect(await missedOf(id)).toEqual(
        fileEndpointIds.map((fileEndpointId) => ({
          ...{ fileEndpointId, count: 2, from: '2026-03-04T05:00:00.000Z', to: '2026-03-05T05:00:00.000Z' },
          ...{ reason: 'The plan was changed or paused before they were handled.', at: now.toISOString() },
        })),
      );
    }
  });

  test('is not recorded at a change of its plan if it is not due yet or the plan is paused', async () => {
    const { id } = await plan(1);
    now = new Date(tick.getTime() - 1);
    await change('updateBackupPlan', id, { frequency: '0 0 6 * * *' });
    await change('pauseBackupPlan', id);
    now = new Date(tick.getTime() + 10 * 24 * hourMs);
    await change('updateBackupPlan', id, { frequency: '@hourly' });
    await change('resumeBackupPlan', id);
    expect(await missedOf(id)).toEqual([]);
  });

  test('is run, skipped or missed exactly once if several replicas handle it at the same time', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { id, fileEndpointIds } = await plan(2, { frequency: '0 * * * * *' });
      const ticks = Array.from({ length: 5 }, (_, index) => new Date(start.getTime() + 30_000 + index * minuteMs));
      await Promise.all([...ticks, ...ticks, ...ticks.toReversed()].map((each) => handle(id, each)));
      const jobs = await jobsOf(id);
      const missed = await missedOf(id);
      for (const fileEndpointId of fileEndpointIds) {
        const own = jobs.filter((job) => job.fileEndpointId === fileEndpointId);
        expect(own.filter(({ status }) => status === 'QUEUED')).toHaveLength(1);
        const handled = own.map(({ scheduledFor }) => scheduledFor?.getTime());
        for (const { from, to, count } of missed.filter((each) => each.fileEndpointId === fileEndpointId)) {
          expect((Date.parse(to) - Date.parse(from)) / minuteMs).toBe(count - 1);
          for (let at = Date.parse(from); at <= Date.parse(to); at += minuteMs) handled.push(at);
        }
        expect(handled.toSorted()).toEqual(ticks.map((each) => each.getTime()));
      }
      const row = await api.dataSource.manager.findOneByOrFail(BackupPlanTable, { id });
      expect(row.version).toBe(1 + missed.length);
    }
  });
});
