/**
 * Every tick of a plan is accounted for exactly once at each destination, for any failures of the alarms, the clock and
 * the replicas. It becomes a job (run, caught up or skipped) or part of a record of missed ticks. The next tick is
 * always armed.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { In } from 'typeorm';
import { startPlanApi, type PlanApi } from '../../test/fixtures/api/planApi.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { backupHandling } from '../backups/backupJobCommands.js';
import { cancelJob } from '../jobs/jobCommands.js';
import { BackupJobTable } from '../backups/backupJobView.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import { createJobQueue } from '../postgres/jobQueue.js';
import { alarmKey, type Alarm, type PlanTick } from '../scheduler/alarmClock.js';
import { nextRun } from '../scheduler/cron/nextRun.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { runsBetween } from '../scheduler/cron/runsBetween.js';
import type { BackupPlanEvent, MissedTicks } from '../plans/backupPlan.js';
import { createNextTicks, type NextTicks } from './nextTicks.js';
import { createReconciler } from './reconcileAlarms.js';
import { handleTick } from './handleTick.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

type Step =
  | { readonly kind: 'PASS' | 'JUMP'; readonly ms: number }
  /** Every due alarm fires `times` times, at replicas whose clocks differ. */
  | { readonly kind: 'RING'; readonly times: number; readonly skewMs: number }
  | { readonly kind: 'RING_OLD_VERSION' | 'LOSE_ALARMS' | 'MOVE_ALARMS' | 'RECONCILE' | 'RESTART' | 'END_JOBS' }
  | { readonly kind: 'EDIT'; readonly frequency: string; readonly timeZone: string }
  | { readonly kind: 'PAUSE' | 'RESUME' };

