import { badInput, type FieldProblem } from '../../errors.js';

/** How long the backups of a destination are kept. A destination is a plan together with one of its file endpoints. */
export type RetentionPolicy =
  /** Everything stays. */
  | { readonly style: 'ALL' }
  /** The newest `period` backups stay. */
  | { readonly style: 'FILES'; readonly period: number }
  /** Backups younger than `period` of the unit stay. Hours, days and weeks are exact, months follow the calendar. */
  | { readonly style: AgeStyle; readonly period: number }
  /**
   * Grandfather, father, son. For each level, the last N hours, days, weeks, months or years that have a backup keep
   * their newest backup.
   */
  | { readonly style: 'GFS'; readonly gfs: GfsCounts };

export type AgeStyle = 'HOURS' | 'DAYS' | 'WEEKS' | 'MONTHS';
export type RetentionStyle = RetentionPolicy['style'];

export const gfsLevels = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type GfsLevel = (typeof gfsLevels)[number];
/** How many buckets of each level keep their newest backup. 0 disables the level. */
export type GfsCounts = Readonly<Record<GfsLevel, number>>;

/** The input of a client. `period` belongs to FILES and to the styles by age, `gfs` to GFS. An absent count is 0. */
export type RetentionInput = {
  readonly style: RetentionStyle;
  readonly period?: number | null;
  readonly gfs?: Readonly<Partial<Record<GfsLevel, number | null>>> | null;
};

/**
 * The largest period, and the largest count of a GFS level. A larger value is probably a typing error, because ALL
 * keeps everything.
 */
const maxRetentionPeriod = 10_000;

/**
 * Converts the input of a client to a policy. With ALL, period and counts are ignored.
 * @param path the position of the input in the operation's arguments, for example `input.retention`
 * @throws BAD_INPUT with every problem at once
 */
export function checkRetention(input: RetentionInput, path: string): RetentionPolicy {
  switch (input.style) {
    case 'ALL':
      return { style: 'ALL' };
    case 'GFS':
      return { style: 'GFS', gfs: checkedCounts(input, path) };
    case 'FILES':
    case 'HOURS':
    case 'DAYS':
    case 'WEEKS':
    case 'MONTHS':
      return { style: input.style, period: checkedPeriod(input, input.style, path) };
  }
}

function checkedPeriod(input: RetentionInput, style: Exclude<RetentionStyle, 'ALL' | 'GFS'>, path: string): number {
  const period = input.period ?? null;
  const problems: FieldProblem[] = [];
  if (period === null) {
    problems.push({
      path: `${path}.period`,
      problem: `Retention by ${style} needs a period.`,
      hint: `Send the number of ${nouns[style]} to keep, from 1 to ${maxRetentionPeriod}. Or use the style ALL.`,
    });
  } else {
    const problem = problemOfNumber(period, 1);
    if (problem !== null) {
      problems.push({
        path: `${path}.period`,
        problem: `The period ${problem}.`,
        hint: `Use a whole number of ${nouns[style]} from 1 to ${maxRetentionPeriod}. To keep everything, use the style ALL.`,
      });
    }
  }
  if ((input.gfs ?? null) !== null) {
    problems.push({
      path: `${path}.gfs`,
      problem: `Retention by ${style} takes no counts for hours, days, weeks, months and years.`,
      hint: 'Omit gfs, or use the style GFS.',
    });
  }
  if (period === null || problems.length > 0) throw badInput(problems);
  return period;
}

const nouns = { FILES: 'backups', HOURS: 'hours', DAYS: 'days', WEEKS: 'weeks', MONTHS: 'months' } as const;

function checkedCounts(input: RetentionInput, path: string): GfsCounts {
  const given = input.gfs ?? {};
  const count = (level: GfsLevel) => given[level] ?? 0;
  const problems: FieldProblem[] = gfsLevels.flatMap((level) => {
    const problem = problemOfNumber(count(level), 0);
    if (problem === null) return [];
    const hint = `Use a whole number from 0 to ${maxRetentionPeriod}. With 0 this level keeps no backup.`;
    return [{ path: `${path}.gfs.${level}`, problem: `The count ${problem}.`, hint }];
  });
  if (problems.length === 0 && gfsLevels.every((level) => count(level) === 0)) {
    problems.push({
      path: `${path}.gfs`,
      problem: 'Retention by GFS needs at least one count above 0.',
      hint: 'Send for example { daily: 7, weekly: 4, monthly: 12 }. To keep everything, use the style ALL.',
    });
  }
  if ((input.period ?? null) !== null) {
    problems.push({
      path: `${path}.period`,
      problem: 'Retention by GFS takes no period.',
      hint: 'Omit the period. The counts in gfs define which backups are kept.',
    });
  }
  if (problems.length > 0) throw badInput(problems);
  return {
    hourly: count('hourly'),
    daily: count('daily'),
    weekly: count('weekly'),
    monthly: count('monthly'),
    yearly: count('yearly'),
  };
}

function problemOfNumber(value: number, smallest: number): string | null {
  if (!Number.isInteger(value)) return 'is not a whole number';
  if (value < smallest) return `is below ${smallest}`;
  if (value > maxRetentionPeriod) return `is above ${maxRetentionPeriod}`;
  return null;
}
