import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shortestGapMs } from '../../../test/fixtures/shortestGapMs.js';
import { Temporal } from 'temporal-polyfill';
import { longestGapMs } from './longestGapMs.js';
import { nextRun } from './nextRun.js';
import { parseFrequency } from './parseFrequency.js';
import { previousRun } from './previousRun.js';
import { runsBetween } from './runsBetween.js';

/**
 * Compares the runs with those of a simple clock that advances step by step. It uses no code of the implementation: it
 * checks numbers against patterns by itself, and local times come from Temporal.
 */
const changes: readonly (readonly [timeZone: string, at: string])[] = [
  ['Europe/Berlin', '2026-03-29T01:00:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00:00Z'],
  ['America/New_York', '2026-03-08T07:00:00Z'],
  ['America/New_York', '2026-11-01T06:00:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30:00Z'],
  ['Africa/Casablanca', '2026-02-15T02:00:00Z'],
  ['Africa/Casablanca', '2026-03-22T02:00:00Z'],
  ['Asia/Kathmandu', '1985-12-31T18:30:00Z'],
  ['Asia/Kathmandu', '2026-02-28T18:15:00Z'],
];
const skippedDay = ['Pacific/Apia', '2011-12-30T10:00:00Z'] as const;

type Face = {
  readonly second: number;
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  readonly month: number;
  readonly weekday: number;
  readonly isLastDay: boolean;
};
type Step = { readonly at: number; readonly shown: number; readonly face: Face };

function walk(timeZone: string, around: string, reachHours: number, stepSeconds: number): readonly Step[] {
  const middle = Date.parse(around) / 1000;
  const steps: Step[] = [];
  for (let minute = middle - reachHours * 3600; minute < middle + reachHours * 3600; minute += 60) {
    // Temporal is slow, and all these clocks change at whole minutes.
    const local = Temporal.Instant.fromEpochMilliseconds(minute * 1000)
      .toZonedDateTimeISO(timeZone)
      .toPlainDateTime();
    const shownAtMinute = Date.UTC(local.year, local.month - 1, local.day, local.hour, local.minute) / 1000;
    for (let second = 0; second < 60; second += stepSeconds)
      steps.push({ at: minute + second, shown: shownAtMinute + second, face: faceOf(shownAtMinute + second) });
  }
  return steps;
}

function faceOf(shown: number): Face {
  const date = new Date(shown * 1000);
  return {
    second: date.getUTCSeconds(),
    minute: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    day: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    weekday: date.getUTCDay(),
    isLastDay: new Date((shown + 86_400) * 1000).getUTCDate() === 1,
  };
}

type Field = { readonly text: string; readonly matches: (value: number, face: Face) => boolean };
type Pattern = Readonly<Record<'second' | 'minute' | 'hour' | 'day' | 'month' | 'weekday', Field>>;

const textOf = ({ second, minute, hour, day, month, weekday }: Pattern) =>
  [second, minute, hour, day, month, weekday].map(({ text }) => text).join(' ');

function runsOf(pattern: Pattern): (face: Face) => boolean {
  const open = /^[*?]/;
  const either = !open.test(pattern.day.text) && !open.test(pattern.weekday.text);
  const matchesDay = (face: Face) => {
    const day = pattern.day.matches(face.day, face);
    const weekday = pattern.weekday.matches(face.weekday, face);
    return either ? day || weekday : day && weekday;
  };
  return (face) =>
    pattern.second.matches(face.second, face) &&
    pattern.minute.matches(face.minute, face) &&
    pattern.hour.matches(face.hour, face) &&
    pattern.month.matches(face.month, face) &&
    matchesDay(face);
}

/** The runs after the first step. */
function expectedRuns(pattern: Pattern, steps: readonly Step[], stepSeconds: number): readonly number[] {
  const everyInstant = /^\*(\/\d+)?$/.test(pattern.hour.text);
  const isRun = runsOf(pattern);
  const runs: number[] = [];
  let latest = steps[0]?.shown ?? 0;
  for (const { at, shown, face } of steps.slice(1)) {
    if (everyInstant) {
      if (isRun(face)) runs.push(at);
      continue;
    }
    let due = false;
    for (let passed = latest + stepSeconds; passed <= shown && !due; passed += stepSeconds)
      due = isRun(passed === shown ? face : faceOf(passed));
    if (due) runs.push(at);
    latest = Math.max(latest, shown);
  }
  return runs;
}

