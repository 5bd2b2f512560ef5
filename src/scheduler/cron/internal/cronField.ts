/** The six fields of the dialect in their order, with their possible values. */
export type CronFieldName = 'second' | 'minute' | 'hour' | 'dayOfMonth' | 'month' | 'dayOfWeek';

/** One field after parsing. */
export type CronField = {
  /** The shortest clear way to write the field. Parsing it returns the same field. */
  readonly text: string;
  /** The matching numbers, ascending: hours 0-23, days of week 0-6 from Sunday, months 1-12. */
  readonly values: readonly number[];
  /** The day of month contains `L`, the last day of the month. */
  readonly lastDay: boolean;
  /**
   * STAR is `*` or `?`: the field is not set. STAR_STEP is a star with a step. STAR_LIST is a list that begins with a
   * star.
   */
  readonly form: 'STAR' | 'STAR_STEP' | 'STAR_LIST' | 'VALUES';
};

export type CronFieldKind = {
  readonly name: CronFieldName;
  readonly label: string;
  readonly min: number;
  /** The largest number that may be written; hour 24 is 0, and day of week 7 is 0. */
  readonly maxWritten: number;
  readonly max: number;
  /** Names for numbers. The first name means `min`. */
  readonly names: readonly string[];
};

export const cronFields: readonly CronFieldKind[] = [
  { name: 'second', label: 'second', min: 0, maxWritten: 59, max: 59, names: [] },
  { name: 'minute', label: 'minute', min: 0, maxWritten: 59, max: 59, names: [] },
  { name: 'hour', label: 'hour', min: 0, maxWritten: 24, max: 23, names: [] },
  { name: 'dayOfMonth', label: 'day of month', min: 1, maxWritten: 31, max: 31, names: [] },
  {
    name: 'month',
    label: 'month',
    min: 1,
    maxWritten: 12,
    max: 12,
    names: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
  },
  {
    name: 'dayOfWeek',
    label: 'day of week',
    min: 0,
    maxWritten: 7,
    max: 6,
    names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'],
  },
];

/** 24 o'clock and weekday 7 are 0. */
export function withinField(kind: CronFieldKind, written: number): number {
  return written > kind.max ? kind.min : written;
}
