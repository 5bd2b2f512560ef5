import type { ParsedFrequency } from '../parseFrequency.js';

/**
 * The local times that a frequency matches, without a time zone. A local time is a number of seconds: `Date.UTC` of its
 * year, month, day, hour, minute and second, divided by 1000.
 */
export class WallCalendar {
  private readonly seconds: readonly number[];
  private readonly minutes: readonly number[];
  private readonly hours: readonly number[];
  private readonly months: readonly boolean[];
  private readonly daysOfMonth: number;
  private readonly lastDay: boolean;
  /** The matching days of a month as bits, for each weekday on which a month may begin. Bit 0 is the 1st. */
  private readonly weekdays: readonly number[];
  private readonly eitherDay: boolean;
  /** Seconds from midnight. */
  readonly firstTime: number;
  readonly lastTime: number;
  readonly timesPerDay: number;

  constructor({ fields, dayRule }: ParsedFrequency) {
    this.seconds = fields.second.values;
    this.minutes = fields.minute.values;
    this.hours = fields.hour.values;
    this.months = Array.from({ length: 12 }, (_, index) => fields.month.values.includes(index + 1));
    this.daysOfMonth = fields.dayOfMonth.values.reduce((bits, day) => bits | (1 << (day - 1)), 0);
    this.lastDay = fields.dayOfMonth.lastDay;
    const weekdays = fields.dayOfWeek.values.reduce((bits, day) => bits | (everySeventh << day), 0);
    this.weekdays = Array.from({ length: 7 }, (_, first) => (weekdays >>> first) | (weekdays << (7 - first)));
    this.eitherDay = dayRule === 'EITHER';
    this.firstTime = (this.hours[0] ?? 0) * 3600 + (this.minutes[0] ?? 0) * 60 + (this.seconds[0] ?? 0);
    this.lastTime = (this.hours.at(-1) ?? 0) * 3600 + (this.minutes.at(-1) ?? 0) * 60 + (this.seconds.at(-1) ?? 0);
    this.timesPerDay = this.hours.length * this.minutes.length * this.seconds.length;
  }

  /**
   * The first matching local time at or after this one. Undefined: no time matches in 400 years, so no time ever
   * matches.
   */
  next(local: number): number | undefined {
    const day = Math.floor(local / secondsPerDay);
    const today = this.nextDay(day);
    if (today === undefined) return undefined;
    if (today > day) return today * secondsPerDay + this.firstTime;
    const time = this.nextTime(local - day * secondsPerDay);
    if (time !== undefined) return day * secondsPerDay + time;
    const later = this.nextDay(day + 1);
    return later === undefined ? undefined : later * secondsPerDay + this.firstTime;
  }

  /** The last matching local time at or before this one. Undefined: there is none in 400 years. */
  previous(local: number): number | undefined {
    const day = Math.floor(local / secondsPerDay);
    const today = this.previousDay(day);
    if (today === undefined) return undefined;
    if (today < day) return today * secondsPerDay + this.lastTime;
    const time = this.previousTime(local - day * secondsPerDay);
    if (time !== undefined) return day * secondsPerDay + time;
    const earlier = this.previousDay(day - 1);
    return earlier === undefined ? undefined : earlier * secondsPerDay + this.lastTime;
  }

  /** The first matching day at or after this one, in days since 1970-01-01. */
  nextDay(day: number): number | undefined {
    const { year, month, dayOfMonth } = dateOf(day);
    for (let ahead = 0; ahead <= monthsOfTheCycle; ahead += 1) {
      const first = firstOfMonth(year, month + ahead);
      const days = this.daysOf(year, month + ahead, first) & (ahead === 0 ? -1 << (dayOfMonth - 1) : -1);
      if (days !== 0) return first + 31 - Math.clz32(days & -days);
    }
    return undefined;
  }

  /** The last matching day at or before this one, in days since 1970-01-01. */
  previousDay(day: number): number | undefined {
    const { year, month, dayOfMonth } = dateOf(day);
    for (let back = 0; back <= monthsOfTheCycle; back += 1) {
      const first = firstOfMonth(year, month - back);
      const days = this.daysOf(year, month - back, first) & (back === 0 ? (2 << (dayOfMonth - 1)) - 1 : -1);
      if (days !== 0) return first + 31 - Math.clz32(days);
    }
    return undefined;
  }

  /** The matching days from the first to the last day, both included, at most `limit`, in days since 1970-01-01. */
  daysBetween(from: number, to: number, limit: number): readonly number[] {
    const found: number[] = [];
    const { year, month } = dateOf(from);
    for (let ahead = 0, first = firstOfMonth(year, month); first <= to && found.length < limit; ahead += 1) {
      for (let days = this.daysOf(year, month + ahead, first); days !== 0; days &= days - 1) {
        const day = first + 31 - Math.clz32(days & -days);
        if (day >= from && day <= to && found.length < limit) found.push(day);
      }
      first = firstOfMonth(year, month + ahead + 1);
    }
    return found;
  }

  /** The number of matching days in 400 years, after which the calendar repeats. */
  daysPerCycle(): number {
    let count = 0;
    for (let ahead = 0; ahead < monthsOfTheCycle; ahead += 1)
      count += countBits(this.daysOf(2000, ahead, firstOfMonth(2000, ahead)));
    return count;
  }

