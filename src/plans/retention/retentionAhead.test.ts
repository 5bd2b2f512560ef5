/**
 * Compares the forecasts of retention with a step-by-step simulation of the future that computes the rules
 * independently.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  naiveBuckets,
  someHistoryBefore,
  somePolicy,
  someZone,
  walkOn,
} from '../../../test/fixtures/retentionReckoning.js';
import { parseFrequency } from '../../scheduler/cron/parseFrequency.js';
import { runsBetween } from '../../scheduler/cron/runsBetween.js';
import { bucketsOf, endOfBucket } from './retentionCalendar.js';
import { forecastDeletions } from './retentionForecast.js';
import { gfsLevels, type RetentionPolicy } from './retentionPolicy.js';
import { previewRetention } from './retentionPreview.js';
import { decisiveRuns } from './runsToCome.js';

const dayMs = 86_400_000;
/**
 * Times before a change of the clocks, and before the ends of a short month, of a year and of a leap year's February.
 */
const someNow = fc.constantFrom(
  ...[
    '2026-03-27T10:00:00Z',
    '2026-10-22T21:30:00Z',
    '2027-01-30T12:00:00Z',
    '2028-02-27T23:00:00Z',
    '2026-12-29T04:00:00Z',
  ],
);
const someFrequency = fc
  .constantFrom('@daily', '0 0 */6 * * *', '0 30 2 * * *', '0 0 5 L * *', '0 0 1,13 * * 1-5', '0 0 */4 * * 6')
  .map((text) => parseFrequency(text));

const isByAge = ({ style }: RetentionPolicy) => style !== 'FILES' && style !== 'GFS' && style !== 'ALL';
/** All instants of these tests are at half hours, so steps of half an hour find the end of an age exactly. */
const stepOf = (policy: RetentionPolicy) => (isByAge(policy) ? 1_800_000 : dayMs / 4);

type Given = {
  readonly policy: RetentionPolicy;
  readonly frequency: ReturnType<typeof parseFrequency>;
  readonly timeZone: string;
  readonly now: Date;
  readonly backups: Parameters<typeof forecastDeletions>[0]['backups'];
};

const someGiven: fc.Arbitrary<Given> = someNow.chain((text) => {
  const now = new Date(text);
  return fc.record({
    policy: somePolicy,
    frequency: someFrequency,
    timeZone: someZone,
    now: fc.constant(now),
    backups: fc.oneof(someHistoryBefore(now, 100), someHistoryBefore(now, 48 * 90)),
  });
});

function walked({ policy, frequency, timeZone, now, backups }: Given, days: number) {
  const to = new Date(now.getTime() + days * dayMs);
  const runs = runsBetween(frequency, timeZone, now, to, 100_000);
  return { to, runs, ...walkOn({ policy, backups, runs, from: now, to, stepMs: stepOf(policy), timeZone }) };
}

