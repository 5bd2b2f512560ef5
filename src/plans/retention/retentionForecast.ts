/** Computes when backups will probably be deleted, for lists and previews. Only `decideRetention` decides. */
import { atOnce, type Steps } from '../../steps.js';
import { compareAge, counts, type RetainedBackup } from './retention.js';
import { bucketsOf, endOfAge } from './retentionCalendar.js';
import { gfsLevels, type GfsCounts, type RetentionPolicy } from './retentionPolicy.js';

/** A backup that counts: an existing one, or one of a future run. */
type Counted = { readonly startedAt: Date; readonly verified: boolean; readonly held: boolean };

export type ForecastInput = {
  readonly policy: RetentionPolicy;
  /** All backups of the destination, in any order. */
  readonly backups: readonly RetainedBackup[];
  /** The future runs of the destination that the forecast covers; none for a paused plan. */
  readonly nextRuns: readonly Date[];
  readonly timeZone: string;
};

export type RetentionForecast = {
  /** When retention deletes each existing backup that counts, by id. */
  readonly there: ReadonlyMap<string, Date | null>;
  /** The backups of future runs, in the order of time. */
  readonly toCome: readonly { readonly startedAt: Date; readonly deletedAt: Date | null }[];
};

/**
 * The earliest instant at which retention deletes each backup of a destination if its plan does not change. An instant
 * in the past means that the deletion is due. The forecast assumes that each future run succeeds at its time, and that
 * its backup is verified if the newest counted backup is.
 *
 * Null means that the backup is never deleted (the policy is ALL, or the backup is held), or that the time is unknown
 * because `nextRuns` ends before a newer backup replaces it. A backup that does not count is never deleted. Readers are
 * ignored, because they finish long before. The cost is linear. With GFS and MONTHS each backup and run costs one
 * computation of the calendar (about 1 µs).
 */
export function forecastDeletions(given: ForecastInput): RetentionForecast {
  return atOnce(forecastInSteps(given));
}

/** Like `forecastDeletions`, in steps. */
export function* forecastInSteps(given: ForecastInput): Steps<RetentionForecast> {
  const there = given.backups.filter(counts).toSorted(compareAge);
  const newest = there.at(-1);
  const toCome = given.nextRuns
    .filter((run) => newest === undefined || run > newest.startedAt)
    .toSorted((a, b) => a.getTime() - b.getTime());
  const all: readonly Counted[] = [
    ...there.map(({ startedAt, verified, protectedBy }) => ({
      startedAt,
      verified,
      held: protectedBy.includes('HOLD'),
    })),
    ...toCome.map((startedAt) => ({ startedAt, verified: newest?.verified ?? false, held: false })),
  ];

  yield all.length;
  const endsOfPolicy = yield* policyEnds(given.policy, all, given.timeZone);
  const deletedAt = new Array<Date | null>(all.length).fill(null);
  let nextVerified: Date | null = null;
  for (let index = all.length - 1; index >= 0; index -= 1) {
    const one = all[index];
    if (one === undefined) continue;
    const last = latest([
      endsOfPolicy[index] ?? null,
      all[index + 1]?.startedAt ?? null,
      one.verified ? nextVerified : one.startedAt,
    ]);
    deletedAt[index] = one.held ? null : last;
    if (one.verified) nextVerified = one.startedAt;
    if (index % itemsOfStep === 0) yield itemsOfStep;
  }
  return {
    there: new Map(there.map(({ id }, index) => [id, deletedAt[index] ?? null])),
    toCome: toCome.map((startedAt, index) => ({ startedAt, deletedAt: deletedAt[there.length + index] ?? null })),
  };
}

/** How many backups one step handles. The calendar takes about a microsecond for each. */
const itemsOfStep = 1_000;

/** `map` in steps. */
function* mapped<Item, Result>(
  items: readonly Item[],
  map: (item: Item, index: number) => Result,
): Steps<readonly Result[]> {
  const results: Result[] = [];
  for (const [index, item] of items.entries()) {
    results.push(map(item, index));
    if (index % itemsOfStep === itemsOfStep - 1) yield itemsOfStep;
  }
  return results;
}

/** When the policy no longer keeps each backup, from the oldest to the newest. */
function* policyEnds(
  policy: RetentionPolicy,
  all: readonly Counted[],
  timeZone: string,
): Steps<readonly (Date | null)[]> {
  switch (policy.style) {
    case 'ALL':
      return [];
    case 'FILES':
      return all.map((_one, index) => all[index + policy.period]?.startedAt ?? null);
    case 'GFS':
      return yield* endsOfBuckets(policy.gfs, all, timeZone);
    case 'HOURS':
    case 'DAYS':
    case 'WEEKS':
    case 'MONTHS':
      return yield* mapped(all, ({ startedAt }) => endOfAge(startedAt, policy.style, policy.period, timeZone));
  }
}

/**
 * A level no longer keeps a backup when its bucket has a newer one, or when newer backups fill all buckets of the
 * level.
 */
function* endsOfBuckets(gfs: GfsCounts, all: readonly Counted[], timeZone: string): Steps<readonly (Date | null)[]> {
  const buckets = yield* mapped(all, ({ startedAt }) => bucketsOf(startedAt, timeZone));
  const releases: (readonly (number | undefined)[])[] = [];
  for (const level of gfsLevels.filter((each) => gfs[each] > 0)) {
    const ofLevel = buckets.map((one) => one[level]);
    releases.push(yield* releasesOf(ofLevel, gfs[level]));
  }
  return yield* mapped(all, ({ startedAt }, index) =>
    latest([
      startedAt,
      ...releases.map((release) => {
        const at = release[index];
        return at === undefined ? null : (all[at]?.startedAt ?? null);
      }),
    ]),
  );
}

/** For each bucket: the index of the next equal bucket, or the first index at which `kept` other buckets are filled. */
function* releasesOf(buckets: readonly string[], kept: number): Steps<readonly (number | undefined)[]> {
  const releases: (number | undefined)[] = [];
  // The number of occurrences of each bucket after `index` and before `end`.
  const window = new Map<string, number>();
  let end = 1;
  for (let index = 0; index < buckets.length; index += 1) {
    const own = buckets[index] ?? '';
    while (end < buckets.length && window.size < kept) {
      const added = buckets[end] ?? '';
      window.set(added, (window.get(added) ?? 0) + 1);
      end += 1;
    }
    const filled = window.size === kept ? end - 1 : undefined;
    releases.push(buckets[index + 1] === own ? index + 1 : filled);
    if (index % itemsOfStep === itemsOfStep - 1) yield itemsOfStep;
    const leaving = buckets[index + 1];
    if (leaving === undefined) continue;
    const left = (window.get(leaving) ?? 0) - 1;
    if (left > 0) window.set(leaving, left);
    else window.delete(leaving);
  }
  return releases;
}

/** Null if one of them is null, because an unknown instant is later than all others. */
function latest(instants: readonly (Date | null)[]): Date | null {
  let last: Date | null = null;
  for (const instant of instants) {
    if (instant === null) return null;
    if (last === null || instant > last) last = instant;
  }
  return last;
}
