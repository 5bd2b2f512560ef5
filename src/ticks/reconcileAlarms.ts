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

/** After this time the alarms are compared one by one, even if their number has not changed. */
const compareEachMs = 10 * 60_000;

/**
 * Compares the alarm clock with PostgreSQL and repairs missing, stale and wrongly timed alarms. A due job needs no
 * alarm, because the workers are notified instead. Each call of the returned function makes one comparison and returns
 * the number of repaired alarms. If no plan has changed and the number of alarms of plans is the same as at the last
 * comparison, the alarms are only counted, for up to ten minutes. Otherwise reading ten thousand alarms each minute
 * would cost more than setting them.
 */
export function createReconciler(tools: ReconcilerTools): (now: Date) => Promise<number> {
  const { dataSource, queue, clock, signals } = tools;
  let last: { readonly plans: string; readonly ticks: number; readonly atMs: number } | undefined;

  return async (now) => {
    const plans = await versionsOfPlans(dataSource.manager);
    const waiting = await queue.waiting();
    const later = waiting.filter(({ dueAt }) => dueAt > now);
    if (later.length < waiting.length) await signals.send('work');
    const isUnchanged =
      last !== undefined &&
      later.length === 0 &&
      plans === last.plans &&
      performance.now() - last.atMs < compareEachMs &&
      (await clock.count('PLAN_TICK')) === last.ticks;
    if (isUnchanged) return 0;

    last = undefined;
    const jobs = later.map(({ jobId, dueAt }): Alarm => ({ kind: 'JOB_DUE', jobId, at: dueAt }));
    const { ticks, repaired } = await compareAll(tools, jobs);
    last = { plans, ticks, atMs: performance.now() };
    return repaired;
  };
}

async function compareAll(
  { dataSource, clock, nextTicks }: ReconcilerTools,
  jobs: readonly Alarm[],
): Promise<{ readonly ticks: number; readonly repaired: number }> {
  // The list is read first. So an alarm that is set during the comparison is never considered stale. At worst it is set
  // again.
  const there = await clock.list();
  const ticks = await nextTicks(dataSource.manager, 'ALL');
  const wanted = new Map<string, Alarm>([...ticks, ...jobs].map((alarm) => [alarmKey(alarm), alarm]));
  const armed = new Map(there.map((alarm) => [alarmKey(alarm), alarm.at.getTime()]));
  const missing = [...wanted].filter(([key, { at }]) => armed.get(key) !== at.getTime()).map(([, alarm]) => alarm);
  const stale = there.filter((alarm) => !wanted.has(alarmKey(alarm)) && alarm.kind === 'PLAN_TICK');
  await clock.setAll(missing);
  await clock.cancelAll(stale.map(alarmKey));
  return { ticks: ticks.length, repaired: missing.length + stale.length };
}

/** A text that differs after each change of the active plans. */
async function versionsOfPlans(manager: EntityManager): Promise<string> {
  const [row] = await manager.query<{ versions: string }[]>(
    `SELECT count(*) || ' ' || coalesce(sum(hashtextextended(id::text, version)), 0) AS versions
     FROM backup_plans WHERE removed_at IS NULL AND NOT paused`,
  );
  return row?.versions ?? '';
}