  /**
   * The consecutive times of the day with the shortest and with the longest gap. Undefined if there is only one time
   * per day.
   */
  neighbours(): { readonly closest: Neighbours; readonly widest: Neighbours } | undefined {
    let closest: Neighbours | undefined;
    let widest: Neighbours | undefined;
    const compare = (from: number, to: number) => {
      if (closest === undefined || to - from < closest.to - closest.from) closest = { from, to };
      if (widest === undefined || to - from > widest.to - widest.from) widest = { from, to };
    };
    const [firstHour = 0] = this.hours;
    const [firstMinute = 0] = this.minutes;
    const [firstSecond = 0] = this.seconds;
    const lastMinute = this.minutes.at(-1) ?? 0;
    const lastSecond = this.seconds.at(-1) ?? 0;
    const at = (hour: number, minute: number, second: number) => hour * 3600 + minute * 60 + second;
    eachPair(this.seconds, (a, b) => compare(at(firstHour, firstMinute, a), at(firstHour, firstMinute, b)));
    eachPair(this.minutes, (a, b) => compare(at(firstHour, a, lastSecond), at(firstHour, b, firstSecond)));
    eachPair(this.hours, (a, b) => compare(at(a, lastMinute, lastSecond), at(b, firstMinute, firstSecond)));
    return closest === undefined || widest === undefined ? undefined : { closest, widest };
  }

  private daysOf(year: number, month: number, first: number): number {
    if (this.months[((month % 12) + 12) % 12] !== true) return 0;
    const length = firstOfMonth(year, month + 1) - first;
    const last = this.lastDay ? 1 << (length - 1) : 0;
    const weekdays = this.weekdays[(((first + 4) % 7) + 7) % 7] ?? 0;
    const days = this.daysOfMonth | last;
    // The 31st is bit 30, so that the number of a month is never negative.
    return (this.eitherDay ? days | weekdays : days & weekdays) & (2 ** length - 1);
  }

  private nextTime(time: number): number | undefined {
    const hour = Math.floor(time / 3600);
    const minute = Math.floor(time / 60) % 60;
    const [firstMinute = 0] = this.minutes;
    const [firstSecond = 0] = this.seconds;
    if (this.hours.includes(hour)) {
      if (this.minutes.includes(minute)) {
        const second = this.seconds.find((value) => value >= time % 60);
        if (second !== undefined) return hour * 3600 + minute * 60 + second;
      }
      const laterMinute = this.minutes.find((value) => value > minute);
      if (laterMinute !== undefined) return hour * 3600 + laterMinute * 60 + firstSecond;
    }
    const laterHour = this.hours.find((value) => value > hour);
    return laterHour === undefined ? undefined : laterHour * 3600 + firstMinute * 60 + firstSecond;
  }

  private previousTime(time: number): number | undefined {
    const hour = Math.floor(time / 3600);
    const minute = Math.floor(time / 60) % 60;
    const lastMinute = this.minutes.at(-1) ?? 0;
    const lastSecond = this.seconds.at(-1) ?? 0;
    if (this.hours.includes(hour)) {
      if (this.minutes.includes(minute)) {
        const second = this.seconds.findLast((value) => value <= time % 60);
        if (second !== undefined) return hour * 3600 + minute * 60 + second;
      }
      const earlierMinute = this.minutes.findLast((value) => value < minute);
      if (earlierMinute !== undefined) return hour * 3600 + earlierMinute * 60 + lastSecond;
    }
    const earlierHour = this.hours.findLast((value) => value < hour);
    return earlierHour === undefined ? undefined : earlierHour * 3600 + lastMinute * 60 + lastSecond;
  }
}

/** Two times of the day, in seconds from midnight. */
export type Neighbours = { readonly from: number; readonly to: number };

export const secondsPerDay = 86_400;

/** The number of days in 400 years, after which the Gregorian calendar repeats, including weekdays. */
export const daysOfTheCycle = 146_097;
const monthsOfTheCycle = 4800;

function dateOf(day: number): { readonly year: number; readonly month: number; readonly dayOfMonth: number } {
  const date = new Date(day * secondsPerDay * 1000);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth(), dayOfMonth: date.getUTCDate() };
}

/**
 * The first day of a month, in days since 1970-01-01. `month` counts from 0 and may be outside of the year. Years begin in
 * March here, so that the leap day is the last day. This is ten times as fast as Date.UTC.
 * https://howardhinnant.github.io/date_algorithms.html
 */
function firstOfMonth(year: number, month: number): number {
  const sinceMarch = year * 12 + month - 2;
  const marchYear = Math.floor(sinceMarch / 12);
  const marchMonth = sinceMarch - marchYear * 12;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + Math.floor((153 * marchMonth + 2) / 5) - 719_468;
}

/** Bits 0, 7, 14, 21 and 28. */
const everySeventh = 0x10204081;

function eachPair(values: readonly number[], visit: (a: number, b: number) => void): void {
  for (let index = 1; index < values.length; index += 1) visit(values[index - 1] ?? 0, values[index] ?? 0);
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
