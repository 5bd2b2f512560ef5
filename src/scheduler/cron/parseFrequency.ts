import { badInput, type FieldProblem } from '../../errors.js';
import { cronFields, type CronField, type CronFieldName } from './internal/cronField.js';
import { readCronField, type Misreading } from './internal/readCronField.js';

/**
 * A parsed frequency: six cron fields, as typed and in their normal form. It is plain data and may be stored in an
 * event.
 */
export type ParsedFrequency = {
  readonly typed: string;
  /** The normal form: six explicit fields with the same runs. */
  readonly normalized: string;
  readonly fields: Readonly<Record<CronFieldName, CronField>>;
  /**
   * EVERY_INSTANT (the hour is a star, or a star with a step): there is a run at every real instant whose local time matches.
   * WALL_CLOCK (the hour is a list or range): there is one run for every matching local time, also when clocks change.
   */
  readonly hourRule: 'EVERY_INSTANT' | 'WALL_CLOCK';
  /** Whether a day must match both day of month and day of week, or only one of them (Vixie cron's rule). */
  readonly dayRule: 'BOTH' | 'EITHER';
};

/**
 * Parses second, minute, hour, day of month, month and day of week, or `@daily` and the like.
 * Of second, minute and hour, every `*` that is finer than the finest set field means 0: `* * 5 * * *` is daily at 5.
 * Throws BAD_INPUT with every problem found, each with a hint that shows what to write instead.
 */
export function parseFrequency(typed: string, path = 'frequency'): ParsedFrequency {
  const reading = read(typed);
  if ('frequency' in reading) return reading.frequency;
  throw badInput(reading.problems.map((problem): FieldProblem => ({ path, ...problem })));
}

type Problem = Omit<FieldProblem, 'path'>;
type Reading = { readonly frequency: ParsedFrequency } | { readonly problems: readonly Problem[] };
type Fields = Record<CronFieldName, CronField>;

const longestTyped = 1000;
const sixFields = 'Six fields are needed: second, minute, hour, day of month, month, day of week';
const example = 'Write for example `0 0 5 * * *` for every day at 5 o’clock.';

const nicknames: Readonly<Record<string, string>> = {
  '@yearly': '0 0 0 1 1 *',
  '@annually': '0 0 0 1 1 *',
  '@monthly': '0 0 0 1 * *',
  '@weekly': '0 0 0 * * 0',
  '@daily': '0 0 0 * * *',
  '@midnight': '0 0 0 * * *',
  '@hourly': '0 0 * * * *',
};

function read(typed: string): Reading {
  if (typed.length > longestTyped)
    return refuse(
      `The frequency is longer than ${longestTyped} characters.`,
      'Write ranges and steps instead of lists.',
    );
  const trimmed = typed.trim();
  if (trimmed.startsWith('@')) return readNickname(typed, trimmed.toLowerCase());
  const texts = trimmed === '' ? [] : trimmed.split(/\s+/);
  if (texts.length === 5) return refuseFiveFields(texts);
  if (texts.length === 7) return refuseSevenFields(texts);
  if (texts.length !== 6) return refuse(`${sixFields}; this frequency has ${texts.length}.`, example);
  return readSixFields(typed, texts);
}

function readSixFields(typed: string, texts: readonly string[]): Reading {
  const fields: Partial<Fields> = {};
  const misreadings = new Map<CronFieldName, Misreading>();
  let with24 = false;
  cronFields.forEach((field, index) => {
    const result = readCronField(field, texts[index] ?? '');
    if ('misread' in result) {
      misreadings.set(field.name, result.misread);
    } else {
      fields[field.name] = result.field;
      with24 ||= result.with24;
    }
  });
  if (misreadings.size > 0) return refuseFields(texts, misreadings);
  const complete = fields as Fields;
  const refusal = refuseWhole(complete, with24, texts);
  if (refusal !== undefined) return refusal;

  const filled = fillFinerFields(complete);
  return {
    frequency: {
      typed,
      normalized: textOf(filled),
      fields: filled,
      hourRule: filled.hour.form === 'STAR' || filled.hour.form === 'STAR_STEP' ? 'EVERY_INSTANT' : 'WALL_CLOCK',
      dayRule: eitherDay(filled.dayOfMonth, filled.dayOfWeek) ? 'EITHER' : 'BOTH',
    },
  };
}

function eitherDay(dayOfMonth: CronField, dayOfWeek: CronField): boolean {
  return dayOfMonth.form === 'VALUES' && dayOfWeek.form === 'VALUES';
}

