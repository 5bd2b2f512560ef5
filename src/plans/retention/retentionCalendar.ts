import { Temporal } from 'temporal-polyfill';
import { atOnce, type Steps } from '../../steps.js';
import type { AgeStyle, GfsLevel } from './retentionPolicy.js';
import { steadyTimeAt } from './zoneOffset.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/**
 * The first instant at which a backup is no longer younger than `period` of the unit.
 *
 * Hours, days and weeks are exact durations: a day has 24 hours, also if the clocks change. Months follow the calendar
 * in the zone: the same day of the month at the same local time, or the last day of a shorter month (31 January and one
 * month is 28 or 29 February). A local time that the clocks skip moves to the end of the gap. If a local time occurs
 * twice, the first instant counts.
 */
export function endOfAge(startedAt: Date, style: AgeStyle, period: number, timeZone: string): Date {
  switch (style) {
    case 'HOURS':
      return new Date(startedAt.getTime() + period * hourMs);
    case 'DAYS':
      return new Date(startedAt.getTime() + period * dayMs);
    case 'WEEKS':
      return new Date(startedAt.getTime() + period * 7 * dayMs);
    case 'MONTHS':
      return monthsLater(startedAt, period, timeZone);
  }
}

function monthsLater(startedAt: Date, months: number, timeZone: string): Date {
  const { offsetMs } = steadyTimeAt(startedAt.getTime(), timeZone);
  const wall = new Date(startedAt.getTime() + offsetMs);
  const [year, month] = [wall.getUTCFullYear(), wall.getUTCMonth() + months];
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const timeOfDay = ((wall.getTime() % dayMs) + dayMs) % dayMs;
  const target = Date.UTC(year, month, Math.min(wall.getUTCDate(), lastDay)) + timeOfDay;
  // Every offset from UTC is shorter than a day. Without a change of the offset within a day, one instant has this
  // local time.
  const around = steadyTimeAt(target, timeZone);
  const isClear = around.fromMs <= target - dayMs && target + dayMs < around.untilMs;
  if (isClear) return new Date(target - around.offsetMs);
  return new Date(inZone(startedAt, timeZone).add({ months }).epochMilliseconds);
}

/**
 * The hour, day, week, month and year of an instant in the zone. Instants in the same bucket have the same text. Weeks
 * begin on Monday (ISO 8601). An hour that the clocks repeat has two buckets, because two hours pass.
 */
export function bucketsOf(instant: Date, timeZone: string): Readonly<Record<GfsLevel, string>> {
  const { offsetMs, offset } = steadyTimeAt(instant.getTime(), timeZone);
  // The local time of the zone, stored as if it were UTC.
  const wall = new Date(instant.getTime() + offsetMs);
  const date = dateOf(wall);
  const monday = new Date(wall.getTime() - ((wall.getUTCDay() + 6) % 7) * dayMs);
  return {
    hourly: `${date}T${wall.getUTCHours()}${offset}`,
    daily: date,
    weekly: dateOf(monday),
    monthly: date.slice(0, -'-dd'.length),
    yearly: String(wall.getUTCFullYear()),
  };
}

function dateOf(wall: Date): string {
  return wall.toISOString().slice(0, -'Thh:mm:ss.sssZ'.length);
}

function inZone(instant: Date, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(timeZone);
}

/** The first instant after the bucket of `instant`. */
export function endOfBucket(instant: Date, level: GfsLevel, timeZone: string): Date {
  const local = inZone(instant, timeZone);
  return new Date((level === 'hourly' ? endOfHour(local) : endOfDays(local, level)).epochMilliseconds);
}

/** A day of a zone: `yyyy-mm-dd`, and the first instant of the next day. */
export type CalendarDay = { readonly date: string; readonly end: Date };

/** The days of the zone, beginning with that of `from`. */
export function daysFrom(from: Date, count: number, timeZone: string): readonly CalendarDay[] {
  return atOnce(daysFromInSteps(from, count, timeZone));
}

/** Like `daysFrom`, in steps. */
export function* daysFromInSteps(from: Date, count: number, timeZone: string): Steps<readonly CalendarDay[]> {
  const first = inZone(from, timeZone).toPlainDate();
  const days: CalendarDay[] = [];
  for (let day = 0; day < count; day += 1) {
    const date = first.add({ days: day });
    const end = date.add({ days: 1 }).toZonedDateTime(timeZone);
    days.push({ date: date.toString(), end: new Date(end.epochMilliseconds) });
    if (day % 20 === 19) yield 1_000;
  }
  return days;
}

/** If the clocks change within an hour, its bucket ends at the change, because the offset from UTC changes. */
function endOfHour(local: Temporal.ZonedDateTime): Temporal.ZonedDateTime {
  const full = local.round({ smallestUnit: 'minute', roundingMode: 'floor' }).add({ minutes: 60 - local.minute });
  const change = local.getTimeZoneTransition('next');
  return change !== null && Temporal.ZonedDateTime.compare(change, full) < 0 ? change : full;
}

function endOfDays(local: Temporal.ZonedDateTime, level: Exclude<GfsLevel, 'hourly'>): Temporal.ZonedDateTime {
  const date = local.toPlainDate();
  const next = {
    daily: () => date.add({ days: 1 }),
    weekly: () => date.add({ days: 8 - date.dayOfWeek }),
    monthly: () => date.with({ day: 1 }).add({ months: 1 }),
    yearly: () => date.with({ month: 1, day: 1 }).add({ years: 1 }),
  };
  return next[level]().toZonedDateTime(local.timeZoneId);
}
