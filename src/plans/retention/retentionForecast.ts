/** When backups are expected to go, for lists and previews. A forecast decides nothing: `decideRetention` does. */
import { compareAge, counts, type RetainedBackup } from './retention.js';
import { bucketsOf, endOfAge } from './retentionCalendar.js';
import { gfsLevels, type GfsCounts, type RetentionPolicy } from './retentionPolicy.js';

/** A backup that counts, there or to come. */
type Counted = { readonly startedAt: Date; readonly verified: boolean; readonly held: boolean };

export type RetentionForecast = {
  /** By id, for those that count: when retention deletes them. */
  readonly there: ReadonlyMap<string, Date | null>;
  /** In the order of time. */
  readonly toCome: readonly { readonly startedAt: Date; readonly deletedAt: Date | null }[];
};

/**
 * The earliest instant at which retention deletes each backup of a destination if its plan goes on as it is: in the past
 * when the deletion is due. Runs to come are taken to succeed at their time, and to be verified if the newest counted
 * backup is.
 *
 * null is "never, or not to be foreseen": the policy is ALL, the backup is held, or `nextRuns` ends before a newer backup
 * takes its place. What does not count is never deleted. A reader is no reason: it has finished long before.
 * Cost: linear; with GFS and MONTHS one reckoning of the calendar for each backup and run (about 1 µs).
 * @param backups all of the destination, in any order
 * @param nextRuns the destination's runs to come, as many as the caller wants to look ahead; none for a paused plan
 */
export function forecastDeletions(given: {
  readonly policy: RetentionPolicy;
  readonly backups: readonly RetainedBackup[];
  readonly nextRuns: readonly Date[];
  readonly timeZone: string;
}): RetentionForecast {
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

  const endsOfPolicy = policyEnds(given.policy, all, given.timeZone);
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
  }
  return {
    there: new Map(there.map(({ id }, index) => [id, deletedAt[index] ?? null])),
    toCome: toCome.map((startedAt, index) => ({ startedAt, deletedAt: deletedAt[there.length + index] ?? null })),
  };
}

/** For each, from the oldest to the newest, when the policy lets go of it. */
function policyEnds(policy: RetentionPolicy, all: readonly Counted[], timeZone: string): readonly (Date | null)[] {
  switch (policy.style) {
    case 'ALL':
      return [];
    case 'FILES':
      return all.map((_one, index) => all[index + policy.period]?.startedAt ?? null);
    case 'GFS':
      return endsOfBuckets(policy.gfs, all, timeZone);
    default:
      return all.map(({ startedAt }) => endOfAge(startedAt, policy.style, policy.period, timeZone));
  }
}

/** A level lets go when a newer backup falls into the same bucket, or when newer ones fill all the buckets it keeps. */
function endsOfBuckets(gfs: GfsCounts, all: readonly Counted[], timeZone: string): readonly (Date | null)[] {
  const buckets = all.map(({ startedAt }) => bucketsOf(startedAt, timeZone));
  const levels = gfsLevels.filter((level) => gfs[level] > 0);
  const releases = levels.map((level) =>
    releasesOf(
      buckets.map((one) => one[level]),
      gfs[level],
    ),
  );
  return all.map(({ startedAt }, index) =>
    latest([
      startedAt,
      ...releases.map((release) => {
        const at = release[index];
        return at === undefined ? null : (all[at]?.startedAt ?? null);
      }),
    ]),
  );
}

/** For each bucket of a level, the place of the first newer one that is the same, or with which `kept` others are there. */
function releasesOf(buckets: readonly string[], kept: number): readonly (number | undefined)[] {
  const releases: (number | undefined)[] = [];
  // Those after `index` and before `end`, by how often they occur.
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
    const leaving = buckets[index + 1];
    if (leaving === undefined) continue;
    const left = (window.get(leaving) ?? 0) - 1;
    if (left > 0) window.set(leaving, left);
    else window.delete(leaving);
  }
  return releases;
}

/** null when one of them is: what is not to be foreseen comes last. */
function latest(instants: readonly (Date | null)[]): Date | null {
  let last: Date | null = null;
  for (const instant of instants) {
    if (instant === null) return null;
    if (last === null || instant > last) last = instant;
  }
  return last;
}
