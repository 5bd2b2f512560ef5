import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { runsBetween } from '../scheduler/cron/runsBetween.js';
import { countedAtMost, defaultCatchUpWindowMs, dueTicks, onTimeMs } from './dueTicks.js';

const hourMs = 3_600_000;

/** The plan runs daily at 5 in UTC by default. Times are ISO 8601. */
const due = (
  accountedUntil: string,
  now: string,
  { typed = '0 0 5 * * *', timeZone = 'UTC', catchUpWindowMs = null as number | null } = {},
) =>
  dueTicks({
    frequency: parseFrequency(typed),
    timeZone,
    accountedUntil: new Date(accountedUntil),
    now: new Date(now),
    catchUpWindowMs,
  });
const at = (text: string) => new Date(text);

describe('the tick that is due for a destination', () => {
  test('does not exist before the first tick, and not for a tick that was handled', () => {
    const nothing = { run: null, missed: null };
    expect(due('2026-03-01T05:00:00Z', '2026-03-02T04:59:59.999Z')).toEqual(nothing);
    expect(due('2026-03-02T05:00:00Z', '2026-03-02T05:00:00Z')).toEqual(nothing);
    expect(due('2026-03-02T05:00:00Z', '2026-03-02T23:00:00Z')).toEqual(nothing);
  });

  test('is on time for a minute from its instant on, and then a catch-up', () => {
    const run = (now: string) => due('2026-03-01T05:00:00Z', now);
    const tick = at('2026-03-02T05:00:00Z');
    expect(run('2026-03-02T05:00:00Z')).toEqual({ run: { at: tick, trigger: 'SCHEDULE' }, missed: null });
    expect(run('2026-03-02T05:01:00Z').run).toEqual({ at: tick, trigger: 'SCHEDULE' });
    expect(run('2026-03-02T05:01:00.001Z').run).toEqual({ at: tick, trigger: 'CATCH_UP' });
  });

  test('is a catch-up while the latest tick is younger than half the interval, and afterwards a missed tick', () => {
    const run = (now: string) => due('2026-03-01T05:00:00Z', now);
    const tick = at('2026-03-02T05:00:00Z');
    expect(run('2026-03-02T16:59:59Z').run).toEqual({ at: tick, trigger: 'CATCH_UP' });
    expect(run('2026-03-02T17:00:00Z')).toEqual({ run: null, missed: { count: 1, from: tick, to: tick } });
  });

  test('is a catch-up only within the window of the plan, also a short one', () => {
    const within = (catchUpWindowMs: number) =>
      due('2026-03-01T05:00:00Z', '2026-03-02T05:30:00Z', { catchUpWindowMs }).run?.trigger;
    expect(within(hourMs / 2 + 1)).toBe('CATCH_UP');
    expect(within(hourMs / 2)).toBeUndefined();
    // A busy process is not a downtime, so the window does not affect a tick that is on time.
    expect(due('2026-03-01T05:00:00Z', '2026-03-02T05:00:30Z', { catchUpWindowMs: 1 }).run?.trigger).toBe('SCHEDULE');
  });

  test('after days of downtime is one catch-up run, with the earlier ticks as one record', () => {
    expect(due('2026-03-01T05:00:00Z', '2026-03-06T09:00:00Z')).toEqual({
      run: { at: at('2026-03-06T05:00:00Z'), trigger: 'CATCH_UP' },
      missed: { count: 4, from: at('2026-03-02T05:00:00Z'), to: at('2026-03-05T05:00:00Z') },
    });
  });

  test('is counted exactly for a month of missed minutes, and has the largest count for two years of them', () => {
    const minutely = { typed: '0 * * * * *' };
    expect(due('2026-03-01T00:00:00Z', '2026-04-01T00:00:30Z', minutely)).toEqual({
      run: { at: at('2026-04-01T00:00:00Z'), trigger: 'SCHEDULE' },
      missed: { count: 31 * 1440 - 1, from: at('2026-03-01T00:01:00Z'), to: at('2026-03-31T23:59:00Z') },
    });
    expect(due('2024-03-01T00:00:00Z', '2026-03-01T00:00:30Z', minutely).missed).toEqual({
      count: countedAtMost,
      from: at('2024-03-01T00:01:00Z'),
      to: at('2026-02-28T23:59:00Z'),
    });
  });

  test('follows the clock changes of the zone: a tick in the gap is due at its end, and a repeated tick is due once', () => {
    const berlin = { typed: '0 30 2 * * *', timeZone: 'Europe/Berlin' };
    expect(due('2026-03-28T01:30:00Z', '2026-03-29T01:00:10Z', berlin)).toEqual({
      run: { at: at('2026-03-29T01:00:00Z'), trigger: 'SCHEDULE' },
      missed: null,
    });
    expect(due('2026-10-24T00:30:00Z', '2026-10-25T00:30:05Z', berlin).run?.at).toEqual(at('2026-10-25T00:30:00Z'));
    expect(due('2026-10-25T00:30:00Z', '2026-10-25T01:30:05Z', berlin)).toEqual({ run: null, missed: null });
  });

  test('does not exist for a frequency that never ran', () => {
    expect(due('2026-03-01T00:00:00Z', '2026-03-02T00:00:00Z', { typed: '0 0 0 30 2 *' })).toEqual({
      run: null,
      missed: null,
    });
  });
});

