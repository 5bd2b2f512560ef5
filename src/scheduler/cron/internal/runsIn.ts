import type { ParsedFrequency } from '../parseFrequency.js';
import { daysOfTheCycle, secondsPerDay, WallCalendar } from './wallCalendar.js';
import { maxOffset, type ZoneClock } from './zoneClock.js';
import { zoneClockOf } from './zoneClockOf.js';

/** The runs of a frequency in a time zone. All times are whole seconds since 1970-01-01T00:00:00Z. */
export type RunsIn = {
  readonly calendar: WallCalendar;
  readonly clock: ZoneClock;
  /** The first run at or after this second. Undefined if there is none. */
  readonly from: (second: number) => number | undefined;
  /** The last run at or before this second. Undefined if there was none in 400 years. */
  readonly until: (second: number) => number | undefined;
};

export function runsIn(frequency: ParsedFrequency, timeZone: string): RunsIn {
  const calendar = new WallCalendar(frequency);
  const clock = zoneClockOf(timeZone);
  const runsOf = frequency.hourRule === 'WALL_CLOCK' ? wallClockRuns : everyInstantRuns;
  return { calendar, clock, ...runsOf(calendar, clock) };
}

/**
 * Each matching local time has one run, at the first instant when the clock shows this time or a later one. So a time
 * that occurs twice runs the first time, and a time in a gap runs at the end of the gap. The order of local times is
 * the order of runs.
 */
function wallClockRuns(calendar: WallCalendar, clock: ZoneClock): Pick<RunsIn, 'from' | 'until'> {
  return {
    from: (second) => whenFirstShown(clock, calendar.next(latestShown(clock, second - 1) + 1)),
    until: (second) => whenFirstShown(clock, calendar.previous(latestShown(clock, second))),
  };
}

/** The latest local time that the clock has shown up to and including this second. */
function latestShown(clock: ZoneClock, second: number): number {
  let stretch = clock.stretchAt(second);
  let latest = second + stretch.offset;
  while (stretch.from > second - 2 * maxOffset) {
    stretch = clock.stretchAt(stretch.from - 1);
    latest = Math.max(latest, stretch.to - 1 + stretch.offset);
  }
  return latest;
}

function whenFirstShown(clock: ZoneClock, local: number | undefined): number | undefined {
  if (local === undefined) return undefined;
  let stretch = clock.stretchAt(local - maxOffset);
  while (stretch.to + stretch.offset <= local) stretch = clock.stretchAt(stretch.to);
  return Math.max(stretch.from, local - stretch.offset);
}

/** There is a run at each instant whose local time matches: no run in a gap, and two runs if an hour occurs twice. */
function everyInstantRuns(calendar: WallCalendar, clock: ZoneClock): Pick<RunsIn, 'from' | 'until'> {
  return {
    from(second) {
      const end = second + daysOfTheCycle * secondsPerDay;
      for (let now = second; now <= end;) {
        const stretch = clock.stretchAt(now);
        const match = calendar.next(now + stretch.offset);
        if (match === undefined) return undefined;
        const localEnd = stretch.to + stretch.offset;
        if (match < localEnd) return match - stretch.offset;
        // Later stretches show only later times than this one. So all stretches before `match` can be skipped.
        const nothingBefore = calendar.next(localEnd - 2 * maxOffset) === match;
        now = nothingBefore ? Math.max(stretch.to, match - maxOffset) : stretch.to;
      }
      return undefined;
    },
    until(second) {
      const end = second - daysOfTheCycle * secondsPerDay;
      for (let now = second; now >= end;) {
        const stretch = clock.stretchAt(now);
        const match = calendar.previous(now + stretch.offset);
        if (match === undefined) return undefined;
        const localStart = stretch.from + stretch.offset;
        if (match >= localStart) return match - stretch.offset;
        const nothingAfter = calendar.previous(localStart + 2 * maxOffset) === match;
        now = nothingAfter ? Math.min(stretch.from - 1, match + maxOffset) : stretch.from - 1;
      }
      return undefined;
    },
  };
}
