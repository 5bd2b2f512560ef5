import { badInput } from '../../errors.js';
import { parseFrequency } from '../../scheduler/cron/parseFrequency.js';
import { previousRun } from '../../scheduler/cron/previousRun.js';
import { runsBetween } from '../../scheduler/cron/runsBetween.js';

export type StatsBucket = 'HOUR' | 'DAY' | 'WEEK' | 'MONTH';

/** The most buckets of one result. A screen cannot show more. */
export const mostBuckets = 2_000;

/** When each bucket begins. A day lasts from midnight to midnight on the clocks of the zone: 23, 24 or 25 hours. */
const beginnings: Readonly<Record<StatsBucket, string>> = {
  HOUR: '0 0 * * * *',
  DAY: '0 0 0 * * *',
  WEEK: '0 0 0 * * MON',
  MONTH: '0 0 0 1 * *',
};

/**
 * Returns the beginnings of all buckets that share an instant with the time from `from` (inclusive) to `until`
 * (exclusive), in order. Buckets follow the calendar of the zone, and weeks begin on Monday. An hour that the clocks
 * show twice is two buckets. Throws BAD_INPUT for more than `mostBuckets`.
 */
export function statsBuckets(bucket: StatsBucket, timeZone: string, from: Date, until: Date): readonly Date[] {
  if (from >= until) return [];
  const beginning = parseFrequency(beginnings[bucket]);
  // `previousRun` returns a run strictly before the given time, to the second.
  const first = previousRun(beginning, timeZone, new Date(from.getTime() + 1)) ?? from;
  const others = runsBetween(beginning, timeZone, first, new Date(until.getTime() - 1), mostBuckets);
  if (others.length === mostBuckets) throw tooMany(bucket);
  return [first, ...others];
}

function tooMany(bucket: StatsBucket) {
  const hint = 'Narrow it by filter.queuedFrom and filter.queuedBefore, or take larger buckets.';
  return badInput([
    { path: 'bucket', problem: `${bucket} divides this time into more than ${mostBuckets} buckets`, hint },
  ]);
}
