import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bucketsOf, endOfAge } from './retentionCalendar.js';
import type { AgeStyle } from './retentionPolicy.js';
import { anyZone, naiveBuckets, naiveMonthsLater, someInstant } from '../../../test/fixtures/retentionReckoning.js';

describe('endOfAge', () => {
  test.each<[string, AgeStyle, number, string, string]>([
    ['2026-01-01T05:00:00Z', 'HOURS', 36, 'UTC', '2026-01-02T17:00:00.000Z'],
    ['2026-01-01T05:00:00Z', 'DAYS', 7, 'UTC', '2026-01-08T05:00:00.000Z'],
    ['2026-01-01T05:00:00Z', 'WEEKS', 2, 'UTC', '2026-01-15T05:00:00.000Z'],
    ['2026-01-01T05:00:00Z', 'MONTHS', 14, 'UTC', '2027-03-01T05:00:00.000Z'],
    // A day is 24 hours, also over the night in which Berlin's clocks change. A month keeps the local time.
    ['2026-03-28T12:00:00+01:00', 'DAYS', 1, 'Europe/Berlin', '2026-03-29T11:00:00.000Z'],
    ['2026-03-15T12:00:00+01:00', 'MONTHS', 1, 'Europe/Berlin', '2026-04-15T10:00:00.000Z'],
    ['2026-10-15T12:00:00+02:00', 'MONTHS', 1, 'Europe/Berlin', '2026-11-15T11:00:00.000Z'],
    // If a month has no such day, the age ends on its last day.
    ['2026-01-31T05:00:00Z', 'MONTHS', 1, 'UTC', '2026-02-28T05:00:00.000Z'],
    ['2028-01-31T05:00:00Z', 'MONTHS', 1, 'UTC', '2028-02-29T05:00:00.000Z'],
    ['2028-02-29T05:00:00Z', 'MONTHS', 12, 'UTC', '2029-02-28T05:00:00.000Z'],
    ['2026-01-31T05:00:00Z', 'MONTHS', 2, 'UTC', '2026-03-31T05:00:00.000Z'],
    // The calendar of the zone counts: 31 January in Auckland is still the 30th in UTC.
    ['2026-01-31T05:00:00+13:00', 'MONTHS', 1, 'Pacific/Auckland', '2026-02-27T16:00:00.000Z'],
    // 02:30 is skipped on 29 March 2026 and occurs twice on 25 October.
    ['2026-02-28T02:30:00+01:00', 'MONTHS', 1, 'Europe/Berlin', '2026-03-28T01:30:00.000Z'],
    ['2026-01-29T02:30:00+01:00', 'MONTHS', 2, 'Europe/Berlin', '2026-03-29T01:30:00.000Z'],
    ['2026-09-25T02:30:00+02:00', 'MONTHS', 1, 'Europe/Berlin', '2026-10-25T00:30:00.000Z'],
  ])('of %s by %s %i in %s is %s and later ones of %s', (startedAt, style, period, zone, end) => {
    expect(endOfAge(new Date(startedAt), style, period, zone).toISOString()).toBe(end);
  });

  test('computes months like a calendar without Temporal', () => {
    fc.assert(
      fc.property(someInstant, fc.integer({ min: 1, max: 40 }), anyZone, (startedAt, months, zone) => {
        expect(endOfAge(startedAt, 'MONTHS', months, zone)).toEqual(naiveMonthsLater(startedAt, months, zone));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('bucketsOf', () => {
  const bucketsIn = (zone: string, instant: string) => bucketsOf(new Date(instant), zone);

  test('follows the local date', () => {
    expect(bucketsIn('Asia/Kathmandu', '2025-12-31T18:20:00Z')).toEqual({
      hourly: '2026-01-01T0+05:45',
      daily: '2026-01-01',
      weekly: '2025-12-29',
      monthly: '2026-01',
      yearly: '2026',
    });
  });

  test('begins weeks on Monday, also at the turn of the year', () => {
    const weekOf = (instant: string) => bucketsIn('UTC', instant).weekly;
    expect(weekOf('2027-01-03T23:59:59Z')).toBe(weekOf('2026-12-28T00:00:00Z'));
    expect(weekOf('2027-01-04T00:00:00Z')).not.toBe(weekOf('2027-01-03T23:59:59Z'));
  });

  test('has two buckets for a repeated hour', () => {
    const hourOf = (instant: string) => bucketsIn('Europe/Berlin', instant).hourly;
    expect(hourOf('2026-10-25T00:10:00Z')).toBe(hourOf('2026-10-25T00:50:00Z'));
    expect(hourOf('2026-10-25T01:10:00Z')).not.toBe(hourOf('2026-10-25T00:10:00Z'));
  });

  test('separates the same instants as a calendar without Temporal', () => {
    const someSeconds = fc.oneof(
      fc.nat({ max: 2 * 3600 }),
      fc.nat({ max: 40 * 86_400 }),
      fc.nat({ max: 400 * 86_400 }),
    );
    fc.assert(
      fc.property(someInstant, someSeconds, anyZone, (one, seconds, zone) => {
        const other = new Date(one.getTime() + seconds * 1000);
        const [a, b] = [bucketsOf(one, zone), bucketsOf(other, zone)];
        const [naiveA, naiveB] = [naiveBuckets(one, zone), naiveBuckets(other, zone)];
        for (const level of ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const) {
          expect(a[level] === b[level]).toBe(naiveA[level] === naiveB[level]);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
