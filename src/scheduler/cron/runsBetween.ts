import { atOnce, type Steps } from '../../steps.js';
import { runsIn } from './internal/runsIn.js';
import type { ParsedFrequency } from './parseFrequency.js';

/** The number of runs that one step computes, and the approximate time of one step. */
const runsOfStep = 200;
const stepWork = 1_000;

/**
 * The runs after `from`, up to and including `to`, earliest first, at most `limit` of them.
 * Throws RangeError for a zone that `checkTimeZone` refuses.
 */
export function runsBetween(
  frequency: ParsedFrequency,
  timeZone: string,
  from: Date,
  to: Date,
  limit: number,
): readonly Date[] {
  return atOnce(runsBetweenInSteps(frequency, timeZone, from, to, limit));
}

/** Like `runsBetween`, in steps. */
export function* runsBetweenInSteps(
  frequency: ParsedFrequency,
  timeZone: string,
  from: Date,
  to: Date,
  limit: number,
): Steps<readonly Date[]> {
  const runs = runsIn(frequency, timeZone);
  const last = Math.floor(to.getTime() / 1000);
  const found: Date[] = [];
  let second = runs.from(Math.floor(from.getTime() / 1000) + 1);
  while (second !== undefined && second <= last && found.length < limit) {
    found.push(new Date(second * 1000));
    if (found.length % runsOfStep === 0) yield stepWork;
    second = runs.from(second + 1);
  }
  return found;
}
