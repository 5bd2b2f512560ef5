import { nextRun } from '../scheduler/cron/nextRun.js';
import type { ParsedFrequency } from '../scheduler/cron/parseFrequency.js';
import { previousRun } from '../scheduler/cron/previousRun.js';
import { runsBetween } from '../scheduler/cron/runsBetween.js';

/** A tick that is handled this late is still on time: an alarm and a busy process need a moment. */
export const onTimeMs = 60_000;

const hourMs = 3_600_000;
/** More missed ticks than this are not counted one by one: the event says "at least". */
const countedAtMost = 100_000;

export type DueTicks = {
  /** The tick to run now, or null. */
  readonly run: { readonly at: Date; readonly trigger: 'SCHEDULE' | 'CATCH_UP' } | null;
  /** The ticks that nothing is done for, or null. */
  readonly missed: { readonly count: number; readonly from: Date; readonly to: Date } | null;
};

/**
 * What is to be done for one destination now. The latest tick runs: on time as SCHEDULE, later as CATCH_UP if it is
 * younger than the catch-up window. All earlier ticks that are not accounted for, and the latest if it is too old, are
 * missed.
 */
export function dueTicks(given: {
  readonly frequency: ParsedFrequency;
  readonly timeZone: string;
  /** Up to and including here every tick was handled, recorded as missed, or is before the schedule began. */
  readonly accountedUntil: Date;
  readonly now: Date;
  /** Null: half the interval, at least an hour. */
  readonly catchUpWindowMs: number | null;
}): DueTicks {
  const { frequency, timeZone, accountedUntil, now } = given;
  const latest = previousRun(frequency, timeZone, new Date(now.getTime() + 1));
  if (latest === undefined || latest <= accountedUntil) return { run: null, missed: null };

  const lateMs = now.getTime() - latest.getTime();
  const windowMs = given.catchUpWindowMs ?? defaultCatchUpWindowMs(frequency, timeZone, latest);
  const trigger = lateMs <= onTimeMs ? 'SCHEDULE' : lateMs < windowMs ? 'CATCH_UP' : null;
  const run: DueTicks['run'] = trigger === null ? null : { at: latest, trigger };

  const skipped = runsBetween(frequency, timeZone, accountedUntil, latest, countedAtMost);
  const missed = run === null ? skipped : skipped.filter((tick) => tick < latest);
  const [from] = missed;
  if (from === undefined) return { run, missed: null };
  const to = missed.length < countedAtMost ? missed.at(-1) : previousOf(given, run === null ? now : latest);
  return { run, missed: { count: missed.length, from, to: to ?? from } };
}

/** Half of the time from this tick to the next, at least an hour. */
export function defaultCatchUpWindowMs(frequency: ParsedFrequency, timeZone: string, tick: Date): number {
  const next = nextRun(frequency, timeZone, tick);
  return next === undefined ? hourMs : Math.max(hourMs, (next.getTime() - tick.getTime()) / 2);
}

function previousOf({ frequency, timeZone }: { frequency: ParsedFrequency; timeZone: string }, before: Date) {
  return previousRun(frequency, timeZone, before);
}
