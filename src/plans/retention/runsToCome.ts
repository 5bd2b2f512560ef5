import type { ParsedFrequency } from '../../scheduler/cron/parseFrequency.js';
import { runsBetween } from '../../scheduler/cron/runsBetween.js';
import { endOfBucket } from './retentionCalendar.js';
import { gfsLevels, type GfsCounts, type GfsLevel, type RetentionPolicy } from './retentionPolicy.js';

/** The most future runs that are computed, for each level of GFS. Later deletions are unknown. */
const mostRuns = 1_000;
const endOfTime = new Date('9999-12-31T00:00:00Z');

/**
 * The runs after `now` that decide when the existing backups are deleted, in the order of time. For FILES these are as
 * many runs as backups are kept. For GFS they are the first run of each future bucket. For the other styles it is the
 * next run. Other runs do not affect the existing backups.
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
    case 'HOURS':
    case 'DAYS':
    case 'WEEKS':
    case 'MONTHS':
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
    // Runs are at whole seconds, and `runsBetween` excludes the first instant.
    const before = new Date(endOfBucket(run, level, timeZone).getTime() - 1);
    return runsBetween(frequency, timeZone, before, endOfTime, 1)[0];
  }
}