const isSet = (field: CronField) => field.form !== 'STAR';
const daysAreSet = ({ dayOfMonth, month, dayOfWeek }: Fields) => [dayOfMonth, month, dayOfWeek].some(isSet);
const textOf = (fields: Fields) => cronFields.map(({ name }) => fields[name].text).join(' ');
const zero: CronField = { text: '0', values: [0], lastDay: false, form: 'VALUES' };

function fillFinerFields(fields: Fields): Fields {
  const { second, minute, hour } = fields;
  const nothingFinerThanHours = !isSet(second) && !isSet(minute);
  return {
    ...fields,
    second: isSet(second) ? second : zero,
    minute: isSet(minute) || isSet(second) ? minute : zero,
    hour: nothingFinerThanHours && !isSet(hour) ? zero : hour,
  };
}

function refuseWhole(fields: Fields, with24: boolean, texts: readonly string[]): Reading | undefined {
  if (cronFields.every(({ name }) => !isSet(fields[name])))
    return refuse(
      'Nothing is set: six stars would run every second.',
      'Write for example: `0 0 5 * * *` is every day at 5 o’clock, `0 0 * * * *` every hour, `0 * * * * *` every minute.',
    );
  const { second, minute, hour } = fields;
  if (with24 && daysAreSet(fields)) {
    const startOfDay = replaced(texts, 'hour', hour.text).join(' ');
    return refuse(
      'With hour 24 the day is not clear: it may mean midnight at the start or at the end of the chosen day.',
      `Write hour 0 for the start of the day: \`${startOfDay}\`; for its end, write hour 0 and the day after.`,
    );
  }
  if (isSet(second) && !isSet(minute) && (isSet(hour) || daysAreSet(fields))) {
    const atMinute0 = replaced(texts, 'minute', '0');
    const once = (isSet(hour) ? atMinute0 : replaced(atMinute0, 'hour', '0')).join(' ');
    const eachMinute = replaced(texts, 'minute', '0-59').join(' ');
    return refuse(
      'The second is set and the minute is open. This can mean two things.',
      `Write \`${once}\` for minute 0 only, or \`${eachMinute}\` for each of the 60 minutes.`,
    );
  }
  return undefined;
}

function refuseFields(texts: readonly string[], misreadings: ReadonlyMap<CronFieldName, Misreading>): Reading {
  let corrected = texts;
  for (const [name, { instead = '' }] of misreadings) corrected = replaced(corrected, name, instead);
  const isComplete = [...misreadings.values()].every(({ instead }) => instead !== undefined);
  const whole = isComplete ? accepted(corrected.join(' ')) : undefined;
  return {
    problems: [...misreadings.values()].map(({ problem, hint }) => ({
      problem,
      hint: whole === undefined ? hint : `${hint} The whole frequency: \`${whole}\`.`,
    })),
  };
}

function refuseFiveFields(texts: readonly string[]): Reading {
  const problem = `${sixFields}; this frequency has five, without the second.`;
  const sixth = `0 ${texts.join(' ')}`;
  const reading = read(sixth);
  if ('frequency' in reading) return refuse(problem, `Write \`${sixth}\`: the same with second 0.`);
  const { hint } = reading.problems[0] ?? { hint: example };
  return refuse(problem, `Put a 0 for the second in front. ${hint}`);
}

function refuseSevenFields(texts: readonly string[]): Reading {
  const six = accepted(texts.slice(0, 6).join(' '));
  return refuse(
    `${sixFields}; this frequency has seven, and there is no field for the year.`,
    six === undefined ? example : `Write \`${six}\`.`,
  );
}

function readNickname(typed: string, nickname: string): Reading {
  const meaning = Object.hasOwn(nicknames, nickname) ? nicknames[nickname] : undefined;
  if (meaning !== undefined) return readSixFields(typed, meaning.split(' '));
  const known = Object.keys(nicknames).join(', ');
  return refuse('There is no such nickname for a frequency.', `Write one of ${known}, or six fields. ${example}`);
}

function replaced(texts: readonly string[], name: CronFieldName, text: string): readonly string[] {
  return texts.map((before, index) => (cronFields[index]?.name === name ? text : before));
}

function accepted(typed: string): string | undefined {
  return 'frequency' in read(typed) ? typed : undefined;
}

function refuse(problem: string, hint: string): Reading {
  return { problems: [{ problem, hint }] };
}
