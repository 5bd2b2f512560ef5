import { runsIn } from './internal/runsIn.js';
import type { ParsedFrequency } from './parseFrequency.js';

/**
 * The first run after (not at) this time, to the second. Undefined if there is none, for example on February 30.
 * Throws RangeError for a zone that `checkTimeZone` refuses.
 */
export function nextRun(frequency: ParsedFrequency, timeZone: string, after: Date): Date | undefined {
  const second = runsIn(frequency, timeZone).from(Math.floor(after.getTime() / 1000) + 1);
  return second === undefined ? undefined : new Date(second * 1000);
}
