import type { ParsedFrequency } from '../parseFrequency.js';
import type { CronField } from './cronField.js';
import { durationInWords } from './durationInWords.js';
import { type Gaps, length } from './gapsBetweenRuns.js';
import { clockTime } from './localTime.js';
import type { RunsIn } from './runsIn.js';
import { secondsPerDay } from './wallCalendar.js';
import type { Change } from './zoneClock.js';

type Noted = {
  readonly frequency: ParsedFrequency;
  readonly timeZone: string;
  readonly runs: RunsIn;
  readonly gaps: Gaps | undefined;
  /** Now, in seconds since 1970-01-01T00:00:00Z. */
  readonly second: number;
  readonly usualDurationMs: number | undefined;
};

/** Effects of a frequency that a person may not expect, in whole sentences. */
export function scheduleNotes(noted: Noted): readonly string[] {
  const { fields } = noted.frequency;
  return [
    ...unevenSteps(fields),
    ...daysThatRestart(fields),
    ...missingDays(fields),
    ...dayRule(noted.frequency),
    ...changesOfTheClock(noted),
    ...manyRuns(noted.runs.calendar.timesPerDay),
    ...overlap(noted.gaps, noted.usualDurationMs),
  ];
}

function unevenSteps({ second, minute, hour }: ParsedFrequency['fields']): string[] {
  const units = [
    { field: second, size: 60, unit: 'second', show: (value: number) => `second ${value}` },
    { field: minute, size: 60, unit: 'minute', show: (value: number) => `minute ${value}` },
    { field: hour, size: 24, unit: 'hour', show: (value: number) => clockTime(value * 3600) },
  ];
  return units.flatMap(({ field, size, unit, show }) => {
    const step = wholeStep(field, size);
    const [first = 0] = field.values;
    const last = field.values.at(-1) ?? 0;
    const around = size - last + first;
    if (step === undefined || around === step) return [];
    return [
      `Steps of ${step} ${unit}s do not divide the ${unit === 'hour' ? 'day' : unit === 'minute' ? 'hour' : 'minute'}: after ${show(last)} comes ${show(first)}, ${around} ${unit}${around === 1 ? '' : 's'} later.`,
    ];
  });
}

/** The step of a field whose values have equal distances from the smallest to the largest possible value. */
function wholeStep({ form, text, values }: CronField, size: number): number | undefined {
  if (form === 'STAR_STEP') return Number(text.slice(2));
  const [first = 0, second = 0] = values;
  const step = second - first;
  const even = values.length > 3 && values.every((value, index) => value === first + index * step);
  return even && first < step && first + values.length * step >= size ? step : undefined;
}

function daysThatRestart({ dayOfMonth, month, dayOfWeek }: ParsedFrequency['fields']): string[] {
  const notes: string[] = [];
  const restarts = ({ form, text }: CronField, size: number) =>
    form === 'STAR_STEP' && size % Number(text.slice(2)) !== 0 ? text.slice(2) : undefined;
  const days = dayOfMonth.form === 'STAR_STEP' && dayOfMonth.text !== '*/1' ? dayOfMonth.text.slice(2) : undefined;
  if (days !== undefined)
    notes.push(
      `Steps of ${days} days start again on the 1st of each month, so the last step of a month may be shorter.`,
    );
  const months = restarts(month, 12);
  if (months !== undefined) notes.push(`Steps of ${months} months start again each January.`);
  const weekdays = restarts(dayOfWeek, 7);
  if (weekdays !== undefined) notes.push(`Steps of ${weekdays} weekdays start again each Sunday.`);
  return notes;
}

function missingDays({ dayOfMonth, month, dayOfWeek }: ParsedFrequency['fields']): string[] {
  const [first = 0] = dayOfMonth.values;
  const isMissing = month.values.some((number) => first > (shortestLengths[number - 1] ?? 31));
  if (!isMissing || dayOfMonth.lastDay || dayOfWeek.form !== 'STAR') return [];
  const onlyFebruary = month.values.length === 1 && month.values[0] === 2;
  return [
    onlyFebruary
      ? 'Only leap years have a February 29; write `L` for the last day of the month.'
      : `Months without a day ${first} have no run; write \`L\` for the last day of the month.`,
  ];
}

const shortestLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function dayRule({ fields, dayRule: rule }: ParsedFrequency): string[] {
  if (fields.dayOfMonth.form === 'STAR' || fields.dayOfWeek.form === 'STAR') return [];
  if (rule === 'EITHER')
    return [
      'Day of month and day of week are both set: runs happen on every day that matches one of the two, as in Vixie cron.',
    ];
  return [
    'Day of month and day of week are both set and one begins with a star: runs happen only on days that match both, as in Vixie cron.',
  ];
}

/** The next clock change in each direction that affects a run, within about a year. */
function changesOfTheClock({ frequency, timeZone, runs, second }: Noted): string[] {
  const changesMet = runs.clock.changesBetween(second, second + 400 * secondsPerDay).filter(({ at, before, after }) => {
    const match = runs.calendar.next(at + Math.min(before, after));
    return match !== undefined && match < at + Math.max(before, after);
  });
  const forward = changesMet.find(({ before, after }) => after > before);
  const back = changesMet.find(({ before, after }) => after < before);
  const once = frequency.hourRule === 'WALL_CLOCK';
  return [
    ...(forward === undefined
      ? []
      : [
          `${changeInWords(forward, timeZone)}: runs in between ${once ? `happen once, at ${show(forward.at + forward.after)}` : 'are skipped'}.`,
        ]),
    ...(back === undefined
      ? []
      : [`${changeInWords(back, timeZone)}: runs in between happen ${once ? 'the first time only' : 'both times'}.`]),
  ];
}

function changeInWords({ at, before, after }: Change, timeZone: string): string {
  const date = new Date((at + before) * 1000).toISOString().slice(0, 10);
  return `On ${date} the clocks of ${timeZone} go from ${show(at + before)} to ${show(at + after)}`;
}

const show = (local: number) => clockTime(((local % secondsPerDay) + secondsPerDay) % secondsPerDay);

function manyRuns(timesPerDay: number): string[] {
  if (timesPerDay <= 24) return [];
  return [`This is ${timesPerDay} runs a day, each of them a whole backup.`];
}

function overlap(gaps: Gaps | undefined, usualDurationMs: number | undefined): string[] {
  if (gaps === undefined || usualDurationMs === undefined) return [];
  const shortestMs = length(gaps.shortest) * 1000;
  if (usualDurationMs < shortestMs) return [];
  return [
    `A backup of this plan usually takes ${durationInWords(usualDurationMs)}, and runs can be ${durationInWords(shortestMs)} apart: a run is skipped while the run before it is still active.`,
  ];
}
