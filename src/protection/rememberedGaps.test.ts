import { describe, expect, test } from '@jest/globals';
import { RememberedGaps } from './rememberedGaps.js';

const hourMs = 3_600_000;
const day = new Date('2026-01-10T12:00:00Z');
const daily = { normalized: '0 0 5 * * *', timeZone: 'UTC' };

const oneGap = async (gaps: RememberedGaps, schedule: typeof daily, now: Date) =>
  (await gaps.gapsMs([schedule], now))[0];

describe('the gaps of schedules', () => {
  test('are the longest between two runs, by the clocks of the zone', async () => {
    const gaps = new RememberedGaps();
    expect(await oneGap(gaps, daily, day)).toBe(24 * hourMs);
    expect(await oneGap(gaps, { ...daily, timeZone: 'Europe/Berlin' }, day)).toBe(25 * hourMs);
    expect(await oneGap(gaps, { ...daily, normalized: '0 0 8,20 * * 1-5' }, day)).toBe(60 * hourMs);
  });

  test('are unknown for an unknown frequency, and for a frequency with at most one run', async () => {
    const gaps = new RememberedGaps();
    expect(await oneGap(gaps, { normalized: 'whenever', timeZone: 'UTC' }, day)).toBeUndefined();
    expect(await oneGap(gaps, { ...daily, timeZone: 'Mars/Olympus' }, day)).toBeUndefined();
    expect(await oneGap(gaps, { ...daily, normalized: '0 0 0 30 2 *' }, day)).toBeUndefined();
  });

  test('are computed once for thousands of plans, and again on the next day', async () => {
    const gaps = new RememberedGaps();
    const leap = { normalized: '0 0 0 29 2 *', timeZone: 'UTC' };
    expect(await oneGap(gaps, leap, day)).toBe((3 * 365 + 366) * 24 * hourMs);
    const begun = performance.now();
    await gaps.gapsMs(Array<typeof leap>(100_000).fill(leap), day);
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(await oneGap(gaps, leap, new Date('2090-01-01T00:00:00Z'))).toBe((8 * 365 + 1) * 24 * hourMs);
  });

  test('are correct also for more schedules than the cache holds', async () => {
    const gaps = new RememberedGaps(3);
    const hours = Array.from({ length: 24 }, (_, hour) => ({ ...daily, normalized: `0 0 ${hour} * * *` }));
    expect(await gaps.gapsMs([...hours, ...hours], day)).toEqual(Array(48).fill(24 * hourMs));
  });

  test('let other work run while many schedules are new', async () => {
    const schedules = Array.from({ length: 500 }, (_, n) => ({
      ...daily,
      normalized: `0 ${n % 60} ${Math.floor(n / 60)} * * *`,
    }));
    let turns = 0;
    let isDone = false;
    const other = () => {
      turns += 1;
      if (!isDone) setImmediate(other);
    };
    setImmediate(other);
    await new RememberedGaps().gapsMs(schedules, day);
    isDone = true;
    expect(turns).toBeGreaterThan(1);
  });
});
