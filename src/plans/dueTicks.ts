import { nextRun } from '../scheduler/cron/nextRun.js';
import type { ParsedFrequency } from '../scheduler/cron/parseFrequency.js';
import { previousRun } from '../scheduler/cron/previousRun.js';
import { runsBetween } from '../scheduler/cron/runsBetween.js';

/** A tick that is handled within this time counts as on time, because alarms and busy processes cause a delay. */
export const onTimeMs = 60_000;

/** The most missed ticks that are counted. A count of this many means "at least". */
export const countedAtMost = 100_000;

const hourMs = 3_600_000;

export type DueTicks = {
  /** The tick to run now, or null. */
  readonly run: { readonly at: Date; readonly trigger: 'SCHEDULE' | 'CATCH_UP' } | null;
  /** The ticks that queue no job, or null. */
  readonly missed: TickSpan | null;
};

export type TickSpan = { readonly count: number; readonly from: Date; readonly to: Date };

type Schedule = { readonly frequency: ParsedFrequency; readonly timeZone: string };

/**
 * Computes what one destination must do now. The latest tick runs: as SCHEDULE if it is on time, and otherwise as
 * CATCH_UP if it is younger than the catch-up window. Earlier ticks that are not accounted for are missed, and a latest
 * tick that is too old is missed too.
 */
export function dueTicks(
  given: Schedule & {
    /** Every tick up to this instant was handled, was recorded as missed, or is older than the schedule. */
    readonly accountedUntil: Date;
    readonly now: Date;
    /** Null: the default. */
    readonly catchUpWindowMs: number | null;
  },
): DueTicks {
  const { frequency, timeZone, accountedUntil, now } = given;
  const latest = previousRun(frequency, timeZone, new Date(now.getTime() + 1));
  if (latest === undefined || latest <= accountedUntil) return { run: null, missed: null };

  const lateMs = now.getTime() - latest.getTime();
  const windowMs = given.catchUpWindowMs ?? defaultCatchUpWindowMs(frequency, timeZone, latest);
  const trigger = lateMs <= onTimeMs ? 'SCHEDULE' : lateMs < windowMs ? 'CATCH_UP' : null;
  if (trigger === null) return { run: null, missed: ticksBetween(given, accountedUntil, latest) };
  return {
    run: { at: latest, trigger },
    missed: ticksBetween(given, accountedUntil, new Date(latest.getTime() - 1)),
  };
}

/** The ticks after `after`, up to and including `until`. Null: there are none. */
export function ticksBetween({ frequency, timeZone }: Schedule, after: Date, until: Date): TickSpan | null {
  const ticks = runsBetween(frequency, timeZone, after, until, countedAtMost);
  const [from] = ticks;
  const to = previousRun(frequency, timeZone, new Date(until.getTime() + 1));
  return from === undefined || to === undefined ? null : { count: ticks.length, from, to };
}

/** Half of the time from this tick to the next, but at least an hour. */
export function defaultCatchUpWindowMs(frequency: ParsedFrequency, timeZone: string, tick: Date): number {
  const next = nextRun(frequency, timeZone, tick);
  return next === undefined ? hourMs : Math.max(hourMs, (next.getTime() - tick.getTime()) / 2);
}