describeWith({ postgresql: await postgresMissing() }, 'a plan, after any history', () => {
  let api: PlanApi;
  let queue: JobQueue;
  let fileEndpointIds: readonly string[];
  let now = new Date();

  beforeAll(async () => {
    api = await startPlanApi({ now: () => now });
    queue = createJobQueue(api.dataSource);
    fileEndpointIds = [await api.createEndpoint(), await api.createEndpoint()];
  });
  afterAll(() => api.stop());

  async function startHistory(start: Date, frequency: string, timeZone: string) {
    now = start;
    const serviceId = await api.createService();
    const { id } = await api.createPlan({ serviceId, fileEndpointIds, frequency, timeZone });
    /** The content of the alarm clock: one alarm for each key. */
    const alarms = new Map<string, Alarm>();
    const clock = {
      setAll: (each: readonly Alarm[]) => {
        for (const alarm of each) alarms.set(alarmKey(alarm), alarm);
        return Promise.resolve();
      },
      cancelAll: (keys: readonly string[]) => {
        for (const key of keys) alarms.delete(key);
        return Promise.resolve();
      },
      list: () => Promise.resolve([...alarms.values()]),
    };
    const newReplica = (): NextTicks =>
      createNextTicks((_, error) => {
        throw error;
      });
    let nextTicks = newReplica();
    const ofThisPlan: NextTicks = (manager) => nextTicks(manager, [id]);
    // A new reconciler each time, so that it compares every alarm.
    const reconcile = () =>
      createReconciler({
        ...{ dataSource: api.dataSource, nextTicks: ofThisPlan },
        queue: { ...queue, waiting: () => Promise.resolve([]) },
        clock: {
          ...{ ...clock, start: nothing, set: nothing, cancel: nothing, ping: nothing, stop: nothing },
          count: () => Promise.resolve(alarms.size),
        },
        signals: { send: nothing, subscribe: () => () => undefined },
      })(now);

    /** Handles an alarm that fires, as the tick keeper does. */
    const handle = async ({ version, at }: PlanTick, skewMs: number) => {
      const tools = { store: api.store, queue, now: () => new Date(now.getTime() + skewMs) };
      await handleTick(tools, { planId: id, version, scheduledFor: at });
      await clock.setAll(await ofThisPlan(api.dataSource.manager, 'ALL'));
    };
    const ring = async (times: number, skewMs: number) => {
      const due = [...alarms].flatMap(([key, alarm]) =>
        alarm.kind === 'PLAN_TICK' && alarm.at <= now ? [{ key, alarm }] : [],
      );
      for (const { key, alarm } of due) {
        await Promise.all(Array.from({ length: times }, (_, n) => handle(alarm, n * skewMs)));
        // Agenda does the same: it removes the fired alarm, unless the handler has set it at another time.
        if (alarms.get(key)?.at.getTime() === alarm.at.getTime()) alarms.delete(key);
      }
    };
    const change = async (field: string, input?: object) => {
      const source =
        input === undefined
          ? `mutation ($id: ID!) { ${field}(id: $id) { id } }`
          : `mutation ($id: ID!, $input: BackupPlanPatch!) { ${field}(id: $id, input: $input) { id } }`;
      expect((await api.call(source, { id, input })).code).toBeUndefined();
    };

    async function take(step: Step): Promise<void> {
      switch (step.kind) {
        case 'PASS':
        case 'JUMP':
          now = new Date(now.getTime() + step.ms);
          return;
        case 'RING':
          return ring(step.times, step.skewMs);
        case 'RING_OLD_VERSION': {
          const [tick] = await ofThisPlan(api.dataSource.manager, 'ALL');
          if (tick !== undefined && tick.version > 1) await handle({ ...tick, version: tick.version - 1, at: now }, 0);
          return;
        }
        case 'LOSE_ALARMS':
          alarms.clear();
          return;
        case 'MOVE_ALARMS':
          for (const [key, alarm] of alarms) alarms.set(key, { ...alarm, at: new Date(alarm.at.getTime() + hourMs) });
          return;
        case 'RECONCILE':
          await reconcile();
          return;
        case 'RESTART':
          nextTicks = newReplica();
          await reconcile();
          return;
        case 'END_JOBS': {
          const where = { planId: id, status: In(['QUEUED', 'RUNNING']) };
          for (const job of await api.dataSource.manager.findBy(BackupJobTable, where)) {
            const metadata = { actor: 'test', correlationId: job.batchId };
            await api.store.transact(metadata, (tx) => cancelJob(tx, queue, backupHandling, job, 'test', now));
          }
          return;
        }
        case 'EDIT':
          return change('updateBackupPlan', { frequency: step.frequency, timeZone: step.timeZone });
        case 'PAUSE':
          return change('pauseBackupPlan');
        case 'RESUME':
          return change('resumeBackupPlan');
      }
    }
    /** Reconciles and fires due alarms, in several rounds. */
    async function settle(): Promise<void> {
      for (let round = 0; round < 5; round += 1) {
        await reconcile();
        await ring(1, 0);
      }
    }
    const jobs = () => api.dataSource.manager.find(BackupJobTable, { where: { planId: id } });
    const events = async () => (await api.store.read({ streamId: id })) as unknown as readonly BackupPlanEvent[];
    return { id, alarms, take, settle, jobs, events };
  }

  type History = Awaited<ReturnType<typeof startHistory>>;

  /** Throws unless every tick is accounted for once at each destination, and the next one is armed. */
  async function expectAccountedFor({ id, alarms, jobs, events }: History): Promise<void> {
    const schedules = schedulesOf(await events(), now);
    const allJobs = await jobs();
    for (const endpointId of fileEndpointIds) {
      const accounted = allJobs
        .filter(({ fileEndpointId }) => fileEndpointId === endpointId)
        .map(({ scheduledFor }) => scheduledFor?.getTime() ?? NaN);
      for (const { missed, ticks } of schedules) {
        for (const { from, to, count } of missed.filter(({ fileEndpointId }) => fileEndpointId === endpointId)) {
          const span = ticks(new Date(Date.parse(from) - 1), new Date(to));
          expect(span).toHaveLength(count);
          accounted.push(...span);
        }
      }
      expect(accounted.length).toBe(new Set(accounted).size);
      const known = new Set(accounted);
      let before = 0;
      for (const { since, until, ticks } of schedules) {
        // A clock that went back shows earlier times again. Their ticks were already handled, so they are not due a
        // second time.
        const due = until === null ? [] : ticks(new Date(Math.max(since.getTime(), before)), until);
        expect(due.filter((tick) => !known.has(tick)).map((tick) => new Date(tick))).toEqual([]);
        before = Math.max(before, ...accounted.filter((tick) => until !== null && tick <= until.getTime()));
      }
    }
    const current = schedules.at(-1);
    const [alarm, ...others] = [...alarms.values()];
    expect(others).toEqual([]);
    if (current === undefined || current.until === null) expect(alarm).toBeUndefined();
    else {
      expect(alarm).toMatchObject({ kind: 'PLAN_TICK', planId: id, version: current.version });
      expect(alarm?.at.getTime()).toBeGreaterThan(now.getTime());
      const accounted = allJobs.map(({ scheduledFor }) => scheduledFor?.getTime() ?? 0);
      for (const { missed } of schedules) accounted.push(...missed.map(({ to }) => Date.parse(to)));
      const latest = Math.max(now.getTime(), current.since.getTime(), ...accounted);
      expect(alarm?.at).toEqual(nextRun(parseFrequency(current.frequency), current.timeZone, new Date(latest)));
    }
  }

  const jobsOf = async (history: History) =>
    (await history.jobs())
      .filter(({ fileEndpointId }) => fileEndpointId === fileEndpointIds[0])
      .sort((a, b) => (a.scheduledFor?.getTime() ?? 0) - (b.scheduledFor?.getTime() ?? 0))
      .map(({ trigger, status, scheduledFor }) => `${scheduledFor?.toISOString() ?? ''} ${trigger} ${status}`);
  const once: Step = { kind: 'RING', times: 1, skewMs: 0 };

  test('whose clock jumps a day forward catches up once, with one record of the missed ticks, and continues', async () => {
    const history = await startHistory(new Date('2026-03-28T23:10:00Z'), '0 0 * * * *', 'Europe/Berlin');
    for (const step of [{ kind: 'RECONCILE' }, { kind: 'JUMP', ms: dayMs }, once, once] as const)
      await history.take(step);
    expect(await jobsOf(history)).toEqual(['2026-03-29T23:00:00.000Z CATCH_UP QUEUED']);
    const missed = (await history.events()).filter(({ type }) => type === 'TicksMissed');
    expect(missed.map(({ data }) => (data as MissedTicks).count)).toEqual([23, 23]);
    await history.take({ kind: 'END_JOBS' });
    await history.take({ kind: 'PASS', ms: 50 * minuteMs });
    await history.take(once);
    expect((await jobsOf(history)).slice(1)).toEqual(['2026-03-30T00:00:00.000Z SCHEDULE QUEUED']);
    await history.settle();
    await expectAccountedFor(history);
  });

  test('whose clock goes back an hour repeats no tick, and runs the next one at its time', async () => {
    // Berlin's clocks go back in the same night.
    const history = await startHistory(new Date('2026-10-25T00:25:00Z'), '0 */30 * * * *', 'Europe/Berlin');
    const step = async (...steps: readonly Step[]) => {
      for (const each of steps) await history.take(each);
    };
    await step({ kind: 'RECONCILE' }, { kind: 'PASS', ms: 5 * minuteMs }, once, { kind: 'END_JOBS' });
    await step({ kind: 'JUMP', ms: -hourMs }, { kind: 'RESTART' }, once);
    for (let half = 0; half < 3; half += 1) {
      await step({ kind: 'PASS', ms: 30 * minuteMs }, { kind: 'RECONCILE' }, once, { kind: 'END_JOBS' });
    }
    expect(await jobsOf(history)).toEqual([
      '2026-10-25T00:30:00.000Z SCHEDULE CANCELLED',
      '2026-10-25T01:00:00.000Z SCHEDULE CANCELLED',
    ]);
    await history.settle();
    await expectAccountedFor(history);
  });

  test('accounts for every tick exactly once at each destination, and its next tick is armed', async () => {
    const frequency = fc.constantFrom(
      '0 */20 * * * *',
      '0 15 * * * *',
      '0 30 1-3 * * *',
      '0 30 2 * * *',
      '0 0 */5 * * *',
    );
    const timeZone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe');
    const only = (...kinds: Extract<Step, { readonly kind: string }>['kind'][]) =>
      fc.constantFrom(...kinds).map((kind) => ({ kind }) as Step);
    const passMs = fc.oneof(
      fc.integer({ min: 0, max: 3 * minuteMs }),
      fc.integer({ min: 0, max: 90 * minuteMs }),
      fc.integer({ min: 0, max: 30 * hourMs }),
    );
    const jumpMs = fc.constantFrom(dayMs, -hourMs, 10 * minuteMs, -10 * minuteMs, 3 * dayMs);
    const ring = fc.record({
      kind: fc.constant('RING' as const),
      times: fc.integer({ min: 1, max: 3 }),
      skewMs: fc.constantFrom(0, 400, -400),
    });
    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('PASS' as const), ms: passMs }) },
      { weight: 5, arbitrary: ring },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('JUMP' as const), ms: jumpMs }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('EDIT' as const), frequency, timeZone }) },
      { weight: 4, arbitrary: only('LOSE_ALARMS', 'MOVE_ALARMS', 'RING_OLD_VERSION', 'PAUSE', 'RESUME') },
      { weight: 4, arbitrary: only('RECONCILE', 'RESTART', 'END_JOBS') },
    );
    // Times around the clock changes of these zones.
    const start = fc
      .constantFrom('2026-03-07T12:00:00Z', '2026-03-28T12:00:00Z', '2026-04-04T00:00:00Z', '2026-10-24T12:00:00Z')
      .chain((day) => fc.integer({ min: 0, max: dayMs }).map((ms) => new Date(Date.parse(day) + ms)));
    const history = fc.record({ start, frequency, timeZone, steps: fc.array(step, { minLength: 4, maxLength: 16 }) });
    await fc.assert(
      fc.asyncProperty(history, async ({ steps, ...plan }) => {
        const begun = await startHistory(plan.start, plan.frequency, plan.timeZone);
        for (const each of steps) await begun.take(each);
        await begun.settle();
        await expectAccountedFor(begun);
      }),
      { numRuns: 25 },
    );
  }, 240_000);
});