const star: Field = { text: '*', matches: () => true };
const number = (min: number, max: number) => fc.integer({ min, max });
const list = (min: number, max: number): fc.Arbitrary<Field> =>
  fc.array(number(min, max), { minLength: 1, maxLength: 4 }).map((values) => ({
    text: values.join(','),
    matches: (value) => values.includes(value),
  }));
const range = (min: number, max: number): fc.Arbitrary<Field> =>
  fc.tuple(number(min, max), number(min, max)).map((ends) => {
    const [from, to] = [Math.min(...ends), Math.max(...ends)];
    return { text: `${from}-${to}`, matches: (value) => value >= from && value <= to };
  });
const starStep = (min: number, most: number, least = 1): fc.Arbitrary<Field> =>
  number(least, most).map((step) => ({ text: `*/${step}`, matches: (value) => (value - min) % step === 0 }));
const lastDay: Field = { text: 'L', matches: (_value, face) => face.isLastDay };
const listAndLast = list(1, 31).map(({ text, matches }): Field => ({
  text: `${text},L`,
  matches: (value, face) => matches(value, face) || face.isLastDay,
}));
const weekdays: Field = { text: 'MON-FRI', matches: (value) => value >= 1 && value <= 5 };
const sevens: Field = { text: '6-7', matches: (value) => value === 6 || value === 0 };
const nightHours24: Field = { text: '22-24', matches: (value) => value >= 22 || value === 0 };

const onlyZero: Field = { text: '0', matches: (value) => value === 0 };
const onceAnHourOrMore = fc.oneof(list(0, 59), range(0, 59), starStep(0, 59));
const hour = fc.oneof(
  list(0, 4),
  list(0, 23),
  range(0, 5),
  range(0, 23),
  starStep(0, 5),
  starStep(0, 23),
  fc.constant(star),
);
const day = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(star, { ...star, text: '?' }) },
  { weight: 3, arbitrary: fc.oneof(list(1, 31), range(1, 31), starStep(1, 30), listAndLast, fc.constant(lastDay)) },
);
const month = fc.oneof({ weight: 4, arbitrary: fc.constant(star) }, list(1, 12), starStep(1, 11));
const weekday = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(star, { ...star, text: '?' }) },
  { weight: 3, arbitrary: fc.oneof(list(0, 6), starStep(0, 6), fc.constantFrom(weekdays, sevens)) },
);

const anyPattern = (second: fc.Arbitrary<Field>): fc.Arbitrary<Pattern> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ second, minute: onceAnHourOrMore, hour, day, month, weekday }) },
    { weight: 1, arbitrary: second.map((only) => ({ ...everyMinute, second: only })) },
    {
      weight: 1,
      arbitrary: fc.record({ ...everyMinuteOf, second, minute: onceAnHourOrMore, hour: fc.constant(nightHours24) }),
    },
  );
const everyMinute: Pattern = { second: onlyZero, minute: star, hour: star, day: star, month: star, weekday: star };
const everyMinuteOf = { day: fc.constant(star), month: fc.constant(star), weekday: fc.constant(star) };

function expectSameRuns(pattern: Pattern, timeZone: string, steps: readonly Step[], stepSeconds: number): void {
  const frequency = parseFrequency(textOf(pattern));
  const from = new Date((steps[0]?.at ?? 0) * 1000);
  const to = new Date((steps.at(-1)?.at ?? 0) * 1000);
  const expected = expectedRuns(pattern, steps, stepSeconds).map((at) => at * 1000);
  const forward = runsBetween(frequency, timeZone, from, to, Infinity).map((run) => run.getTime());
  expect(forward).toEqual(expected);

  const backward: number[] = [];
  let run = previousRun(frequency, timeZone, new Date(to.getTime() + 1));
  while (run !== undefined && run > from && backward.length <= expected.length) {
    backward.unshift(run.getTime());
    run = previousRun(frequency, timeZone, run);
  }
  expect(backward).toEqual(expected);

  const samples = 20;
  for (let sample = 1; sample < samples; sample += 1) {
    const now = (steps[Math.floor((sample * steps.length) / samples)]?.at ?? 0) * 1000;
    const later = expected.find((at) => at > now);
    const earlier = expected.findLast((at) => at < now);
    if (later !== undefined) expect(nextRun(frequency, timeZone, new Date(now))?.getTime()).toBe(later);
    if (earlier !== undefined) expect(previousRun(frequency, timeZone, new Date(now))?.getTime()).toBe(earlier);
  }
}

