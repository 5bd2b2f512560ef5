/** An operation that is small, and whose answer or computation is not. */
export type HostileDocument = {
  readonly name: string;
  readonly query: string;
  readonly variables?: object;
  /** How many are sent at the same time; by default one. */
  readonly atOnce?: number;
  /** The code that it must be refused with. Without it, it may also be answered. */
  readonly code?: string;
};

/** `a0: field a1: field …` */
export function aliases(count: number, field: string | ((number: number) => string)): string {
  const of = typeof field === 'string' ? () => field : field;
  return Array.from({ length: count }, (_, number) => `a${number}: ${of(number)}`).join(' ');
}

/** Two runs an hour, and as many buckets as a preview allows. */
export const halfHourlyDraft = {
  frequency: '0 */30 * * * *',
  timeZone: 'Europe/Berlin',
  retention: { style: 'GFS', gfs: { hourly: 1000, daily: 1000, weekly: 1000, monthly: 1000, yearly: 100 } },
};
