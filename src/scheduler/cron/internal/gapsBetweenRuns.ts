import type { RunsIn } from './runsIn.js';
import { secondsPerDay } from './wallCalendar.js';

/** Two consecutive runs, in seconds since 1970-01-01T00:00:00Z. */
export type Gap = { readonly first: number; readonly second: number };

export type Gaps = { readonly shortest: Gap; readonly longest: Gap };

/**
 * The shortest and the longest time between two consecutive runs after `from`. It does not compute all runs: it uses the
 * calendar of the next 30 years and the clock changes of the next 5. If these contain fewer than two runs, it uses the next
 * two runs. Undefined if there will never be two runs.
 */
export function gapsBetweenRuns(runs: RunsIn, from: number): Gaps | undefined {
  const gaps = [...byTheCalendar(runs, from), ...byChangesOfTheClock(runs, from)];
  const [first = nextGap(runs, from + 1), ...others] = gaps;
  if (first === undefined) return undefined;
  return {
    shortest: others.reduce((best, gap) => (length(gap) < length(best) ? gap : best), first),
    longest: others.reduce((best, gap) => (length(gap) > length(best) ? gap : best), first),
  };
}

export const length = ({ first, second }: Gap) => second - first;

const daysAhead = 30 * 365 + 8;
/** More than 30 years of a schedule with one run a week. A schedule with more runs shows its gaps sooner. */
const mostDays = 2000;
const secondsOfChanges = 5 * 366 * secondsPerDay;
/** How many equal gaps of the calendar are checked, because the first ones may contain a clock change. */
const samples = 3;

function byTheCalendar(runs: RunsIn, from: number): readonly Gap[] {
  const { calendar, clock } = runs;
  const tomorrow = Math.floor((from + clock.offsetAt(from)) / secondsPerDay) + 1;
  const withinDay = calendar.neighbours();
  const closestDays = new Extreme((a, b) => a < b);
  const widestDays = new Extreme((a, b) => a > b);
  const days = calendar.daysBetween(tomorrow, tomorrow + daysAhead, mostDays);
  for (const [index, day] of days.entries()) {
    const before = days[index - 1];
    if (before === undefined) continue;
    closestDays.see(day - before, before);
    widestDays.see(day - before, before);
  }
  const starts = [...closestDays.where, ...widestDays.where].map((day) => day * secondsPerDay + calendar.lastTime);
  if (withinDay !== undefined)
    for (const day of days.slice(0, samples))
      starts.push(day * secondsPerDay + withinDay.closest.from, day * secondsPerDay + withinDay.widest.from);
  return starts.flatMap((local) => nextGap(runs, local - clock.offsetAt(local - clock.offsetAt(local))) ?? []);
}

/** The runs before, at and after each change of the clock. */
function byChangesOfTheClock(runs: RunsIn, from: number): readonly Gap[] {
  return runs.clock.changesBetween(from, from + secondsOfChanges).flatMap(({ at }) => {
    const before = runs.until(at - 1);
    const across = before === undefined || before <= from ? undefined : nextGap(runs, before);
    const after = nextGap(runs, at);
    return [...(across === undefined ? [] : [across]), ...(after === undefined ? [] : [after])];
  });
}

function nextGap(runs: RunsIn, from: number): Gap | undefined {
  const first = runs.from(from);
  const second = first === undefined ? undefined : runs.from(first + 1);
  return first === undefined || second === undefined ? undefined : { first, second };
}

/** The first few positions of the most extreme value. */
class Extreme {
  private best: number | undefined;
  where: number[] = [];

  constructor(private readonly beats: (a: number, b: number) => boolean) {}

  see(value: number, place: number): void {
    if (this.best === undefined || this.beats(value, this.best)) {
      this.best = value;
      this.where = [place];
    } else if (value === this.best && this.where.length < samples) {
      this.where.push(place);
    }
  }
}
