import { gapsBetweenRuns, length } from './internal/gapsBetweenRuns.js';
import { runsIn } from './internal/runsIn.js';
import type { ParsedFrequency } from './parseFrequency.js';

/**
 * The longest time between two neighbouring runs after `from`, in milliseconds: by the calendar of the next 30 years and
 * the clock changes of the next 5. Undefined if there are fewer than two runs.
 */
export function longestGapMs(frequency: ParsedFrequency, timeZone: string, from: Date): number | undefined {
  const gaps = gapsBetweenRuns(runsIn(frequency, timeZone), Math.floor(from.getTime() / 1000));
  return gaps === undefined ? undefined : length(gaps.longest) * 1000;
}
