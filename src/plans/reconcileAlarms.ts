import type { DataSource } from 'typeorm';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import { alarmKey, type Alarm, type AlarmClock } from '../scheduler/alarmClock.js';
import type { NextTicks } from './nextTicks.js';

/**
 * Compares the alarm clock with what PostgreSQL says should ring, and mends it: missing, stale and wrongly timed alarms.
 * Jobs whose time has come need no alarm, only a call to the workers. Returns how many alarms were mended.
 */
export async function reconcileAlarms(tools: {
  readonly dataSource: DataSource;
  readonly queue: JobQueue;
  readonly clock: AlarmClock;
  readonly signals: Signals;
  readonly now: Date;
  readonly nextTicks: NextTicks;
}): Promise<number> {
  const { dataSource, queue, clock, signals, now, nextTicks } = tools;
  // Listed first: what is armed while this runs is then at worst set again, never taken for stale.
  const there = await clock.list();
  const wanted = new Map<string, Alarm>();
  for (const tick of await nextTicks(dataSource.manager, 'ALL')) wanted.set(alarmKey(tick), tick);
  const waiting = await queue.waiting();
  for (const { jobId, dueAt } of waiting.filter(({ dueAt }) => dueAt > now)) {
    const alarm: Alarm = { kind: 'JOB_DUE', jobId, at: dueAt };
    wanted.set(alarmKey(alarm), alarm);
  }

  const armed = new Map(there.map((alarm) => [alarmKey(alarm), alarm.at.getTime()]));
  const missing = [...wanted].filter(([key, { at }]) => armed.get(key) !== at.getTime()).map(([, alarm]) => alarm);
  const stale = there.filter((alarm) => !wanted.has(alarmKey(alarm)) && alarm.kind === 'PLAN_TICK');
  await clock.setAll(missing);
  await clock.cancelAll(stale.map(alarmKey));
  if (waiting.some(({ dueAt }) => dueAt <= now)) await signals.send('work');
  return missing.length + stale.length;
}
