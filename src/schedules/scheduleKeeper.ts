import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { In, type DataSource } from 'typeorm';
import type { Feed, FeedSubscription } from '../eventSourcing/feed.js';
import type { RecordedEvent } from '../eventSourcing/event.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import { alarmKey, type Alarm, type AlarmClock } from '../scheduler/alarmClock.js';
import { BackupPlanTable, type BackupPlanRow } from '../plans/backupPlanView.js';
import { onTimeMs } from '../plans/dueTicks.js';
import { createNextTicks } from './nextTicks.js';
import { createReconciler } from './reconcileAlarms.js';
import { handleTick, type TickTools } from './tick.js';

export type ScheduleKeeperOptions = TickTools & {
  readonly dataSource: DataSource;
  readonly feed: Feed;
  readonly clock: AlarmClock;
  readonly signals: Signals;
  readonly log: Logger;
  /** Told how many alarms a round of the reconciler had to mend. */
  readonly onMended?: (count: number) => void;
  /** How often alarms are compared with PostgreSQL, by one of the processes that keep the same clock; default 45,000. */
  readonly reconcileMs?: number;
};

export interface ScheduleKeeper {
  /** Starts the clock, and resolves when everything was compared once, or could not be. Once only. */
  start(): Promise<void>;
  /** Stops the clock, and waits for what runs. */
  stop(): Promise<void>;
}

/**
 * Keeps the alarm clock in step with the log: the next tick of every active plan, and every job that waits for its
 * time. It follows the feed, so a change is reflected at once, and compares everything at the start and within each minute,
 * so that whatever the clock has lost comes back. Any number of processes may keep the same clock: whoever has compared
 * tells the others, and they wait for their turn.
 */
