import type { ParsedFrequency } from '../../scheduler/cron/parseFrequency.js';
import { runsBetween } from '../../scheduler/cron/runsBetween.js';
import { endOfBucket } from './retentionCalendar.js';
import { gfsLevels, type GfsCounts, type GfsLevel, type RetentionPolicy } from './retentionPolicy.js';

/** Runs that are looked ahead at most, for each level of GFS: what goes later than that is not foreseen. */
const mostRuns = 1_000;
const endOfTime = new Date('9999-12-31T00:00:00Z');

/**
 * The runs after `now` that decide when the backups that are there now go, in the order of time: the next one, for FILES
 * as many as are kept, for GFS the first of each bucket that is yet to be filled. Others change nothing for these
 * backups.
 */
export function decisiveRuns(
  policy: RetentionPolicy,
  schedule: { readonly frequency: ParsedFrequency; readonly timeZone: string },
  now: Date,
): readonly Date[] {
  const { frequency, timeZone } = schedule;
  const next = (count: number) => runsBetween(frequency, timeZone, now, endOfTime, count);
  switch (policy.style) {
    case 'ALL':
      return [];
    case 'FILES':
      return next(Math.min(policy.period, mostRuns));
    case 'GFS':
      return firstOfBuckets(policy.gfs, schedule, next(1)[0]);
    default:
      return next(1);
  }
}

function firstOfBuckets(
  gfs: GfsCounts,
  { frequency, timeZone }: { readonly frequency: ParsedFrequency; readonly timeZone: string },
  next: Date | undefined,
): readonly Date[] {
  const times = new Set<number>();
  for (const level of gfsLevels) {
    let run = next;
    for (let bucket = 0; run !== undefined && bucket < Math.min(gfs[level], mostRuns); bucket += 1) {
      times.add(run.getTime());
      run = firstAfter(run, level);
    }
  }
  return [...times].sort((a, b) => a - b).map((time) => new Date(time));

  function firstAfter(run: Date, level: GfsLevel): Date | undefined {
    // Runs lie on whole seconds, and `runsBetween` leaves the first instant out.
    const before = new Date(endOfBucket(run, level, timeZone).getTime() - 1);
    return runsBetween(frequency, timeZone, before, endOfTime, 1)[0];
  }
}