describe('the default catch-up window', () => {
  const window = (typed: string, tick: string) =>
    defaultCatchUpWindowMs(parseFrequency(typed), 'UTC', new Date(tick)) / hourMs;

  test('is half of the time to the next tick, and at least an hour', () => {
    expect(window('0 0 5 * * *', '2026-03-02T05:00:00Z')).toBe(12);
    expect(window('0 0 9,17 * * *', '2026-03-02T09:00:00Z')).toBe(4);
    expect(window('0 0 9,17 * * *', '2026-03-02T17:00:00Z')).toBe(8);
    expect(window('0 0 * * * *', '2026-03-02T05:00:00Z')).toBe(1);
  });
});

describe('for checks of a destination at any times', () => {
  const typed = fc.constantFrom(
    '0 */20 * * * *',
    '0 15 * * * *',
    '0 0 */5 * * *',
    '0 30 1-3 * * *',
    '0 30 2 * * *',
    '0 0 9,17 * * MON-FRI',
    '0 0 0 L * *',
  );
  const timeZone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu');
  const pauseMs = fc.oneof(
    fc.integer({ min: 0, max: 3 * onTimeMs }),
    fc.integer({ min: 0, max: 30 * hourMs }),
    fc.integer({ min: 0, max: 9 * 24 * hourMs }),
  );
  const catchUpWindowMs = fc.oneof(fc.constant(null), fc.integer({ min: 1_000, max: 48 * hourMs }));
  // Times around both clock changes of the zones, in both hemispheres.
  const start = fc.date({ min: at('2026-02-20T00:00:00Z'), max: at('2026-11-10T00:00:00Z'), noInvalidDate: true });

  test('every tick is run or missed exactly once, on time or within the window', () => {
    fc.assert(
      fc.property(
        fc.record({
          typed,
          timeZone,
          catchUpWindowMs,
          start,
          pauses: fc.array(pauseMs, { minLength: 1, maxLength: 6 }),
        }),
        ({ typed, timeZone, catchUpWindowMs, start, pauses }) => {
          const frequency = parseFrequency(typed);
          const ticks = (from: Date, to: Date) => runsBetween(frequency, timeZone, from, to, Infinity);
          const handled: number[] = [];
          let accountedUntil = start;
          let now = start;
          for (const pause of pauses) {
            now = new Date(now.getTime() + pause);
            const given = { frequency, timeZone, accountedUntil, now, catchUpWindowMs };
            const { run, missed } = dueTicks(given);
            const latest = ticks(accountedUntil, now).at(-1);
            if (missed !== null) {
              const recorded = ticks(new Date(missed.from.getTime() - 1), missed.to);
              expect(recorded).toHaveLength(missed.count);
              expect([recorded.at(0), recorded.at(-1)]).toEqual([missed.from, missed.to]);
              handled.push(...recorded.map((tick) => tick.getTime()));
              accountedUntil = missed.to;
            }
            if (latest === undefined) expect(run).toBeNull();
            else {
              const lateMs = now.getTime() - latest.getTime();
              const windowMs = catchUpWindowMs ?? defaultCatchUpWindowMs(frequency, timeZone, latest);
              const expected = lateMs <= onTimeMs ? 'SCHEDULE' : lateMs < windowMs ? 'CATCH_UP' : undefined;
              expect(run?.trigger).toBe(expected);
            }
            if (run !== null) {
              expect(run.at).toEqual(latest);
              handled.push(run.at.getTime());
              accountedUntil = run.at;
            }
            expect(dueTicks({ ...given, accountedUntil })).toEqual({ run: null, missed: null });
          }
          expect(handled).toEqual(ticks(start, now).map((tick) => tick.getTime()));
        },
      ),
      { numRuns: 200 },
    );
  });
});
