/** A small operation whose answer or computation is large. */
export type HostileDocument = {
  readonly name: string;
  readonly query: string;
  /** A text is JSON. */
  readonly variables?: object | string;
  /** How many of these documents are sent at the same time. Default: one. */
  readonly atOnce?: number;
  /** The code with which it must be refused. Absent: it may also succeed. */
  readonly code?: string;
};

/** For example `a0: field a1: field …`. */
export function aliases(count: number, field: string | ((number: number) => string)): string {
  const of = typeof field === 'string' ? () => field : field;
  return Array.from({ length: count }, (_, number) => `a${number}: ${of(number)}`).join(' ');
}

/** A schedule with two runs an hour, and as many buckets as a preview allows. */
export const halfHourlyDraft = {
  frequency: '0 */30 * * * *',
  timeZone: 'Europe/Berlin',
  retention: { style: 'GFS', gfs: { hourly: 1000, daily: 1000, weekly: 1000, monthly: 1000, yearly: 100 } },
};
