import { describe, expect, test } from '@jest/globals';
import { RememberedGaps } from './rememberedGaps.js';

const hourMs = 3_600_000;
const day = new Date('2026-01-10T12:00:00Z');
const daily = { normalized: '0 0 5 * * *', timeZone: 'UTC' };

describe('the gaps of schedules', () => {
  test('are the longest between two runs, by the clocks of the zone', () => {
    const gaps = new RememberedGaps();
    expect(gaps.gapMs(daily, day)).toBe(24 * hourMs);
    expect(gaps.gapMs({ ...daily, timeZone: 'Europe/Berlin' }, day)).toBe(25 * hourMs);
    expect(gaps.gapMs({ ...daily, normalized: '0 0 8,20 * * 1-5' }, day)).toBe(60 * hourMs);
  });

  test('are unknown for an unknown frequency, and for a frequency with at most one run', () => {
    const gaps = new RememberedGaps();
    expect(gaps.gapMs({ normalized: 'whenever', timeZone: 'UTC' }, day)).toBeUndefined();
    expect(gaps.gapMs({ ...daily, timeZone: 'Mars/Olympus' }, day)).toBeUndefined();
    expect(gaps.gapMs({ ...daily, normalized: '0 0 0 30 2 *' }, day)).toBeUndefined();
  });

  test('are computed once for thousands of plans, and again on the next day', () => {
    const gaps = new RememberedGaps();
    const leap = { normalized: '0 0 0 29 2 *', timeZone: 'UTC' };
    expect(gaps.gapMs(leap, day)).toBe((3 * 365 + 366) * 24 * hourMs);
    const begun = performance.now();
    for (let plan = 0; plan < 100_000; plan += 1) gaps.gapMs(leap, day);
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(gaps.gapMs(leap, new Date('2090-01-01T00:00:00Z'))).toBe((8 * 365 + 1) * 24 * hourMs);
  });

  test('are correct also for more schedules than the cache holds', () => {
    const gaps = new RememberedGaps(3);
    const hours = Array.from({ length: 24 }, (_, hour) => ({ ...daily, normalized: `0 0 ${hour} * * *` }));
    for (const schedule of [...hours, ...hours]) expect(gaps.gapMs(schedule, day)).toBe(24 * hourMs);
  });
});