describe('the forecast of deletions', () => {
  test('is the instant at which a simulation of the future deletes the backup, or null if it stays', () => {
    fc.assert(
      fc.property(someGiven, (given) => {
        const { policy, frequency, timeZone, now, backups } = given;
        const nextRuns = decisiveRuns(policy, { frequency, timeZone }, now);
        const { there } = forecastDeletions({ policy, backups, nextRuns, timeZone });
        const { deletedAt, to } = walked(given, 45);
        for (const { id } of backups) {
          const expected = there.get(id) ?? null;
          const due = expected === null ? undefined : new Date(Math.max(expected.getTime(), now.getTime()));
          expect(deletedAt.get(id)).toEqual(due === undefined || due > to ? undefined : due);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('depends only on the existing backups if the plan is paused', () => {
    fc.assert(
      fc.property(someGiven, ({ policy, timeZone, now, backups }) => {
        const { there } = forecastDeletions({ policy, backups, nextRuns: [], timeZone });
        const to = new Date(now.getTime() + 45 * dayMs);
        const stepMs = stepOf(policy);
        const { deletedAt } = walkOn({ policy, backups, runs: [], from: now, to, stepMs, timeZone });
        for (const { id } of backups) {
          const expected = there.get(id) ?? null;
          const due = expected === null ? undefined : new Date(Math.max(expected.getTime(), now.getTime()));
          expect(deletedAt.get(id)).toEqual(due === undefined || due > to ? undefined : due);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('covers years for the yearly level of GFS and does not compute every run', () => {
    const schedule = { frequency: parseFrequency('0 0 * * * *'), timeZone: 'Europe/Berlin' };
    const gfs = { hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 5 };
    const now = new Date('2026-06-01T00:30:00Z');
    const nextRuns = decisiveRuns({ style: 'GFS', gfs }, schedule, now);
    expect(nextRuns).toHaveLength(5);
    const lastYear = { id: 'a', startedAt: new Date('2025-12-31T22:00:00Z'), trigger: 'SCHEDULE' as const };
    const backups = [{ ...lastYear, counted: true, verified: false, protectedBy: [] }];
    const { there } = forecastDeletions({
      policy: { style: 'GFS', gfs },
      backups,
      nextRuns,
      timeZone: 'Europe/Berlin',
    });
    expect(there.get('a')).toEqual(new Date('2029-12-31T23:00:00Z'));
  });
});

describe('the preview', () => {
  test('shows the backups at the end of each day and the deletions during it, in the same way as a simulation', () => {
    fc.assert(
      fc.property(someGiven, fc.nat({ max: 9 }), (given, size) => {
        const { policy, timeZone, now, backups } = given;
        const days = 30;
        const sizeOf = (id: string) => (id.startsWith('run') ? size : id.charCodeAt(0));
        const { runs, deletedAt, added } = walked(given, days + 2);
        const preview = previewRetention({
          ...{ policy, timeZone, now, days, sizeOfOneBytes: size },
          destinations: [
            { backups: backups.map((one) => ({ ...one, storedSizeBytes: sizeOf(one.id) })), runs },
            { backups: [], runs },
          ],
        });
        const alone = walkOn({
          ...{ policy, backups: [], runs, from: now, to: new Date(now.getTime() + (days + 2) * dayMs), timeZone },
          stepMs: stepOf(policy),
        });

        const dayOf = (instant: Date) => naiveBuckets(instant, timeZone).daily;
        expect(new Set(preview.map(({ date }) => date)).size).toBe(days);
        expect(preview[0]?.date).toBe(dayOf(now));
        for (const { date, ...shown } of preview) {
          const stand = [
            { list: [...backups, ...added], deletedAt },
            { list: alone.added, deletedAt: alone.deletedAt },
          ].map((walk) => {
            const goneOn = (id: string) => {
              const at = walk.deletedAt.get(id);
              return at === undefined ? '9999' : dayOf(at);
            };
            const left = walk.list.filter(({ id, startedAt }) => dayOf(startedAt) <= date && goneOn(id) > date);
            return {
              kept: left.length,
              deleted: walk.list.filter(({ id }) => goneOn(id) === date).length,
              storedSizeBytes: left.reduce((sum, { id }) => sum + sizeOf(id), 0),
            };
          });
          expect({ date, ...shown }).toEqual({
            date,
            kept: sum(stand, 'kept'),
            deleted: sum(stand, 'deleted'),
            storedSizeBytes: sum(stand, 'storedSizeBytes'),
          });
        }
      }),
      { numRuns: 15 },
    );
  });
});

describe('the end of a bucket', () => {
  test('is the first instant in another bucket', () => {
    const someInstant = fc.integer({ min: Date.UTC(2019, 11, 1) / 1000, max: Date.UTC(2030, 1, 1) / 1000 });
    fc.assert(
      fc.property(someInstant, fc.constantFrom(...gfsLevels), someZone, (seconds, level, timeZone) => {
        const instant = new Date(seconds * 1000);
        const end = endOfBucket(instant, level, timeZone);
        expect(end > instant).toBe(true);
        const bucket = bucketsOf(instant, timeZone)[level];
        expect(bucketsOf(new Date(end.getTime() - 1), timeZone)[level]).toBe(bucket);
        expect(bucketsOf(end, timeZone)[level]).not.toBe(bucket);
      }),
      { numRuns: 400 },
    );
  });

  test('comes early if the clocks change within the hour', () => {
    // 2:00 becomes 1:30 on Lord Howe Island.
    const end = endOfBucket(new Date('2026-04-04T14:40:00Z'), 'hourly', 'Australia/Lord_Howe');
    expect(end).toEqual(new Date('2026-04-04T15:00:00Z'));
  });
});

function sum<Key extends string>(of: readonly Readonly<Record<Key, number>>[], key: Key): number {
  return of.reduce((total, each) => total + each[key], 0);
}
