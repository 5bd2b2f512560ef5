import type { DataSource, EntityManager } from 'typeorm';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import { alarmKey, type Alarm, type AlarmClock } from '../scheduler/alarmClock.js';
import type { NextTicks } from './nextTicks.js';

export type ReconcilerTools = {
  readonly dataSource: DataSource;
  readonly queue: JobQueue;
  readonly clock: AlarmClock;
  readonly signals: Signals;
  readonly nextTicks: NextTicks;
};

/** How long what is merely counted may go without being compared alarm by alarm. */
const compareEachMs = 10 * 60_000;

/**
 * Compares the alarm clock with what PostgreSQL says should ring, and mends it: missing, stale and wrongly timed alarms.
 * Jobs whose time has come need no alarm, only a call to the workers. The function it gives makes one comparison and
 * returns how many alarms were mended. While no plan has changed and as many ticks are set as were after the last
 * comparison they are only counted, for up to ten minutes: to read ten thousand each minute costs more than to keep them.
 */
export function createReconciler(tools: ReconcilerTools): (now: Date) => Promise<number> {
  const { dataSource, queue, clock, signals } = tools;
  let last: { readonly plans: string; readonly ticks: number; readonly atMs: number } | undefined;

  return async (now) => {
    const plans = await versionsOfPlans(dataSource.manager);
    const waiting = await queue.waiting();
    const later = waiting.filter(({ dueAt }) => dueAt > now);
    if (later.length < waiting.length) await signals.send('work');
    const asBefore =
      last !== undefined &&
      later.length === 0 &&
      plans === last.plans &&
      performance.now() - last.atMs < compareEachMs &&
      (await clock.count('PLAN_TICK')) === last.ticks;
    if (asBefore) return 0;

    last = undefined;
    const jobs = later.map(({ jobId, dueAt }): Alarm => ({ kind: 'JOB_DUE', jobId, at: dueAt }));
    const { ticks, mended } = await compareAll(tools, jobs);
    last = { plans, ticks, atMs: performance.now() };
    return mended;
  };
}

async function compareAll(
  { dataSource, clock, nextTicks }: ReconcilerTools,
  jobs: readonly Alarm[],
): Promise<{ readonly ticks: number; readonly mended: number }> {
  // Listed first: what is armed while this runs is then at worst set again, never taken for stale.
  const there = await clock.list();
  const ticks = await nextTicks(dataSource.manager, 'ALL');
  const wanted = new Map<string, Alarm>([...ticks, ...jobs].map((alarm) => [alarmKey(alarm), alarm]));
  const armed = new Map(there.map((alarm) => [alarmKey(alarm), alarm.at.getTime()]));
  const missing = [...wanted].filter(([key, { at }]) => armed.get(key) !== at.getTime()).map(([, alarm]) => alarm);
  const stale = there.filter((alarm) => !wanted.has(alarmKey(alarm)) && alarm.kind === 'PLAN_TICK');
  await clock.setAll(missing);
  await clock.cancelAll(stale.map(alarmKey));
  return { ticks: ticks.length, mended: missing.length + stale.length };
}

/** Differs whenever a plan that runs has changed, come or gone. */
async function versionsOfPlans(manager: EntityManager): Promise<string> {
  const [row] = await manager.query<{ versions: string }[]>(
    `SELECT count(*) || ' ' || coalesce(sum(hashtextextended(id::text, version)), 0) AS versions
     FROM backup_plans WHERE removed_at IS NULL AND NOT paused`,
  );
  return row?.versions ?? '';
}
