import { describe, expect, test } from '@jest/globals';
import { shortestGapMs } from '../../../test/fixtures/shortestGapMs.js';
import { checkInterval } from './checkInterval.js';
import { longestGapMs } from './longestGapMs.js';
import { parseFrequency } from './parseFrequency.js';

const now = new Date('2026-03-01T00:00:00Z');
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const check = (typed: string, timeZone: string, minIntervalMs: number) => () =>
  checkInterval(parseFrequency(typed), timeZone, minIntervalMs, now);

describe('a frequency that breaks the smallest interval is refused', () => {
  test('and the error names the two runs', () => {
    expect(check('0,30 0 5 * * *', 'Europe/Berlin', minute)).toThrow(
      'frequency: The runs at 2026-03-02T05:00:00+01:00 and 2026-03-02T05:00:30+01:00 (Europe/Berlin) are 30 s apart; this server allows no less than 1 min.',
    );
  });

  test('also if they are the last run of one day and the first run of the next', () => {
    expect(check('30 0,59 0,23 * * *', 'UTC', 2 * minute)).toThrow(
      '2026-03-02T23:59:30+00:00 and 2026-03-03T00:00:30+00:00',
    );
  });

  test('also if they are too close only because of a clock change', () => {
    expect(check('30 0 2,3 * * *', 'UTC', minute)).not.toThrow();
    expect(check('30 0 2,3 * * *', 'Europe/Berlin', minute)).toThrow(
      '2026-03-29T03:00:00+02:00 and 2026-03-29T03:00:30+02:00',
    );
  });

  test('but not if it has exactly this interval', () => {
    expect(check('0 * * * * *', 'Europe/Berlin', minute)).not.toThrow();
    expect(check('0 * * * * *', 'Europe/Berlin', minute + 1)).toThrow('1 min apart');
  });
});

test.each(['0 0 0 30 2 *', '0 0 0 31 4 *'])('a frequency that never runs is refused: %s', (typed) => {
  expect(check(typed, 'UTC', minute)).toThrow('never runs');
});

describe('the shortest and the longest gap between runs', () => {
  test.each([
    ['0 0 5 * * *', 'UTC', day, day],
    ['0 0 5 * * *', 'Europe/Berlin', day - hour, day + hour],
    ['0 0 5 * * *', 'Asia/Kathmandu', day, day],
    ['0 0 */5 * * *', 'UTC', 4 * hour, 5 * hour],
    ['0 0 * * * *', 'Europe/Berlin', hour, hour],
    ['0 0 0-23 * * *', 'Europe/Berlin', hour, 2 * hour],
    ['0 0 5 * * 1-5', 'UTC', day, 3 * day],
    ['0 0 5 * * 1-5', 'America/New_York', day, 3 * day + hour],
    ['0 0 0 1 * *', 'UTC', 28 * day, 31 * day],
    ['0 0 0 29 2 *', 'UTC', 1461 * day, 1461 * day],
    ['0 0 0 * 6 *', 'UTC', day, 337 * day],
    ['0 0 0 1 * 1', 'UTC', day, 7 * day],
  ])('of %s in %s', (typed, timeZone, shortest, longest) => {
    const frequency = parseFrequency(typed);
    expect(shortestGapMs(frequency, timeZone, now)).toBe(shortest);
    expect(longestGapMs(frequency, timeZone, now)).toBe(longest);
  });

  test('are computed from the next two runs if 30 years contain fewer than two', () => {
    // February 29 on a Saturday or Sunday: 2116, then 2128.
    const frequency = parseFrequency('0 0 0 29 2 */6');
    const from = new Date('2089-01-01T00:00:00Z');
    const gap = Date.parse('2128-02-29') - Date.parse('2116-02-29');
    expect(shortestGapMs(frequency, 'UTC', from)).toBe(gap);
    expect(longestGapMs(frequency, 'UTC', from)).toBe(gap);
  });

  test('are undefined for a frequency that never runs', () => {
    const never = parseFrequency('0 0 0 30 2 *');
    expect(shortestGapMs(never, 'UTC', now)).toBeUndefined();
    expect(longestGapMs(never, 'UTC', now)).toBeUndefined();
  });
});
