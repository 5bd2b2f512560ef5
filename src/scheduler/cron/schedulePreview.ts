import { badInput } from '../../errors.js';
import { refuseClose } from './checkInterval.js';
import { checkTimeZone } from './checkTimeZone.js';
import { describeFrequency } from './describeFrequency.js';
import { gapsBetweenRuns } from './internal/gapsBetweenRuns.js';
import { localTime } from './internal/localTime.js';
import { type RunsIn, runsIn } from './internal/runsIn.js';
import { scheduleNotes } from './internal/scheduleNotes.js';
import { daysOfTheCycle } from './internal/wallCalendar.js';
import { parseFrequency } from './parseFrequency.js';

export type SchedulePreviewInput = {
  readonly frequency: string;
  readonly timeZone: string;
  /** How many of the next runs to show: 1 to 100. */
  readonly count: number;
  readonly now: Date;
  readonly minIntervalMs: number;
  /** How long a backup of the plan usually takes, if known. */
  readonly usualDurationMs?: number;
};

export type SchedulePreview = {
  readonly normalized: string;
  readonly description: string;
  readonly timeZone: string;
  /** `local` is ISO 8601 with the offset from UTC: `2026-03-29T03:00:00+02:00`. */
  readonly runs: readonly { readonly at: Date; readonly local: string }[];
  /** The average of 400 years, after which the calendar repeats. Clock changes are ignored. */
  readonly runsPerDay: number;
  /** Whole sentences about effects that a person may not expect. */
  readonly notes: readonly string[];
};

/**
 * Previews a frequency before it is saved. Throws BAD_INPUT, with the paths `frequency`, `timeZone` and `count`, for
 * every input that a plan refuses: a frequency that is not valid, never runs, or runs too often.
 */
export function schedulePreview(input: SchedulePreviewInput): SchedulePreview {
  const { count, now, minIntervalMs, usualDurationMs } = input;
  if (!Number.isInteger(count) || count < 1 || count > mostRuns)
    throw badInput([{ path: 'count', problem: 'The count is out of range.', hint: `Ask for 1 to ${mostRuns} runs.` }]);
  const timeZone = checkTimeZone(input.timeZone);
  const frequency = parseFrequency(input.frequency);
  const runs = runsIn(frequency, timeZone);
  const second = Math.floor(now.getTime() / 1000);
  const gaps = gapsBetweenRuns(runs, second);
  refuseClose(runs, gaps, { second, timeZone, minIntervalMs, path: 'frequency' });
  return {
    normalized: frequency.normalized,
    description: describeFrequency(frequency),
    timeZone,
    runs: nextRuns(runs, second, count),
    runsPerDay: (runs.calendar.timesPerDay * runs.calendar.daysPerCycle()) / daysOfTheCycle,
    notes: scheduleNotes({ frequency, timeZone, runs, gaps, second, usualDurationMs }),
  };
}

const mostRuns = 100;

function nextRuns({ from, clock }: RunsIn, second: number, count: number): SchedulePreview['runs'] {
  const found: { at: Date; local: string }[] = [];
  let run = from(second + 1);
  while (run !== undefined && found.length < count) {
    found.push({ at: new Date(run * 1000), local: localTime(run, clock.offsetAt(run)) });
    run = from(run + 1);
  }
  return found;
}
