/**
 * Which backups of one destination stay and which go. Nothing here deletes: the answer is a decision, made under the
 * destination's lock and recorded as events before a byte is touched.
 */
import { StowageError } from '../../errors.js';
import { bucketsOf, endOfAge } from './retentionCalendar.js';
import { gfsLevels, type GfsCounts, type GfsLevel, type RetentionPolicy } from './retentionPolicy.js';

export type Trigger = 'SCHEDULE' | 'CATCH_UP' | 'MANUAL' | 'RETRY' | 'SAFETY';

/** A backup as retention sees it. */
export type RetainedBackup = {
  readonly id: string;
  /** Start of the attempt that succeeded; age counts from here. */
  readonly startedAt: Date;
  readonly trigger: Trigger;
  /** SUCCEEDED, STORED without doubt, and of a trigger for which `isCounted` holds. */
  readonly counted: boolean;
  readonly verified: boolean;
  /** HOLD: a person or a restore's undo holds it. READER: a restore, copy or verification is reading it. */
  readonly protectedBy: readonly ('HOLD' | 'READER')[];
};

/** Why a backup stays. POLICY comes first: the others name what alone stands between the backup and its deletion. */
export type KeepReason = 'NOT_COUNTED' | 'POLICY' | 'NEWEST' | 'NEWEST_VERIFIED' | 'HOLD' | 'READER';

export type RetentionDecision = {
  /** Newest first. */
  readonly keep: readonly { readonly id: string; readonly reason: KeepReason }[];
  /** Ids, oldest first. */
  readonly delete: readonly string[];
};

/**
 * Whether a backup that is SUCCEEDED and STORED counts: made by the schedule, or the retry of one that was.
 * @param firstTrigger for a RETRY the trigger of the job at the beginning of its chain of retries, else null
 */
export function isCounted(trigger: Trigger, firstTrigger: Exclude<Trigger, 'RETRY'> | null): boolean {
  const origin = trigger === 'RETRY' ? firstTrigger : trigger;
  return origin === 'SCHEDULE' || origin === 'CATCH_UP';
}

/**
 * Decides over all backups of one destination. Backups that do not count neither go nor push another one out.
 * Whatever the policy says, the newest counted, the newest counted verified, held and read ones stay.
 * Of two that started at the same instant the one with the greater id is the newer.
 * @param timeZone the plan's zone, an IANA name that has been checked
 * @throws INTERNAL, deciding nothing, when an id occurs twice or a time is not a time
 */
export function decideRetention(given: {
  readonly policy: RetentionPolicy;
  readonly backups: readonly RetainedBackup[];
  readonly now: Date;
  readonly timeZone: string;
}): RetentionDecision {
  assertDecidable(given.backups, given.now);
  const newestFirst = given.backups.toSorted((a, b) => compareAge(b, a));
  const keptByPolicy = policyKeeps(given.policy, newestFirst.filter(counts), given.now, given.timeZone);
  const newest = newestFirst.find(counts);
  const newestVerified = newestFirst.find(countsAndIsVerified);

  const reasonToKeep = (backup: RetainedBackup): KeepReason | null => {
    if (!counts(backup)) return 'NOT_COUNTED';
    if (keptByPolicy.has(backup)) return 'POLICY';
    if (backup === newest) return 'NEWEST';
    if (backup === newestVerified) return 'NEWEST_VERIFIED';
    return backup.protectedBy.find((protection) => protection === 'HOLD') ?? backup.protectedBy[0] ?? null;
  };

  const keep: { id: string; reason: KeepReason }[] = [];
  const gone: string[] = [];
  for (const backup of newestFirst) {
    const reason = reasonToKeep(backup);
    if (reason === null) gone.push(backup.id);
    else keep.push({ id: backup.id, reason });
  }
  return { keep, delete: gone.reverse() };
}

/**
 * The backups that a deletion leaves the destination to live on: the newest counted one and, where that is another, the
 * newest counted verified one. Look at each in the container (HEAD) first; if one is not there, delete nothing.
 */
export function survivors(backups: readonly RetainedBackup[]): readonly RetainedBackup[] {
  assertDecidable(backups);
  const newestFirst = backups.toSorted((a, b) => compareAge(b, a));
  const both = [newestFirst.find(counts), newestFirst.find(countsAndIsVerified)];
  return [...new Set(both)].filter((backup) => backup !== undefined);
}

/** Those made by hand never count, even if a caller takes them for counted: a deletion cannot be taken back. */
export function counts(backup: RetainedBackup): boolean {
  return backup.counted && backup.trigger !== 'MANUAL' && backup.trigger !== 'SAFETY';
}

/** Older first; the ids decide between equal starts, by their code units. */
export function compareAge(a: RetainedBackup, b: RetainedBackup): number {
  const difference = a.startedAt.getTime() - b.startedAt.getTime();
  if (difference !== 0) return difference;
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}

function countsAndIsVerified(backup: RetainedBackup): boolean {
  return counts(backup) && backup.verified;
}

function policyKeeps(
  policy: RetentionPolicy,
  newestFirst: readonly RetainedBackup[],
  now: Date,
  timeZone: string,
): ReadonlySet<RetainedBackup> {
  switch (policy.style) {
    case 'ALL':
      return new Set(newestFirst);
    case 'FILES':
      return new Set(newestFirst.slice(0, policy.period));
    case 'GFS':
      return newestOfBuckets(policy.gfs, newestFirst, timeZone);
    default: {
      const { style, period } = policy;
      return new Set(newestFirst.filter(({ startedAt }) => endOfAge(startedAt, style, period, timeZone) > now));
    }
  }
}

/** A level counts its buckets back from the newest; only buckets that hold a backup count, so a pause costs none. */
function newestOfBuckets(
  gfs: GfsCounts,
  newestFirst: readonly RetainedBackup[],
  timeZone: string,
): ReadonlySet<RetainedBackup> {
  const kept = new Set<RetainedBackup>();
  const seen = new Map<GfsLevel, Set<string>>(gfsLevels.map((level) => [level, new Set()]));
  for (const backup of newestFirst) {
    const buckets = bucketsOf(backup.startedAt, timeZone);
    for (const [level, taken] of seen) {
      if (taken.size === gfs[level] || taken.has(buckets[level])) continue;
      taken.add(buckets[level]);
      kept.add(backup);
    }
  }
  return kept;
}

function assertDecidable(backups: readonly RetainedBackup[], ...times: readonly Date[]): void {
  const ids = new Set(backups.map(({ id }) => id));
  if (ids.size < backups.length) {
    throw new StowageError('INTERNAL', 'A backup is listed twice for its destination, so nothing is deleted there.');
  }
  if ([...times, ...backups.map(({ startedAt }) => startedAt)].some((time) => Number.isNaN(time.getTime()))) {
    throw new StowageError('INTERNAL', 'The age of a backup is unknown, so nothing is deleted at its destination.');
  }
}
