/**
 * Decides which backups of one destination stay and which are deleted. The caller holds the destination's lock, and
 * records the decision as events before it deletes a byte.
 */
import { StowageError } from '../../errors.js';
import { bucketsOf, endOfAge } from './retentionCalendar.js';
import { gfsLevels, type GfsCounts, type GfsLevel, type RetentionPolicy } from './retentionPolicy.js';

export type Trigger = 'SCHEDULE' | 'CATCH_UP' | 'MANUAL' | 'RETRY' | 'SAFETY';

/** A backup as retention sees it. */
export type RetainedBackup = {
  readonly id: string;
  /** Start of the attempt that succeeded. The age is measured from it. */
  readonly startedAt: Date;
  readonly trigger: Trigger;
  /** The backup is SUCCEEDED and certainly STORED, and has a trigger for which `isCounted` returns true. */
  readonly counted: boolean;
  /** Always false today, because nothing records a verification before verification on demand is built. */
  readonly verified: boolean;
  /** HOLD: a person holds it, or the undo of a restore. READER: a restore, copy or verification is reading it. */
  readonly protectedBy: readonly ('HOLD' | 'READER')[];
};

/**
 * The reason why a backup stays. POLICY has priority: any other reason means that the policy alone would delete the
 * backup.
 */
export type KeepReason = 'NOT_COUNTED' | 'POLICY' | 'NEWEST' | 'NEWEST_VERIFIED' | 'HOLD' | 'READER';

export type RetentionDecision = {
  /** Newest first. */
  readonly keep: readonly { readonly id: string; readonly reason: KeepReason }[];
  /** Ids, oldest first. */
  readonly delete: readonly string[];
};

/**
 * Whether a backup that is SUCCEEDED and STORED counts: the schedule created it, or it is the retry of such a backup.
 * @param firstTrigger for a RETRY the trigger of the job at the beginning of its chain of retries, otherwise null
 */
export function isCounted(trigger: Trigger, firstTrigger: Exclude<Trigger, 'RETRY'> | null): boolean {
  const origin = trigger === 'RETRY' ? firstTrigger : trigger;
  return origin !== null && mayCount[origin];
}

/** A RETRY counts only if the first trigger of its chain counts. */
const mayCount: Readonly<Record<Trigger, boolean>> = {
  SCHEDULE: true,
  CATCH_UP: true,
  RETRY: true,
  MANUAL: false,
  SAFETY: false,
};

/** No backup of another trigger counts. */
export const countedTriggers = (Object.keys(mayCount) as readonly Trigger[]).filter((trigger) => mayCount[trigger]);

/**
 * Decides for all backups of one destination. A backup that does not count is not deleted and replaces no other backup.
 * With every policy the newest counted, the newest counted verified, held and read backups stay. If two backups have
 * the same start, the backup with the greater id is newer.
 * @param timeZone the plan's zone, an IANA name that has been checked
 * @throws INTERNAL, without a decision, if an id occurs twice or a time is invalid
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
  const deleted: string[] = [];
  for (const backup of newestFirst) {
    const reason = reasonToKeep(backup);
    if (reason === null) deleted.push(backup.id);
    else keep.push({ id: backup.id, reason });
  }
  return { keep, delete: deleted.reverse() };
}

/**
 * The backups that must still exist after a deletion: the newest counted backup and the newest counted verified backup
 * (they may be the same). The caller first checks each of them in the container (HEAD). If one is missing, the caller
 * deletes nothing.
 */
export function survivors(backups: readonly RetainedBackup[]): readonly RetainedBackup[] {
  assertDecidable(backups);
  const newestFirst = backups.toSorted((a, b) => compareAge(b, a));
  const both = [newestFirst.find(counts), newestFirst.find(countsAndIsVerified)];
  return [...new Set(both)].filter((backup) => backup !== undefined);
}

/** Manual backups never count, even if `counted` is wrong, because a deletion cannot be undone. */
export function counts(backup: RetainedBackup): boolean {
  return backup.counted && mayCount[backup.trigger];
}

/** Orders older backups first. Backups with the same start are ordered by the code units of their ids. */
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
    case 'HOURS':
    case 'DAYS':
    case 'WEEKS':
    case 'MONTHS': {
      const { style, period } = policy;
      return new Set(newestFirst.filter(({ startedAt }) => endOfAge(startedAt, style, period, timeZone) > now));
    }
  }
}

/**
 * A level counts its buckets backwards from the newest. Empty buckets do not count, so a pause of the plan deletes
 * nothing.
 */
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