/** A period in which one schedule was valid, according to the events. */
type Schedule = {
  readonly version: number;
  readonly frequency: string;
  readonly timeZone: string;
  readonly since: Date;
  /** Null: the plan was paused. */
  readonly until: Date | null;
  readonly missed: readonly MissedTicks[];
  /** The ticks after `after` and up to `until`, in milliseconds. */
  readonly ticks: (after: Date, until: Date) => readonly number[];
};

function schedulesOf(events: readonly BackupPlanEvent[], now: Date): readonly Schedule[] {
  const schedules: Schedule[] = [];
  const begin = (at: string, of: { frequency: string; timeZone: string; paused: boolean }) => {
    const last = schedules.at(-1);
    if (last !== undefined && last.until !== null) schedules[schedules.length - 1] = { ...last, until: new Date(at) };
    const { frequency, timeZone, paused } = of;
    const parsed = parseFrequency(frequency);
    schedules.push({
      ...{ version: schedules.length + 1, frequency, timeZone, since: new Date(at), until: paused ? null : now },
      missed: [],
      ticks: (after, until) => runsBetween(parsed, timeZone, after, until, Infinity).map((tick) => tick.getTime()),
    });
  };
  for (const event of events) {
    const last = schedules.at(-1);
    if (event.type === 'BackupPlanCreated') {
      const { content, paused, at } = event.data;
      begin(at, { frequency: content.normalized, timeZone: content.timeZone, paused });
    } else if (last === undefined) {
      throw new Error('A plan begins with its creation.');
    } else if (event.type === 'TicksMissed') {
      // If a tick is unhandled at an edit or a pause, it belongs to the schedule that ends then.
      const ended = event.data.reason.startsWith('The plan was changed');
      const index = schedules.length - (ended ? 2 : 1);
      const schedule = schedules[index];
      if (schedule === undefined) throw new Error('There was no schedule whose ticks could be missed.');
      schedules[index] = { ...schedule, missed: [...schedule.missed, event.data] };
    } else if (event.type === 'BackupPlanUpdated') {
      const { changes, reschedules, at } = event.data;
      if (!reschedules) continue;
      const { frequency, timeZone, until } = last;
      begin(at, {
        frequency: changes.normalized ?? frequency,
        timeZone: changes.timeZone ?? timeZone,
        paused: until === null,
      });
    } else if (event.type === 'BackupPlanPaused') begin(event.data.at, { ...last, paused: true });
    else if (event.type === 'BackupPlanResumed') begin(event.data.at, { ...last, paused: false });
  }
  return schedules;
}

function nothing(): Promise<void> {
  return Promise.resolve();
}
