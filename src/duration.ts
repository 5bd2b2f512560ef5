/**
 * ISO 8601 durations from days to seconds, as milliseconds. Years, months and weeks are refused, because the length of
 * a month depends on its start.
 */

const day = 86_400_000;
const hour = 3_600_000;
const minute = 60_000;
const second = 1_000;

/** A hundred years. A longer duration is probably a typing error. */
export const longestDurationMs = 36_525 * day;

const pattern =
  /^P(?:(?<days>\d{1,9})D)?(?:T(?=\d)(?:(?<hours>\d{1,9})H)?(?:(?<minutes>\d{1,9})M)?(?:(?<seconds>\d{1,10})(?:\.(?<fraction>\d{1,3}))?S)?)?$/;

/**
 * The milliseconds of `P1DT2H3M4.5S`. Undefined: the text is not a duration, is empty (`P`, `PT`) or exceeds a hundred
 * years.
 */
export function parseDuration(text: string): number | undefined {
  const groups = pattern.exec(text)?.groups;
  if (groups === undefined || text === 'P') return undefined;
  const of = (name: string) => Number(groups[name] ?? 0);
  const fractionMs = Number((groups['fraction'] ?? '').padEnd(3, '0'));
  const ms = of('days') * day + of('hours') * hour + of('minutes') * minute + of('seconds') * second + fractionMs;
  return ms > longestDurationMs ? undefined : ms;
}

/**
 * The normal form of a duration: `PT60S` becomes `PT1M`, and 0 becomes `PT0S`. Fractions of a millisecond are rounded.
 */
export function formatDuration(ms: number): string {
  const whole = Math.round(ms);
  if (!Number.isSafeInteger(whole) || whole < 0) throw new RangeError(`A duration cannot be ${ms} ms.`);
  if (whole === 0) return 'PT0S';
  const days = Math.floor(whole / day);
  const hours = Math.floor((whole % day) / hour);
  const minutes = Math.floor((whole % hour) / minute);
  const seconds = (whole % minute) / second;
  const time = `${unit(hours, 'H')}${unit(minutes, 'M')}${unit(seconds, 'S')}`;
  return `P${unit(days, 'D')}${time === '' ? '' : `T${time}`}`;
}

function unit(count: number, letter: string): string {
  return count === 0 ? '' : `${count}${letter}`;
}
