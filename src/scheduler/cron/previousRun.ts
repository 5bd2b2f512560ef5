import { runsIn } from './internal/runsIn.js';
import type { ParsedFrequency } from './parseFrequency.js';

/**
 * The last run before (not at) this time, to the second. Undefined if there was no run in 400 years, which means that
 * there never was one. Throws RangeError for a zone that `checkTimeZone` refuses.
 */
export function previousRun(frequency: ParsedFrequency, timeZone: string, before: Date): Date | undefined {
  const second = runsIn(frequency, timeZone).until(Math.ceil(before.getTime() / 1000) - 1);
  return second === undefined ? undefined : new Date(second * 1000);
}