export function createScheduleKeeper(options: ScheduleKeeperOptions): ScheduleKeeper {
  const { clock, dataSource, feed, log, signals, reconcileMs = 45_000 } = options;
  const keeperId = randomUUID();
  const nextTicks = createNextTicks((planId, error) =>
    log.error({ err: error, planId }, 'The frequency of a backup plan is not understood, so it does not run.'),
  );
  const compare = createReconciler({ ...options, nextTicks });
  /** Plans that have changed, with the version that their stream had before. */
  const changedPlans = new Map<string, number>();
  const dueJobs = new Map<string, Date>();
  let subscription: FeedSubscription | undefined;
  let unsubscribe: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> | undefined;
  let reconciling: Promise<void> | undefined;
  let stopped = false;
  /** Once for each comparison, however many plans there are. */
  let hasToldOfClock = false;

  function follow(event: RecordedEvent): void {
    if (event.streamType === 'BackupPlan' && event.type !== 'TicksMissed') {
      if (!changedPlans.has(event.streamId)) changedPlans.set(event.streamId, event.version - 1);
      wake();
      return;
    }
    const dueAt = dueTimeOf(event);
    if (dueAt === undefined) return;
    dueJobs.set(event.streamId, dueAt);
    wake();
  }

  function wake(): void {
    if (stopped) return;
    working ??= armChanged()
      // The reconciler makes good what could not be armed now.
      .catch((error: unknown) => log.warn({ err: error }, 'Alarms could not be set; the next comparison sets them.'))
      .finally(() => {
        working = undefined;
        // What came after the last look.
        if (changedPlans.size > 0 || dueJobs.size > 0) wake();
      });
  }

  async function armChanged(): Promise<void> {
    while ((changedPlans.size > 0 || dueJobs.size > 0) && !stopped) {
      const plans = new Map(changedPlans);
      const jobs = [...dueJobs].map(([jobId, at]): Alarm => ({ kind: 'JOB_DUE', jobId, at }));
      changedPlans.clear();
      dueJobs.clear();
      await armPlans(plans);
      await clock.setAll(jobs);
    }
  }

  /** Sets the next tick of plans that changed, and forgets the ticks of their earlier versions. */
  async function armPlans(changed: ReadonlyMap<string, number>): Promise<void> {
    if (changed.size === 0) return;
    const plans = await dataSource.manager.findBy(BackupPlanTable, { id: In([...changed.keys()]) });
    const ticks = await nextTicks(dataSource.manager, [...changed.keys()]);
    const armed = new Set(ticks.map(alarmKey));
    const earlier = plans.flatMap((plan) => earlierKeys(plan, changed.get(plan.id) ?? 0));
    await clock.cancelAll(earlier.filter((key) => !armed.has(key)));
    await clock.setAll(ticks);
  }

  async function reconcile(): Promise<void> {
    reconcileIn(reconcileMs);
    hasToldOfClock = false;
    try {
      const mended = await compare(options.now());
      await signals.send('compared', keeperId);
      if (mended > 0) log.info({ mended }, 'Alarms were mended.');
      options.onMended?.(mended);
    } catch (error) {
      log.warn({ err: error }, 'Alarms could not be compared with the plans; it is tried again soon.');
    }
  }

  function reconcileIn(ms: number): void {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => {
      // A round that takes longer than its turn is long is the next one too.
      if (reconciling === undefined) begin();
      else reconcileIn(ms);
    }, ms);
  }

  function begin(): void {
    reconciling = reconcile().finally(() => (reconciling = undefined));
  }

  async function planTick(tick: { planId: string; version: number; scheduledFor: Date }): Promise<void> {
    const earlyMs = tick.scheduledFor.getTime() - options.now().getTime();
    if (earlyMs > onTimeMs) {
      tellOfClock(tick.planId, earlyMs);
      return;
    }
    await handleTick(options, tick);
    await clock.setAll(await nextTicks(dataSource.manager, [tick.planId]));
  }

  /** The alarm has rung in vain: the next comparison sets it again, until it is its time. */
  function tellOfClock(planId: string, earlyMs: number): void {
    if (hasToldOfClock) return;
    hasToldOfClock = true;
    log.warn(
      { planId, earlyMs },
      "The alarms of plans ring before their time: this machine's clock is ahead of PostgreSQL's. Set both clocks, best by NTP.",
    );
  }

  return {
    async start() {
      await clock.start({ planTick, jobDue: ({ jobId }) => signals.send('work', jobId) });
      // What changed before is found by the comparison, which comes after.
      subscription = feed.subscribe(follow);
      unsubscribe = signals.subscribe('compared', (by) => {
        if (by !== keeperId) reconcileIn(othersTurn * reconcileMs);
      });
      begin();
      await reconciling;
    },
    async stop() {
      stopped = true;
      subscription?.close();
      unsubscribe?.();
      clearTimeout(timer);
      await Promise.allSettled([working, reconciling]);
      await clock.stop();
    },
  };
}

/** How much longer the others wait than the one who compares, so that they do not compare at the same time. */
const othersTurn = 1.2;

/** When an alarm is to ring because of this event. A job that is due at once needs none: whoever queues it calls the workers. */
function dueTimeOf(event: RecordedEvent): Date | undefined {
  const data = event.data as { readonly retryAt?: string | null };
  switch (event.type) {
    case 'BackupAttemptEnded':
    case 'RestoreAttemptEnded':
      return typeof data.retryAt === 'string' ? new Date(data.retryAt) : undefined;
    default:
      return undefined;
  }
}

/**
 * The alarms that the plan may have had before it changed, and those of its present version: the version of the schedule
 * rises by at most one with each event.
 */
function earlierKeys({ id: planId, version, scheduleVersion }: BackupPlanRow, before: number): readonly string[] {
  const first = Math.max(1, scheduleVersion - (version - before));
  const versions = Array.from({ length: scheduleVersion - first + 1 }, (_, index) => first + index);
  return versions.map((each) => alarmKey({ kind: 'PLAN_TICK', planId, version: each }));
}
