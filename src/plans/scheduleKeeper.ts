import type { Logger } from 'pino';
import { In, type DataSource, type EntityManager } from 'typeorm';
import type { Feed, FeedSubscription } from '../eventSourcing/feed.js';
import type { RecordedEvent } from '../eventSourcing/event.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import { alarmKey, type Alarm, type AlarmClock, type PlanTick } from '../scheduler/alarmClock.js';
import { nextTick } from './nextTick.js';
import { handleTick, type TickTools } from './tick.js';
import { BackupPlanTable } from './backupPlanView.js';
import { reconcileAlarms } from './reconcileAlarms.js';

export type ScheduleKeeperOptions = TickTools & {
  readonly dataSource: DataSource;
  readonly feed: Feed;
  readonly clock: AlarmClock;
  readonly signals: Signals;
  readonly log: Logger;
  /** Told how many alarms a round of the reconciler had to mend. */
  readonly onMended?: (count: number) => void;
  /** How often alarms are compared with PostgreSQL; default 60,000. */
  readonly reconcileMs?: number;
};

export interface ScheduleKeeper {
  start(): Promise<void>;
  /** Stops the clock, and waits for what runs. */
  stop(): Promise<void>;
}

/**
 * Keeps the alarm clock in step with the log: the next tick of every active plan, and every job that waits for its
 * time. It follows the feed, so a change is reflected at once, and compares everything at the start and each minute, so
 * that whatever the clock has lost comes back. Any number of processes may keep the same clock.
 */
export function createScheduleKeeper(options: ScheduleKeeperOptions): ScheduleKeeper {
  const { clock, dataSource, feed, log, signals, reconcileMs = 60_000 } = options;
  const dirtyPlans = new Set<string>();
  const dueJobs = new Map<string, Date>();
  let subscription: FeedSubscription | undefined;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> | undefined;
  let reconciling: Promise<void> | undefined;
  let stopped = false;

  function follow(event: RecordedEvent): void {
    if (event.streamType === 'BackupPlan' && event.type !== 'TicksMissed') dirtyPlans.add(event.streamId);
    else {
      const dueAt = dueTimeOf(event);
      if (dueAt === undefined) return;
      dueJobs.set(event.streamId, dueAt);
    }
    wake();
  }

  function wake(): void {
    if (stopped) return;
    working ??= armChanged()
      // The reconciler makes good what could not be armed now.
      .catch((error: unknown) => log.warn({ err: error }, 'An alarm could not be set; it is set within a minute'))
      .finally(() => {
        working = undefined;
      });
  }

  async function armChanged(): Promise<void> {
    while ((dirtyPlans.size > 0 || dueJobs.size > 0) && !stopped) {
      const planIds = [...dirtyPlans];
      const jobs = [...dueJobs].map(([jobId, at]): Alarm => ({ kind: 'JOB_DUE', jobId, at }));
      dirtyPlans.clear();
      dueJobs.clear();
      await armPlans(dataSource.manager, clock, planIds);
      await clock.setAll(jobs);
    }
  }

  async function reconcile(): Promise<void> {
    try {
      const mended = await reconcileAlarms({ ...options, now: options.now() });
      if (mended > 0) log.info({ mended }, 'Alarms were mended');
      options.onMended?.(mended);
    } catch (error) {
      log.warn({ err: error }, 'Alarms could not be compared with the log; it is tried again in a minute');
    }
    if (stopped) return;
    timer = setTimeout(() => {
      reconciling = reconcile();
    }, reconcileMs);
  }

  async function planTick(tick: { planId: string; version: number; scheduledFor: Date }): Promise<void> {
    if (await handleTick(options, tick)) await signals.send('work');
    const next = await nextTick(dataSource.manager, tick.planId, tick.version);
    if (next !== undefined) await clock.set(next);
  }

  return {
    async start() {
      subscription = feed.subscribe(follow);
      await clock.start({ planTick, jobDue: ({ jobId }) => signals.send('work', jobId) });
      reconciling = reconcile();
      await reconciling;
    },
    async stop() {
      stopped = true;
      subscription?.close();
      clearTimeout(timer);
      await Promise.allSettled([working, reconciling]);
      await clock.stop();
    },
  };
}

/** When a job is due because of this event. */
function dueTimeOf(event: RecordedEvent): Date | undefined {
  const data = event.data as { readonly request?: { readonly queuedAt?: string }; readonly retryAt?: string | null };
  switch (event.type) {
    case 'BackupQueued':
    case 'RestoreQueued':
      return data.request?.queuedAt === undefined ? undefined : new Date(data.request.queuedAt);
    case 'BackupAttemptEnded':
    case 'RestoreAttemptEnded':
      return typeof data.retryAt === 'string' ? new Date(data.retryAt) : undefined;
    default:
      return undefined;
  }
}

/** Sets the next tick of plans that changed, and forgets the ticks of their earlier versions. */
async function armPlans(manager: EntityManager, clock: AlarmClock, planIds: readonly string[]): Promise<void> {
  if (planIds.length === 0) return;
  const plans = await manager.findBy(BackupPlanTable, { id: In([...planIds]) });
  const ticks: PlanTick[] = [];
  for (const plan of plans) {
    const tick = await nextTick(manager, plan.id, plan.scheduleVersion);
    if (tick !== undefined) ticks.push(tick);
    const { id: planId, scheduleVersion: version } = plan;
    const stale = tick === undefined ? [version - 1, version] : [version - 1];
    for (const each of stale)
      await clock.cancel(alarmKey({ kind: 'PLAN_TICK', planId, version: each, at: new Date(0) }));
  }
  await clock.setAll(ticks);
}
