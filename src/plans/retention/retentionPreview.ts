import type { RetainedBackup } from './retention.js';
import { daysFrom } from './retentionCalendar.js';
import { forecastDeletions } from './retentionForecast.js';
import type { RetentionPolicy } from './retentionPolicy.js';

/** The backups of a plan at one of its file endpoints, and its future runs there. */
export type PreviewedDestination = {
  /** All stored backups. */
  readonly backups: readonly SizedBackup[];
  /** The starts of the active runs, and of the future runs within the requested days. */
  readonly runs: readonly Date[];
};

export type SizedBackup = RetainedBackup & { readonly storedSizeBytes: number };

/** A day of the plan's zone. `kept` and the bytes are those at its end. `deleted` counts the deletions during it. */
export type RetentionDay = {
  readonly date: string;
  readonly kept: number;
  readonly deleted: number;
  readonly storedSizeBytes: number;
};

/**
 * What retention keeps and deletes on each day from today, for all destinations together, if the plan does not change.
 * It assumes that every run succeeds at its time with `sizeOfOneBytes`, and that nobody holds, releases or deletes a
 * backup. Backups that do not count are kept. Deletions that are due happen today.
 */
export function previewRetention(given: {
  readonly policy: RetentionPolicy;
  readonly timeZone: string;
  readonly now: Date;
  readonly days: number;
  readonly destinations: readonly PreviewedDestination[];
  readonly sizeOfOneBytes: number;
}): readonly RetentionDay[] {
  const { policy, timeZone, now } = given;
  const days = daysFrom(now, given.days, timeZone);
  const changes = days.map(() => ({ added: 0, deleted: 0, sizeBytes: 0 }));
  const dayOf = dayFinder(days.map(({ end }) => end.getTime()));
  const change = (at: Date, by: 'added' | 'deleted', sizeBytes: number) => {
    const day = changes[dayOf(Math.max(at.getTime(), now.getTime()))];
    if (day === undefined) return;
    day[by] += 1;
    day.sizeBytes += sizeBytes;
  };

  let kept = 0;
  let storedSizeBytes = 0;
  for (const { backups, runs } of given.destinations) {
    const forecast = forecastDeletions({ policy, backups, nextRuns: runs, timeZone });
    for (const backup of backups) {
      kept += 1;
      storedSizeBytes += backup.storedSizeBytes;
      const deletedAt = forecast.there.get(backup.id) ?? null;
      if (deletedAt !== null) change(deletedAt, 'deleted', -backup.storedSizeBytes);
    }
    for (const { startedAt, deletedAt } of forecast.toCome) {
      change(startedAt, 'added', given.sizeOfOneBytes);
      if (deletedAt !== null) change(deletedAt, 'deleted', -given.sizeOfOneBytes);
    }
  }

  return days.map(({ date }, index) => {
    const { added, deleted, sizeBytes } = changes[index] ?? { added: 0, deleted: 0, sizeBytes: 0 };
    kept += added - deleted;
    storedSizeBytes += sizeBytes;
    return { date, kept, deleted, storedSizeBytes };
  });
}

/**
 * The index of the day of an instant, given the ends of the days. For an instant after the last day it is the number of
 * days.
 */
function dayFinder(ends: readonly number[]): (time: number) => number {
  return (time) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] ?? Infinity) > time) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
