import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import type { Feed, FeedSubscription } from '../eventSourcing/feed.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import type { AlarmClock } from '../scheduler/alarmClock.js';
import { onTimeMs } from '../plans/dueTicks.js';
import { followChanges } from './followChanges.js';
import { createNextTicks } from './nextTicks.js';
import { createReconciler } from './reconcileAlarms.js';
import { handleTick, type TickTools } from './handleTick.js';

export type TickKeeperOptions = TickTools & {
  readonly dataSource: DataSource;
  readonly feed: Feed;
  readonly clock: AlarmClock;
  readonly signals: Signals;
  readonly log: Logger;
  /** Called after each comparison, with the number of alarms that it repaired. */
  readonly onRepaired?: (count: number) => void;
  /** The pause between two comparisons. One process at a time compares a shared clock. Default 45,000. */
  readonly reconcileMs?: number;
};

export interface TickKeeper {
  /** Starts the clock. Resolves after the first comparison, also if the comparison failed. Call it only once. */
  start(): Promise<void>;
  /** Stops the clock and waits for pending work. */
  stop(): Promise<void>;
}

/**
 * Keeps the alarm clock consistent with the log. It sets an alarm for the next tick of every active plan and for every
 * job that waits for its time. It follows the feed, so it sets alarms as soon as something changes. At the start and
 * every minute it compares all alarms with PostgreSQL, so that lost ones are set again. Any number of processes may
 * share one clock. A process that has compared notifies the others, and they postpone their next comparison.
 */
export function createTickKeeper(options: TickKeeperOptions): TickKeeper {
  const { clock, dataSource, feed, log, signals, reconcileMs = 45_000 } = options;
  const keeperId = randomUUID();
  const nextTicks = createNextTicks((planId, error) =>
    log.error({ err: error, planId }, 'The frequency of a backup plan is not understood, so it does not run.'),
  );
  const compare = createReconciler({ ...options, nextTicks });
  const changes = followChanges({ dataSource, clock, nextTicks, log });
  let subscription: FeedSubscription | undefined;
  let unsubscribe: (() => void) | undefined;
  const comparisons = repeatAfter(reconcileMs, reconcile);
  /** The warning is logged at most once between two comparisons, for all plans together. */
  let hasWarnedOfClock = false;

  async function reconcile(): Promise<void> {
    hasWarnedOfClock = false;
    try {
      const repaired = await compare(options.now());
      await signals.send('compared', keeperId);
      if (repaired > 0) log.info({ repaired }, 'Alarms were repaired.');
      options.onRepaired?.(repaired);
    } catch (error) {
      log.warn({ err: error }, 'Alarms could not be compared with the plans; the next comparison follows.');
    }
  }

  async function planTick(tick: { planId: string; version: number; scheduledFor: Date }): Promise<void> {
    const earlyMs = tick.scheduledFor.getTime() - options.now().getTime();
    if (earlyMs > onTimeMs) {
      warnOfClock(tick.planId, earlyMs);
      return;
    }
    await handleTick(options, tick);
    await clock.setAll(await nextTicks(dataSource.manager, [tick.planId]));
  }

  /** An alarm that fires too early does nothing. The next comparison sets it again. */
  function warnOfClock(planId: string, earlyMs: number): void {
    if (hasWarnedOfClock) return;
    hasWarnedOfClock = true;
    log.warn(
      { planId, earlyMs },
      "The alarms of plans fire before their time, because this machine's clock is ahead of PostgreSQL's clock. Set both clocks, for example by NTP.",
    );
  }

  return {
    async start() {
      await clock.start({ planTick, jobDue: ({ jobId }) => signals.send('work', jobId) });
      // The comparison below finds the changes that came before this subscription.
      subscription = feed.subscribe((event) => changes.follow(event));
      unsubscribe = signals.subscribe('compared', (by) => {
        if (by !== keeperId) comparisons.postpone(pauseOfOthers * reconcileMs);
      });
      await comparisons.start();
    },
    async stop() {
      subscription?.close();
      unsubscribe?.();
      await Promise.allSettled([changes.stop(), comparisons.stop()]);
      await clock.stop();
    },
  };
}

/** The other processes wait longer than the process that has just compared, so that only one of them compares. */
const pauseOfOthers = 1.2;

/** Runs `round` at the start, and again `ms` after the beginning of each round. Rounds never overlap. `round` must not throw. */
function repeatAfter(ms: number, round: () => Promise<void>) {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let stopped = false;

  function begin(): Promise<void> {
    postpone(ms);
    return (running = round().finally(() => (running = undefined)));
  }

  /** The next round begins after this time. */
  function postpone(pauseMs: number): void {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => {
      // If a round is still running, it counts as this round.
      if (running === undefined) void begin();
      else postpone(pauseMs);
    }, pauseMs);
  }

  return {
    start: begin,
    postpone,
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
