import { clockTime } from './internal/localTime.js';
import type { CronField } from './internal/cronField.js';
import type { ParsedFrequency } from './parseFrequency.js';

/** Describes a frequency in plain English: "Every day at 05:00", "Every 15 minutes from 08:00 to 17:59, Monday to Friday". */
export function describeFrequency({ fields, dayRule }: ParsedFrequency): string {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek } = fields;
  const days = daysInWords(dayOfMonth, dayOfWeek, dayRule);
  const months = monthsInWords(month);
  const when =
    days.endsWith(ofTheMonth) && months !== '' ? days.replace(ofTheMonth, ` of ${months}`) : inMonths(days, months);
  const times = timesOfDay(fields);
  if (times !== undefined) return sentence(`${days === '' ? inMonths('every day', months) : when} at ${listed(times)}`);
  const repetition = repetitionInWords(second, minute, hour);
  return sentence(when === '' ? repetition : `${repetition}, ${when}`);
}

const ofTheMonth = ' of the month';
const inMonths = (days: string, months: string) => (months === '' ? days : `${days} in ${months}`.trim());
const fewTimes = 6;
const sentence = (words: string) => words.charAt(0).toUpperCase() + words.slice(1);

/** The list of times, if there are few and they were written as a list. */
function timesOfDay({ second, minute, hour }: ParsedFrequency['fields']): readonly string[] | undefined {
  if (hour.form !== 'VALUES' || minute.form !== 'VALUES' || second.form !== 'VALUES') return undefined;
  if (hour.values.length * minute.values.length * second.values.length > fewTimes) return undefined;
  return hour.values.flatMap((h) =>
    minute.values.flatMap((m) => second.values.map((s) => clockTime(h * 3600 + m * 60 + s))),
  );
}

function repetitionInWords(second: CronField, minute: CronField, hour: CronField): string {
  const atSeconds = secondsInWords(second);
  const [onlyMinute] = minute.values;
  if (minute.values.length > 1 || onlyMinute === undefined)
    return `${minutesInWords(minute)}${hoursInWords(hour, minute)}${atSeconds}`;

  const atMinute = onlyMinute === 0 && atSeconds === '' ? '' : ` at minute ${onlyMinute}`;
  if (hour.values.length === 24) return `every hour${atMinute}${atSeconds}`;
  const times = hour.values.map((h) => clockTime(h * 3600 + onlyMinute * 60));
  const step = stepOf(hour);
  if (step !== undefined) {
    const few = times.length > fewTimes ? `${listed(times.slice(0, 2), ',')}, … ${times.at(-1) ?? ''}` : listed(times);
    return `every ${step} hours from midnight: at ${few}${atSeconds}`;
  }
  if (isOneRange(hour)) return `every hour from ${times[0] ?? ''} to ${times.at(-1) ?? ''}${atSeconds}`;
  return `at minute ${onlyMinute}${hoursInWords(hour, minute)}${atSeconds}`;
}

function secondsInWords({ values }: CronField): string {
  if (values.length > 1) return ` at seconds ${listed(ranges(values, String))}`;
  return values[0] === 0 ? '' : ` at second ${values.join('')}`;
}

function minutesInWords(minute: CronField): string {
  if (minute.values.length === 60) return 'every minute';
  const step = stepOf(minute);
  return step === undefined ? `at minutes ${listed(ranges(minute.values, String))}` : `every ${step} minutes`;
}

/** Continues the words for minutes: single minutes "of" an hour, or a step of minutes "in" an hour. */
function hoursInWords(hour: CronField, minute: CronField): string {
  const chosen = minute.form === 'VALUES' && minute.values.length < 60;
  if (hour.values.length === 24) return chosen ? ' of every hour' : '';
  if (chosen) return ` of ${hour.values.length === 1 ? 'hour' : 'the hours'} ${listed(ranges(hour.values, String))}`;
  if (!isOneRange(hour)) return ` in the hours ${listed(ranges(hour.values, String))}`;
  return ` from ${clockTime((hour.values[0] ?? 0) * 3600)} to ${clockTime((hour.values.at(-1) ?? 0) * 3600 + 59 * 60)}`;
}

const isOneRange = ({ values }: CronField) => (values.at(-1) ?? 0) - (values[0] ?? 0) + 1 === values.length;

function daysInWords(dayOfMonth: CronField, dayOfWeek: CronField, dayRule: ParsedFrequency['dayRule']): string {
  const numbers = dayOfMonth.form === 'STAR' ? '' : monthDaysInWords(dayOfMonth);
  const weekdays = dayOfWeek.form === 'STAR' ? '' : weekdaysInWords(dayOfWeek);
  if (numbers === '' || weekdays === '') return numbers === '' ? weekdays : `on ${numbers}`;
  return dayRule === 'EITHER' ? `on ${numbers}, and also ${weekdays},` : `${weekdays} if the day is also ${numbers}`;
}

function monthDaysInWords({ values, lastDay, form }: CronField): string {
  const [first = 1, second = 1] = values;
  if (form === 'STAR_STEP' && second - first === 1) return `every day${ofTheMonth}`;
  if (form === 'STAR_STEP' && values.length > fewTimes)
    return `the ${ordinal(first)}, ${ordinal(second)}, … ${ordinal(values.at(-1) ?? 1)}${ofTheMonth}`;
  return `the ${listed([...ranges(values, ordinal), ...(lastDay ? ['last day'] : [])])}${ofTheMonth}`;
}

function weekdaysInWords({ values }: CronField): string {
  if (values.length === 7) return 'every day of the week';
  const parts = ranges(values, (day) => weekdayNames[day] ?? '');
  if (parts.length === 1 && values.length > 1) return listed(parts);
  return `on ${listed(parts.map((part) => (part.includes(' to ') ? part : `${part}s`)))}`;
}

function monthsInWords({ values, form }: CronField): string {
  return form === 'STAR' ? '' : listed(ranges(values, (month) => monthNames[month - 1] ?? ''));
}

/** Three or more consecutive values become a range. */
function ranges(values: readonly number[], name: (value: number) => string): readonly string[] {
  const parts: string[] = [];
  for (let from = 0; from < values.length;) {
    let to = from;
    while (values[to + 1] === (values[to] ?? 0) + 1) to += 1;
    if (to - from >= 2) parts.push(`${name(values[from] ?? 0)} to ${name(values[to] ?? 0)}`);
    else parts.push(...values.slice(from, to + 1).map(name));
    from = to + 1;
  }
  return parts;
}

function stepOf({ form, text }: CronField): number | undefined {
  return form === 'STAR_STEP' ? Number(text.slice(2)) : undefined;
}

function listed(parts: readonly (string | number)[], lastJoint = ' and'): string {
  if (parts.length < 2) return parts.join('');
  return `${parts.slice(0, -1).join(', ')}${lastJoint} ${parts.at(-1) ?? ''}`;
}

function ordinal(value: number): string {
  const ending =
    value % 10 === 1 && value !== 11
      ? 'st'
      : value % 10 === 2 && value !== 12
        ? 'nd'
        : value % 10 === 3 && value !== 13
          ? 'rd'
          : 'th';
  return `${value}${ending}`;
}

const weekdayNames = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const monthNames = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
