import { atOnce, type Steps } from '../../steps.js';
import type { RetainedBackup } from './retention.js';
import { daysFromInSteps } from './retentionCalendar.js';
import { forecastInSteps } from './retentionForecast.js';
import type { RetentionPolicy } from './retentionPolicy.js';

/** The backups of a plan at one of its file endpoints, and its future runs there. */
export type PreviewedDestination = {
  /** All stored backups. */
  readonly backups: readonly SizedBackup[];
  /** The starts of the active runs, and of the future runs within the requested days. */
  readonly runs: readonly Date[];
};

export type SizedBackup = RetainedBackup & { readonly storedSizeBytes: number };

export type RetentionToPreview = {
  readonly policy: RetentionPolicy;
  readonly timeZone: string;
  readonly now: Date;
  readonly days: number;
  readonly destinations: readonly PreviewedDestination[];
  readonly sizeOfOneBytes: number;
};

/**
 * A day of the plan's zone. `kept` and the bytes are the values at the end of the day. `deleted` counts the deletions
 * during the day.
 */
export type RetentionDay = {
  readonly date: string;
  readonly kept: number;
  readonly deleted: number;
  readonly storedSizeBytes: number;
};

/**
 * Computes what retention keeps and deletes on each day from today, for all destinations together, if the plan does not
 * change. It assumes that every run succeeds at its time with `sizeOfOneBytes`, and that nobody holds, releases or
 * deletes a backup. Backups that do not count are kept. Deletions that are due happen today.
 */
export function previewRetention(given: RetentionToPreview): readonly RetentionDay[] {
  return atOnce(previewInSteps(given));
}

/** Like `previewRetention`, in steps. */
export function* previewInSteps(given: RetentionToPreview): Steps<readonly RetentionDay[]> {
  const { policy, timeZone, now } = given;
  const days = yield* daysFromInSteps(now, given.days, timeZone);
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
    const forecast = yield* forecastInSteps({ policy, backups, nextRuns: runs, timeZone });
    for (const backup of backups) {
      kept += 1;
      storedSizeBytes += backup.storedSizeBytes;
      const deletedAt = forecast.there.get(backup.id) ?? null;
      if (deletedAt !== null) change(deletedAt, 'deleted', -backup.storedSizeBytes);
    }
    yield backups.length;
    for (const [index, { startedAt, deletedAt }] of forecast.toCome.entries()) {
      change(startedAt, 'added', given.sizeOfOneBytes);
      if (deletedAt !== null) change(deletedAt, 'deleted', -given.sizeOfOneBytes);
      if (index % 1_000 === 999) yield 1_000;
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
