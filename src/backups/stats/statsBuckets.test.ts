import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mostBuckets, statsBuckets, type StatsBucket } from './statsBuckets.js';

const beginnings = (...[bucket, zone, from, until]: readonly [StatsBucket, string, string, string]) =>
  statsBuckets(bucket, zone, new Date(from), new Date(until)).map((each) => each.toISOString());

describe('the buckets of statistics', () => {
  test('are days of 23 and 25 hours if the clocks change', () => {
    expect(beginnings('DAY', 'Europe/Berlin', '2026-03-28T10:00:00Z', '2026-03-31T00:00:00Z')).toEqual([
      '2026-03-27T23:00:00.000Z',
      '2026-03-28T23:00:00.000Z',
      '2026-03-29T22:00:00.000Z',
      '2026-03-30T22:00:00.000Z',
    ]);
    expect(beginnings('DAY', 'Europe/Berlin', '2026-10-24T22:00:00Z', '2026-10-26T12:00:00Z')).toEqual([
      '2026-10-24T22:00:00.000Z',
      '2026-10-25T23:00:00.000Z',
    ]);
  });

  test('begin at the first instant of a day that has no midnight', () => {
    expect(beginnings('DAY', 'Africa/Cairo', '2026-04-23T12:00:00Z', '2026-04-24T23:00:00Z')).toEqual([
      '2026-04-22T22:00:00.000Z',
      '2026-04-23T22:00:00.000Z',
      '2026-04-24T21:00:00.000Z',
    ]);
  });

  test('are two if the clocks show an hour twice', () => {
    expect(beginnings('HOUR', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T02:30:00Z')).toEqual([
      '2026-10-25T00:00:00.000Z',
      '2026-10-25T01:00:00.000Z',
      '2026-10-25T02:00:00.000Z',
    ]);
    expect(beginnings('HOUR', 'Asia/Kathmandu', '2026-01-01T00:00:00Z', '2026-01-01T00:30:00Z')).toEqual([
      '2025-12-31T23:15:00.000Z',
      '2026-01-01T00:15:00.000Z',
    ]);
  });

  test('are weeks from Monday and months of any length', () => {
    expect(beginnings('WEEK', 'UTC', '2026-03-05T00:00:00Z', '2026-03-16T00:00:00Z')).toEqual([
      '2026-03-02T00:00:00.000Z',
      '2026-03-09T00:00:00.000Z',
    ]);
    expect(beginnings('MONTH', 'America/New_York', '2026-02-10T00:00:00Z', '2026-04-01T04:00:00.001Z')).toEqual([
      '2026-02-01T05:00:00.000Z',
      '2026-03-01T05:00:00.000Z',
      '2026-04-01T04:00:00.000Z',
    ]);
  });

  test('are none for an empty time, and no bucket begins at the end of the time', () => {
    expect(beginnings('DAY', 'UTC', '2026-01-02T00:00:00Z', '2026-01-02T00:00:00Z')).toEqual([]);
    expect(beginnings('DAY', 'UTC', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z')).toHaveLength(1);
  });

  test(`are at most ${mostBuckets}; a request for more is refused with a hint`, () => {
    const from = new Date('2026-01-01T00:00:00Z');
    const after = (hours: number) => new Date(from.getTime() + hours * 3_600_000);
    expect(statsBuckets('HOUR', 'UTC', from, after(mostBuckets))).toHaveLength(mostBuckets);
    expect(() => statsBuckets('HOUR', 'UTC', from, after(mostBuckets + 1))).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT', message: expect.stringMatching('more than 2000') }),
    );
  });

  test('cover every instant from the first to the last exactly once, in any zone and at any time', () => {
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/Sao_Paulo',
      'Australia/Lord_Howe',
      'Africa/Cairo',
      'Asia/Kathmandu',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom<StatsBucket>('HOUR', 'DAY', 'WEEK', 'MONTH'),
        fc.constantFrom(...zones),
        fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2035, 0) }),
        fc.integer({ min: 1, max: 40 * 86_400_000 }),
        (bucket, zone, from, length) => {
          const found = statsBuckets(bucket, zone, new Date(from), new Date(from + length)).map(Number);
          expect(found).toEqual([...new Set(found)].sort((a, b) => a - b));
          expect(found[0]).toBeLessThanOrEqual(from);
          expect(found[1] ?? Infinity).toBeGreaterThan(from);
          expect(found.at(-1)).toBeLessThan(from + length);
        },
      ),
      { numRuns: 200 },
    );
  });
});
