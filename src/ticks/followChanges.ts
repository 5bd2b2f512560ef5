import type { Logger } from 'pino';
import { In, type DataSource } from 'typeorm';
import type { RecordedEvent } from '../eventSourcing/event.js';
import { attemptEndIn } from '../jobs/attemptedJob.js';
import { BackupPlanTable, type BackupPlanRow } from '../plans/backupPlanView.js';
import { alarmKey, type Alarm, type AlarmClock } from '../scheduler/alarmClock.js';
import type { NextTicks } from './nextTicks.js';

type AlarmTools = { readonly dataSource: DataSource; readonly clock: AlarmClock; readonly nextTicks: NextTicks };

export type ChangeFollower = {
  /** Sets the alarms that the event changes. Returns immediately. */
  follow(event: RecordedEvent): void;
  /** Ends the work and waits for the pending part. */
  stop(): Promise<void>;
};

/** Sets alarms when a plan changes and when a job gets a due time. If this fails, the next comparison repairs it. */
export function followChanges(tools: AlarmTools & { readonly log: Logger }): ChangeFollower {
  const { clock, log } = tools;
  /** The plans that have changed, with the version of their stream before the change. */
  const changedPlans = new Map<string, number>();
  const dueJobs = new Map<string, Date>();
  let working: Promise<void> | undefined;
  let stopped = false;

  function wake(): void {
    if (stopped) return;
    working ??= setAlarms()
      .catch((error: unknown) => log.warn({ err: error }, 'Alarms could not be set; the next comparison sets them.'))
      .finally(() => {
        working = undefined;
        // Changes that arrived after the last pass of the loop.
        if (changedPlans.size > 0 || dueJobs.size > 0) wake();
      });
  }

  async function setAlarms(): Promise<void> {
    while ((changedPlans.size > 0 || dueJobs.size > 0) && !stopped) {
      const plans = new Map(changedPlans);
      const jobs = [...dueJobs].map(([jobId, at]): Alarm => ({ kind: 'JOB_DUE', jobId, at }));
      changedPlans.clear();
      dueJobs.clear();
      await setTicks(tools, plans);
      await clock.setAll(jobs);
    }
  }

  return {
    follow(event) {
      const dueAt = dueTimeOf(event);
      if (event.streamType === 'BackupPlan' && event.type !== 'TicksMissed') {
        if (!changedPlans.has(event.streamId)) changedPlans.set(event.streamId, event.version - 1);
      } else if (dueAt !== undefined) dueJobs.set(event.streamId, dueAt);
      else return;
      wake();
    },
    async stop() {
      stopped = true;
      await working;
    },
  };
}

/** Sets the alarm for the next tick of each changed plan, and cancels the alarms of its earlier versions. */
async function setTicks(
  { dataSource, clock, nextTicks }: AlarmTools,
  changed: ReadonlyMap<string, number>,
): Promise<void> {
  if (changed.size === 0) return;
  const plans = await dataSource.manager.findBy(BackupPlanTable, { id: In([...changed.keys()]) });
  const ticks = await nextTicks(dataSource.manager, [...changed.keys()]);
  const current = new Set(ticks.map(alarmKey));
  const earlier = plans.flatMap((plan) => earlierKeys(plan, changed.get(plan.id) ?? 0));
  await clock.cancelAll(earlier.filter((key) => !current.has(key)));
  await clock.setAll(ticks);
}

/**
 * The time of the alarm that this event needs. A job that is due at once needs none, because its command notifies the
 * workers.
 */
function dueTimeOf(event: RecordedEvent): Date | undefined {
  const { retryAt } = attemptEndIn(event) ?? {};
  return typeof retryAt === 'string' ? new Date(retryAt) : undefined;
}

/**
 * The keys of the alarms that the plan may have had before its change, and the key of its current alarm. Each event
 * increases the version of the schedule by at most one.
 */
function earlierKeys({ id: planId, version, scheduleVersion }: BackupPlanRow, before: number): readonly string[] {
  const first = Math.max(1, scheduleVersion - (version - before));
  const versions = Array.from({ length: scheduleVersion - first + 1 }, (_, index) => first + index);
  return versions.map((each) => alarmKey({ kind: 'PLAN_TICK', planId, version: each }));
}
