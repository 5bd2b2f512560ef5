import { badInput } from '../../errors.js';
import { durationInWords } from './internal/durationInWords.js';
import { type Gaps, gapsBetweenRuns, length } from './internal/gapsBetweenRuns.js';
import { localTime } from './internal/localTime.js';
import { type RunsIn, runsIn } from './internal/runsIn.js';
import type { ParsedFrequency } from './parseFrequency.js';

/**
 * Throws BAD_INPUT for a frequency that never runs after `from`, and for one with two runs closer together than
 * `minIntervalMs`, which the error names. It checks the calendar of the next 30 years and the clock changes of the next 5.
 */
export function checkInterval(
  frequency: ParsedFrequency,
  timeZone: string,
  minIntervalMs: number,
  from: Date,
  path = 'frequency',
): void {
  const runs = runsIn(frequency, timeZone);
  const second = Math.floor(from.getTime() / 1000);
  refuseClose(runs, gapsBetweenRuns(runs, second), { second, timeZone, minIntervalMs, path });
}

/** Like `checkInterval`, for gaps that were already computed. */
export function refuseClose(
  runs: RunsIn,
  gaps: Gaps | undefined,
  { second, timeZone, minIntervalMs, path }: { second: number; timeZone: string; minIntervalMs: number; path: string },
): void {
  if (runs.from(second + 1) === undefined)
    throw badInput([
      {
        path,
        problem: 'This frequency never runs: its months do not have that day.',
        hint: 'Write a day that exists, or `L` for the last day of the month: `0 0 0 L * *`.',
      },
    ]);
  if (gaps === undefined || length(gaps.shortest) * 1000 >= minIntervalMs) return;
  const [first, next] = [gaps.shortest.first, gaps.shortest.second].map((run) =>
    localTime(run, runs.clock.offsetAt(run)),
  );
  const apart = durationInWords(length(gaps.shortest) * 1000);
  const allowed = durationInWords(minIntervalMs);
  throw badInput([
    {
      path,
      problem: `The runs at ${first ?? ''} and ${next ?? ''} (${timeZone}) are ${apart} apart; this server allows no less than ${allowed}.`,
      hint: `Name fewer seconds, minutes or hours, so that all runs are at least ${allowed} apart.`,
    },
  ]);
}
