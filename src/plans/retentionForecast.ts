/** When a backup is expected to go, for the list of backups. A forecast decides nothing: `decideRetention` does. */
import { compareAge, counts, type RetainedBackup } from './retention.js';
import { bucketsOf, endOfAge } from './retentionCalendar.js';
import { gfsLevels, type GfsCounts, type GfsLevel, type RetentionPolicy } from './retentionPolicy.js';

/** A backup, there or to come, that is newer than the one in question. */
type Newer = { readonly startedAt: Date; readonly verified: boolean };

/**
 * The earliest instant at which retention deletes `backup`; in the past when its deletion is due. Runs to come are taken
 * to succeed at their time, and to be verified if the newest counted backup is.
 *
 * null is "never, or not to be foreseen": the policy is ALL, the backup does not count or is held, or `nextRuns` ends
 * before a newer backup takes its place. A reader is no reason: it has finished long before.
 * Cost: with GFS one reckoning of the calendar for each newer backup (about 20 µs), else next to nothing.
 * @param backups all of the destination; whether `backup` is among them makes no difference
 * @param nextRuns the destination's runs to come, as many as the caller wants to look ahead; none for a paused plan
 */
export function expectedDeletionAt(given: {
  readonly policy: RetentionPolicy;
  readonly backup: RetainedBackup;
  readonly backups: readonly RetainedBackup[];
  readonly nextRuns: readonly Date[];
  readonly timeZone: string;
}): Date | null {
  const { policy, backup } = given;
  if (!counts(backup) || backup.protectedBy.includes('HOLD')) return null;
  const newer = newerThan(backup, given.backups, given.nextRuns);
  const released = [
    endOfPolicy(policy, backup, newer, given.timeZone),
    newer[0]?.startedAt ?? null,
    backup.verified ? (newer.find(({ verified }) => verified)?.startedAt ?? null) : backup.startedAt,
  ];
  return latest(released);
}

/** In the order of time. */
function newerThan(
  backup: RetainedBackup,
  backups: readonly RetainedBackup[],
  nextRuns: readonly Date[],
): readonly Newer[] {
  const there = backups.filter((other) => counts(other) && compareAge(other, backup) > 0).toSorted(compareAge);
  const newest = there.at(-1) ?? backup;
  const toCome = nextRuns
    .filter((run) => run > newest.startedAt)
    .toSorted((a, b) => a.getTime() - b.getTime())
    .map((startedAt) => ({ startedAt, verified: newest.verified }));
  return [...there, ...toCome];
}

function endOfPolicy(
  policy: RetentionPolicy,
  backup: RetainedBackup,
  newer: readonly Newer[],
  timeZone: string,
): Date | null {
  switch (policy.style) {
    case 'ALL':
      return null;
    case 'FILES':
      return newer[policy.period - 1]?.startedAt ?? null;
    case 'GFS':
      return endOfBuckets(policy.gfs, backup, newer, timeZone);
    default:
      return endOfAge(backup.startedAt, policy.style, policy.period, timeZone);
  }
}

/** A level lets go when a newer backup falls into the same bucket, or when newer ones fill all the buckets it keeps. */
function endOfBuckets(gfs: GfsCounts, backup: RetainedBackup, newer: readonly Newer[], timeZone: string): Date | null {
  const own = bucketsOf(backup.startedAt, timeZone);
  const holding = new Map<GfsLevel, Set<string>>(
    gfsLevels.filter((level) => gfs[level] > 0).map((level) => [level, new Set()]),
  );
  if (holding.size === 0) return backup.startedAt;
  for (const { startedAt } of newer) {
    const buckets = bucketsOf(startedAt, timeZone);
    for (const [level, taken] of holding) {
      taken.add(buckets[level]);
      if (buckets[level] === own[level] || taken.size === gfs[level]) holding.delete(level);
    }
    if (holding.size === 0) return startedAt;
  }
  return null;
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
