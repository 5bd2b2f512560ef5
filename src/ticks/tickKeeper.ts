import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import type { Feed, FeedSubscription } from '../eventSourcing/feed.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import type { AlarmClock } from '../scheduler/alarmClock.js';
import { onTimeMs } from '../plans/dueTicks.js';
import { followChanges } from './followChanges.js';
import { createNextTicks, type NextTicks } from './nextTicks.js';
import { repeatAfter } from './repeatAfter.js';
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
  return new FeedFollowingKeeper(options);
}

class FeedFollowingKeeper implements TickKeeper {
  readonly #id = randomUUID();
  readonly #reconcileMs: number;
  readonly #nextTicks: NextTicks;
  readonly #compare: ReturnType<typeof createReconciler>;
  readonly #changes: ReturnType<typeof followChanges>;
  readonly #comparisons: ReturnType<typeof repeatAfter>;
  #subscription: FeedSubscription | undefined;
  #unsubscribe: (() => void) | undefined;
  /** The warning is logged at most once between two comparisons, for all plans together. */
  #hasWarnedOfClock = false;

  constructor(private readonly options: TickKeeperOptions) {
    const { log, reconcileMs = 45_000 } = options;
    this.#reconcileMs = reconcileMs;
    this.#nextTicks = createNextTicks((planId, error) =>
      log.error({ err: error, planId }, 'The frequency of a backup plan is not understood, so it does not run.'),
    );
    const tools = { ...options, nextTicks: this.#nextTicks };
    this.#compare = createReconciler(tools);
    this.#changes = followChanges(tools);
    this.#comparisons = repeatAfter(reconcileMs, () => this.#reconcile());
  }

  async start(): Promise<void> {
    const { clock, feed, signals } = this.options;
    await clock.start({
      planTick: (tick) => this.#planTick(tick),
      jobDue: ({ jobId }) => signals.send('work', jobId),
    });
    // The comparison below finds the changes that came before this subscription.
    this.#subscription = feed.subscribe((event) => this.#changes.follow(event));
    this.#unsubscribe = signals.subscribe('compared', (by) => {
      if (by !== this.#id) this.#comparisons.postpone(pauseOfOthers * this.#reconcileMs);
    });
    await this.#comparisons.start();
  }

  async stop(): Promise<void> {
    this.#subscription?.close();
    this.#unsubscribe?.();
    await Promise.allSettled([this.#changes.stop(), this.#comparisons.stop()]);
    await this.options.clock.stop();
  }

  async #reconcile(): Promise<void> {
    const { log, now, onRepaired, signals } = this.options;
    this.#hasWarnedOfClock = false;
    try {
      const repaired = await this.#compare(now());
      await signals.send('compared', this.#id);
      if (repaired > 0) log.info({ repaired }, 'Alarms were repaired.');
      onRepaired?.(repaired);
    } catch (error) {
      log.warn({ err: error }, 'Alarms could not be compared with the plans; the next comparison follows.');
    }
  }

  async #planTick(tick: { planId: string; version: number; scheduledFor: Date }): Promise<void> {
    const { clock, dataSource, now } = this.options;
    const earlyMs = tick.scheduledFor.getTime() - now().getTime();
    if (earlyMs > onTimeMs) {
      this.#warnOfClock(tick.planId, earlyMs);
      return;
    }
    await handleTick(this.options, tick);
    await clock.setAll(await this.#nextTicks(dataSource.manager, [tick.planId]));
  }

  /** An alarm that fires too early does nothing. The next comparison sets it again. */
  #warnOfClock(planId: string, earlyMs: number): void {
    if (this.#hasWarnedOfClock) return;
    this.#hasWarnedOfClock = true;
    this.options.log.warn(
      { planId, earlyMs },
      "The alarms of plans fire before their time, because this machine's clock is ahead of PostgreSQL's clock. Set both clocks, for example by NTP.",
    );
  }
}

/** The other processes wait longer than the process that has just compared, so that only one of them compares. */
const pauseOfOthers = 1.2;
