import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { someHistory, somePolicy, someZone } from '../../../test/fixtures/retentionReckoning.js';
import { decideRetention, type RetainedBackup } from './retention.js';
import { forecastDeletions } from './retentionForecast.js';
import type { RetentionPolicy } from './retentionPolicy.js';

const dayMs = 86_400_000;
const at5 = (day: number) => new Date(Date.UTC(2026, 5, day, 5));

function backup(day: number, but: Partial<RetainedBackup> = {}): RetainedBackup {
  const id = `2026-06-${String(day).padStart(2, '0')}`;
  return { id, startedAt: at5(day), trigger: 'SCHEDULE', counted: true, verified: true, protectedBy: [], ...but };
}

/** The expected deletion times of the backups of the days up to the 5th. By default the plan continues daily. */
function forecast(
  policy: RetentionPolicy,
  of: RetainedBackup,
  backups: readonly RetainedBackup[] = [1, 2, 3, 4, 5].map((day) => backup(day)),
  nextRuns: readonly Date[] = Array.from({ length: 400 }, (_, run) => at5(6 + run)),
) {
  const others = backups.filter(({ id }) => id !== of.id);
  return forecastDeletions({ policy, backups: [...others, of], nextRuns, timeZone: 'UTC' }).there.get(of.id) ?? null;
}

describe('the forecast of deletions', () => {
  test('is the time at which the backup reaches its maximum age, for the styles by age', () => {
    expect(forecast({ style: 'HOURS', period: 48 }, backup(5))).toEqual(at5(7));
    expect(forecast({ style: 'DAYS', period: 30 }, backup(5))).toEqual(at5(35));
    expect(forecast({ style: 'WEEKS', period: 1 }, backup(1))).toEqual(at5(8));
    expect(forecast({ style: 'MONTHS', period: 1 }, backup(1))).toEqual(new Date('2026-07-01T05:00:00Z'));
  });

  test('is the next run if the newest backup is older than the maximum age', () => {
    expect(forecast({ style: 'HOURS', period: 1 }, backup(5))).toEqual(at5(6));
    expect(forecast({ style: 'HOURS', period: 1 }, backup(4))).toEqual(at5(5));
  });

  test('is the run after which it is no longer among the newest N', () => {
    expect(forecast({ style: 'FILES', period: 7 }, backup(5))).toEqual(at5(12));
    expect(forecast({ style: 'FILES', period: 7 }, backup(1))).toEqual(at5(8));
    expect(forecast({ style: 'FILES', period: 2 }, backup(1))).toEqual(at5(3));
  });

  test('is the run after which no level of GFS keeps it', () => {
    const gfs = { hourly: 0, daily: 3, weekly: 0, monthly: 1, yearly: 0 };
    expect(forecast({ style: 'GFS', gfs }, backup(5))).toEqual(at5(8));
    // 31 May is the newest of its month until June has a backup. After that, the monthly level (1) no longer keeps it,
    // but the daily level (3) still does.
    const lastOfMay = backup(0, { id: '2026-05-31' });
    expect(forecast({ style: 'GFS', gfs }, lastOfMay, [lastOfMay])).toEqual(at5(8));
    expect(forecast({ style: 'GFS', gfs: { ...gfs, monthly: 2 } }, lastOfMay)).toEqual(at5(31));
    expect(forecast({ style: 'GFS', gfs: { ...gfs, daily: 0 } }, backup(5))).toEqual(at5(6));
  });

  test('is null for a backup that is never deleted or whose deletion is unknown', () => {
    expect(forecast({ style: 'ALL' }, backup(1))).toBeNull();
    expect(forecast({ style: 'DAYS', period: 1 }, backup(1, { protectedBy: ['HOLD'] }))).toBeNull();
    expect(forecast({ style: 'DAYS', period: 1 }, backup(1, { counted: false, trigger: 'MANUAL' }))).toBeNull();
    expect(forecast({ style: 'DAYS', period: 1 }, backup(5), undefined, [])).toBeNull();
    expect(forecast({ style: 'FILES', period: 3 }, backup(5), undefined, [at5(6), at5(7)])).toBeNull();
  });

  test('does not change while the backup is being read', () => {
    expect(forecast({ style: 'DAYS', period: 3 }, backup(5, { protectedBy: ['READER'] }))).toEqual(at5(8));
  });

  test('ignores runs that are not newer than the newest backup, and the order of the runs', () => {
    expect(forecast({ style: 'FILES', period: 1 }, backup(5), undefined, [at5(7), at5(5), at5(3), at5(6)])).toEqual(
      at5(6),
    );
  });

  test('is after a newer verified backup if this backup is the newest verified one', () => {
    const unverified = [1, 2, 3, 4, 5].map((day) => backup(day, { verified: day < 2 }));
    expect(forecast({ style: 'FILES', period: 1 }, backup(1), unverified)).toBeNull();
    const verifiedAgain = unverified.with(4, backup(5));
    expect(forecast({ style: 'FILES', period: 1 }, backup(1), verifiedAgain)).toEqual(at5(5));
  });

  test('agrees with the decision, at that instant and just before it, for any history and future runs', () => {
    const someRuns = fc.array(fc.integer({ min: 1, max: 3_000 }), { maxLength: 12 });
    fc.assert(
      fc.property(somePolicy, someHistory, someRuns, someZone, (policy, history, hours, timeZone) => {
        const counted = history.filter((one) => one.counted).map((one) => ({ ...one, protectedBy: [] }));
        const newest = counted.toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime()).at(-1);
        fc.pre(newest !== undefined);
        const nextRuns = [...new Set(hours)].map((hour) => new Date(newest.startedAt.getTime() + hour * 3_600_000));
        const toCome = nextRuns.map((startedAt, index) => ({ ...newest, id: `run ${index}`, startedAt }));

        // At an instant, the destination has the existing backups and the backups of the past runs.
        const isDeletedAt = (id: string, now: Date) => {
          const backups = [...counted, ...toCome.filter(({ startedAt }) => startedAt <= now)];
          return decideRetention({ policy, backups, now, timeZone }).delete.includes(id);
        };
        const farFuture = new Date(newest.startedAt.getTime() + 10_000 * dayMs);
        // If two backups have the same newest start, the result depends on their ids. Such histories are excluded.
        fc.pre(counted.every((one) => one === newest || one.startedAt < newest.startedAt));
        const { there } = forecastDeletions({ policy, backups: counted, nextRuns, timeZone });
        for (const one of counted) {
          const at = there.get(one.id) ?? null;
          if (at === null) {
            expect(isDeletedAt(one.id, farFuture)).toBe(false);
          } else {
            expect(isDeletedAt(one.id, at > newest.startedAt ? at : newest.startedAt)).toBe(true);
            const justBefore = new Date(at.getTime() - 1);
            if (justBefore >= newest.startedAt) expect(isDeletedAt(one.id, justBefore)).toBe(false);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