describe('runs equal those of a clock that advances step by step', () => {
  test.each(changes)('second by second, in %s around %s', (timeZone, around) => {
    const steps = walk(timeZone, around, 1.5, 1);
    const second = fc.oneof(fc.constant(onlyZero), list(0, 59), starStep(0, 59, 15));
    fc.assert(
      fc.property(anyPattern(second), (pattern) => expectSameRuns(pattern, timeZone, steps, 1)),
      { numRuns: 25 },
    );
  });

  test.each([...changes, skippedDay])('minute by minute, in %s for three days around %s', (timeZone, around) => {
    const steps = walk(timeZone, around, 36, 60);
    fc.assert(
      fc.property(anyPattern(fc.constant(onlyZero)), (pattern) => expectSameRuns(pattern, timeZone, steps, 60)),
      { numRuns: 25 },
    );
  });
});

describe('for any frequency, zone and time,', () => {
  const timeZone = fc.constantFrom(...new Set([...changes.map(([zone]) => zone), 'Pacific/Apia', 'UTC']));
  const time = fc.date({ min: new Date('2005-01-01'), max: new Date('2045-01-01'), noInvalidDate: true });
  const pattern = anyPattern(fc.oneof(fc.constant(onlyZero), list(0, 59)));

  test('runs are in strict order, and the previous run of a run is the one before it', () => {
    fc.assert(
      fc.property(pattern, timeZone, time, (fields, zone, start) => {
        const frequency = parseFrequency(textOf(fields));
        let before = nextRun(frequency, zone, start);
        if (before === undefined) return;
        expect(before.getTime()).toBeGreaterThan(start.getTime());
        expect(previousRun(frequency, zone, new Date(before.getTime() + 1))).toEqual(before);
        for (let count = 0; count < 5; count += 1) {
          const run = nextRun(frequency, zone, before);
          if (run === undefined) throw new Error('A frequency that runs once runs again within 400 years.');
          expect(run.getTime()).toBeGreaterThan(before.getTime());
          expect(previousRun(frequency, zone, run)).toEqual(before);
          before = run;
        }
      }),
      { numRuns: 300 },
    );
  });

  test('the normalised form has the same runs', () => {
    fc.assert(
      fc.property(pattern, timeZone, time, (fields, zone, start) => {
        const frequency = parseFrequency(textOf(fields));
        const again = parseFrequency(frequency.normalized);
        expect(again.normalized).toBe(frequency.normalized);
        const end = new Date(start.getTime() + 40 * 86_400_000);
        expect(runsBetween(again, zone, start, end, 50)).toEqual(runsBetween(frequency, zone, start, end, 50));
      }),
      { numRuns: 100 },
    );
  });

  test('no two runs of the following year are closer or farther apart than the shortest and the longest gap', () => {
    fc.assert(
      fc.property(pattern, timeZone, time, (fields, zone, start) => {
        const frequency = parseFrequency(textOf(fields));
        const end = new Date(start.getTime() + 400 * 86_400_000);
        const runs = runsBetween(frequency, zone, start, end, 1000).map((run) => run.getTime());
        const gaps = runs.slice(1).map((run, index) => run - (runs[index] ?? 0));
        if (gaps.length === 0) return;
        expect(Math.min(...gaps)).toBeGreaterThanOrEqual(shortestGapMs(frequency, zone, start) ?? Infinity);
        expect(Math.max(...gaps)).toBeLessThanOrEqual(longestGapMs(frequency, zone, start) ?? 0);
      }),
      { numRuns: 60 },
    );
  });
});
