import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  naiveGfsKeeps,
  naiveMonthsLater,
  naiveNewestFirst,
  someGfs,
  someHistory,
  someNow,
  somePolicy,
  someUncountedBackup,
  someZone,
} from '../../../test/fixtures/retentionReckoning.js';
import { decideRetention, isCounted, survivors, type KeepReason, type RetainedBackup } from './retention.js';
import type { GfsCounts, RetentionPolicy } from './retentionPolicy.js';

/** A verified backup of the schedule. Its id is its start. */
function backup(startedAt: string, but: Partial<RetainedBackup> = {}): RetainedBackup {
  return {
    id: startedAt,
    startedAt: new Date(startedAt),
    trigger: 'SCHEDULE',
    counted: true,
    verified: true,
    protectedBy: [],
    ...but,
  };
}

function decide(
  policy: RetentionPolicy,
  backups: readonly RetainedBackup[],
  now = '2026-06-30T12:00:00Z',
  timeZone = 'UTC',
) {
  const { keep, delete: gone } = decideRetention({ policy, backups, now: new Date(now), timeZone });
  const reasons: Record<string, KeepReason> = Object.fromEntries(keep.map(({ id, reason }) => [id, reason]));
  return { reasons, gone };
}

const june = [1, 2, 3, 4, 5].map((day) => backup(`2026-06-0${day}T05:00:00Z`));
const ids = (backups: readonly RetainedBackup[]) => backups.map(({ id }) => id);
const only = (gfs: Partial<GfsCounts>): RetentionPolicy => ({
  style: 'GFS',
  gfs: { hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, ...gfs },
});

describe('isCounted', () => {
  test('is true for scheduled backups, catch-ups and their retries, and false for manual backups', () => {
    expect(isCounted('SCHEDULE', null)).toBe(true);
    expect(isCounted('CATCH_UP', null)).toBe(true);
    expect(isCounted('RETRY', 'SCHEDULE')).toBe(true);
    expect(isCounted('RETRY', 'CATCH_UP')).toBe(true);
    expect(isCounted('RETRY', 'MANUAL')).toBe(false);
    expect(isCounted('RETRY', 'SAFETY')).toBe(false);
    expect(isCounted('RETRY', null)).toBe(false);
    expect(isCounted('MANUAL', null)).toBe(false);
    expect(isCounted('SAFETY', null)).toBe(false);
    expect(isCounted('MANUAL', 'SCHEDULE')).toBe(false);
  });
});

describe('the kept backups of each style', () => {
  test('ALL keeps everything', () => {
    expect(decide({ style: 'ALL' }, june, '2126-01-01T00:00:00Z').gone).toEqual([]);
  });

  test('FILES keeps the newest N and deletes the oldest first', () => {
    expect(decide({ style: 'FILES', period: 2 }, june).gone).toEqual(ids(june.slice(0, 3)));
  });

  test('FILES keeps all backups if there are fewer than N', () => {
    expect(decide({ style: 'FILES', period: 6 }, june).gone).toEqual([]);
  });

  test('are listed newest first', () => {
    const { keep } = decideRetention({
      policy: { style: 'FILES', period: 2 },
      backups: june,
      now: new Date(),
      timeZone: 'UTC',
    });
    expect(keep.map(({ id }) => id)).toEqual(['2026-06-05T05:00:00Z', '2026-06-04T05:00:00Z']);
  });

  test.each<[RetentionPolicy, string, number]>([
    [{ style: 'HOURS', period: 24 }, '2026-06-05T04:59:59.999Z', 3],
    [{ style: 'HOURS', period: 24 }, '2026-06-05T05:00:00.000Z', 4],
    [{ style: 'DAYS', period: 3 }, '2026-06-05T04:59:59.999Z', 1],
    [{ style: 'DAYS', period: 3 }, '2026-06-05T05:00:00.000Z', 2],
    [{ style: 'WEEKS', period: 1 }, '2026-06-09T04:59:59.999Z', 1],
    [{ style: 'WEEKS', period: 1 }, '2026-06-09T05:00:00.000Z', 2],
    [{ style: 'MONTHS', period: 1 }, '2026-07-03T04:59:59.999Z', 2],
    [{ style: 'MONTHS', period: 1 }, '2026-07-03T05:00:00.000Z', 3],
  ])('%j at %s deletes the oldest %i of five', (policy, now, count) => {
    expect(decide(policy, june, now).gone).toEqual(ids(june.slice(0, count)));
  });

  test('MONTHS follows the calendar of the zone, clamped to the end of the month', () => {
    const history = [backup('2026-01-31T23:30:00+01:00'), backup('2026-02-20T00:00:00+01:00')];
    const oneMonth: RetentionPolicy = { style: 'MONTHS', period: 1 };
    const at = (now: string) => decide(oneMonth, history, now, 'Europe/Berlin').gone.length;
    expect(at('2026-02-28T23:29:59+01:00')).toBe(0);
    expect(at('2026-02-28T23:30:00+01:00')).toBe(1);
  });

  test('GFS keeps the newest backup of each day that has one, so that a pause deletes none', () => {
    const history = ['03T05', '03T17', '04T05', '20T05', '20T17'].map((time) => backup(`2026-06-${time}:00:00Z`));
    expect(decide(only({ daily: 2 }), history).gone).toEqual(ids(history.slice(0, 2)).concat('2026-06-20T05:00:00Z'));
  });

  test('GFS keeps a backup that any level keeps', () => {
    const days = Array.from({ length: 800 }, (_, day) =>
      backup(new Date(Date.UTC(2024, 3, 21) + day * 86_400_000).toISOString()),
    );
    const { reasons } = decide(only({ daily: 3, weekly: 2, monthly: 2, yearly: 3 }), days);
    expect(Object.keys(reasons)).toEqual(
      ['2026-06-29', '2026-06-28', '2026-06-27', '2026-05-31', '2025-12-31', '2024-12-31'].map(
        (date) => `${date}T00:00:00.000Z`,
      ),
    );
  });

  test("GFS puts backups into the days of the plan's zone", () => {
    const history = [backup('2026-06-03T21:00:00Z'), backup('2026-06-03T23:00:00Z')];
    expect(decide(only({ daily: 2 }), history, undefined, 'UTC').gone).toHaveLength(1);
    expect(decide(only({ daily: 2 }), history, undefined, 'Europe/Berlin').gone).toHaveLength(0);
  });

  test('GFS keeps a backup of both hours that the clocks repeat in autumn', () => {
    const history = [backup('2026-10-25T00:30:00Z'), backup('2026-10-25T01:30:00Z')];
    expect(decide(only({ hourly: 2 }), history, undefined, 'Europe/Berlin').gone).toEqual([]);
  });

  test('backups with equal starts are ordered by id, regardless of their order in the list', () => {
    const [a, b] = ['a', 'b'].map((id) => backup('2026-06-01T05:00:00Z', { id }));
    for (const history of [
      [a!, b!],
      [b!, a!],
    ]) {
      expect(decide({ style: 'FILES', period: 1 }, history)).toEqual({ reasons: { b: 'POLICY' }, gone: ['a'] });
    }
  });
});

describe('with every policy', () => {
  const oneHour: RetentionPolicy = { style: 'HOURS', period: 1 };

  test('the newest backup stays even if it is very old', () => {
    const { reasons, gone } = decide(oneHour, june, '2036-01-01T00:00:00Z');
    expect(reasons).toEqual({ '2026-06-05T05:00:00Z': 'NEWEST' });
    expect(gone).toEqual(ids(june.slice(0, 4)));
  });

  test('the newest verified backup stays if newer ones are not verified', () => {
    const history = june.map((one, index) => ({ ...one, verified: index < 2 }));
    expect(decide({ style: 'FILES', period: 1 }, history)).toEqual({
      reasons: { '2026-06-05T05:00:00Z': 'POLICY', '2026-06-02T05:00:00Z': 'NEWEST_VERIFIED' },
      gone: ['2026-06-01T05:00:00Z', '2026-06-03T05:00:00Z', '2026-06-04T05:00:00Z'],
    });
  });

  test('a newer manual backup is kept, and replaces neither of them', () => {
    const byHand = backup('2026-06-10T05:00:00Z', { trigger: 'MANUAL', counted: false });
    const { reasons } = decide(oneHour, [...june, byHand]);
    expect(reasons).toEqual({ '2026-06-10T05:00:00Z': 'NOT_COUNTED', '2026-06-05T05:00:00Z': 'NEWEST' });
  });

  test.each(['MANUAL', 'SAFETY'] as const)('a %s backup never counts, even if it is listed as counted', (trigger) => {
    const byHand = [1, 10].map((day) => backup(`2026-06-${String(day).padStart(2, '0')}T06:00:00Z`, { trigger }));
    const { reasons, gone } = decide({ style: 'FILES', period: 1 }, [...june, ...byHand]);
    expect(gone).toEqual(ids(june.slice(0, 4)));
    expect(reasons[byHand[0]!.id]).toBe('NOT_COUNTED');
    expect(ids(survivors([...june, ...byHand]))).toEqual(['2026-06-05T05:00:00Z']);
  });

  test('a held backup and a backup that is being read stay, and do not affect the others', () => {
    const history = june.map((one, index) => ({
      ...one,
      protectedBy: ([['HOLD', 'READER'], ['READER'], ['READER', 'HOLD'], [], []] as const)[index]!,
    }));
    expect(decide({ style: 'FILES', period: 1 }, history)).toEqual({
      reasons: {
        '2026-06-05T05:00:00Z': 'POLICY',
        '2026-06-03T05:00:00Z': 'HOLD',
        '2026-06-02T05:00:00Z': 'READER',
        '2026-06-01T05:00:00Z': 'HOLD',
      },
      gone: ['2026-06-04T05:00:00Z'],
    });
  });

  test('a backup whose bytes are missing does not count', () => {
    const missing = backup('2026-06-06T05:00:00Z', { counted: false });
    expect(decide({ style: 'FILES', period: 1 }, [...june, missing]).reasons).toEqual({
      '2026-06-06T05:00:00Z': 'NOT_COUNTED',
      '2026-06-05T05:00:00Z': 'POLICY',
    });
  });

  test('an invalid list is refused without a decision', () => {
    const twice = [...june, june[0]!];
    const ageless = [...june, backup('2026-06-06T05:00:00Z', { startedAt: new Date(Number.NaN) })];
    expect(() => decide(oneHour, twice)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    expect(() => decide(oneHour, ageless)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    expect(() => decide(oneHour, june, 'no time')).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    expect(() => survivors(ageless)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });
});

describe('survivors', () => {
  test('are the newest and the newest verified backup: one if they are the same, none if nothing counts', () => {
    const lastUnverified = june.map((one, index) => ({ ...one, verified: index !== 4 }));
    expect(ids(survivors(lastUnverified))).toEqual(['2026-06-05T05:00:00Z', '2026-06-04T05:00:00Z']);
    expect(ids(survivors(june))).toEqual(['2026-06-05T05:00:00Z']);
    expect(ids(survivors(june.map((one) => ({ ...one, verified: false }))))).toEqual(['2026-06-05T05:00:00Z']);
    expect(survivors(june.map((one) => ({ ...one, counted: false })))).toEqual([]);
    expect(survivors([])).toEqual([]);
  });
});

describe('over any history', () => {
  const newestCounted = (backups: readonly RetainedBackup[], alsoVerified = false) =>
    backups.filter((one) => one.counted && (one.verified || !alsoVerified)).toSorted(naiveNewestFirst)[0];

  const forAll = (
    holds: (given: Parameters<typeof decideRetention>[0], decision: ReturnType<typeof decideRetention>) => void,
    policy: fc.Arbitrary<RetentionPolicy> = somePolicy,
  ) => {
    const given = fc.record({ policy, backups: someHistory, now: someNow, timeZone: someZone });
    fc.assert(fc.property(given, (one) => holds(one, decideRetention(one))));
  };

  test('each backup is either kept or deleted, once', () => {
    forAll(({ backups }, { keep, delete: gone }) => {
      expect([...keep.map(({ id }) => id), ...gone].sort()).toEqual(ids(backups).sort());
    });
  });

  test('the newest counted backup and the newest counted verified one stay, and are the survivors', () => {
    forAll(({ backups }, { delete: gone }) => {
      const both = [newestCounted(backups), newestCounted(backups, true)].filter((one) => one !== undefined);
      expect(survivors(backups)).toEqual([...new Set(both)]);
      for (const { id } of both) expect(gone).not.toContain(id);
    });
  });

  test('held, read and uncounted backups are never deleted', () => {
    forAll(({ backups }, { delete: gone }) => {
      for (const one of backups) {
        if (one.protectedBy.length > 0 || !one.counted) expect(gone).not.toContain(one.id);
      }
    });
  });

  test('another backup that does not count does not affect the others', () => {
    fc.assert(
      fc.property(
        somePolicy,
        someHistory,
        someUncountedBackup,
        someNow,
        someZone,
        (policy, backups, more, now, timeZone) => {
          fc.pre(backups.every(({ id }) => id !== more.id));
          const without = decideRetention({ policy, backups, now, timeZone });
          const withIt = decideRetention({ policy, backups: [...backups, more], now, timeZone });
          expect(withIt.delete).toEqual(without.delete);
        },
      ),
    );
  });

  test('the order of the list is irrelevant', () => {
    forAll((given, decision) => {
      expect(decideRetention({ ...given, backups: given.backups.toReversed() })).toEqual(decision);
    });
  });

  test('a backup that is deleted now would also be deleted later', () => {
    fc.assert(
      fc.property(somePolicy, someHistory, someNow, fc.nat(), someZone, (policy, backups, now, seconds, timeZone) => {
        const later = new Date(now.getTime() + seconds * 1000);
        const goneLater = decideRetention({ policy, backups, now: later, timeZone }).delete;
        for (const id of decideRetention({ policy, backups, now, timeZone }).delete) expect(goneLater).toContain(id);
      }),
    );
  });

  test('a second decision for the kept backups deletes nothing', () => {
    forAll((given, { delete: gone }) => {
      const left = given.backups.filter(({ id }) => !gone.includes(id));
      expect(decideRetention({ ...given, backups: left }).delete).toEqual([]);
    });
  });

  const deletedBy = (backups: readonly RetainedBackup[], kept: (one: RetainedBackup) => boolean) =>
    backups
      .filter((one) => one.counted && one.protectedBy.length === 0 && !kept(one))
      .filter((one) => one !== newestCounted(backups) && one !== newestCounted(backups, true))
      .toSorted(naiveNewestFirst)
      .map(({ id }) => id)
      .toReversed();

  test('FILES keeps the newest N counted backups by policy', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), someHistory, someNow, (period, backups, now) => {
        const { keep } = decideRetention({ policy: { style: 'FILES', period }, backups, now, timeZone: 'UTC' });
        const counted = backups.filter((one) => one.counted).toSorted(naiveNewestFirst);
        const byPolicy = keep.filter(({ reason }) => reason === 'POLICY').map(({ id }) => id);
        expect(byPolicy).toHaveLength(Math.min(period, counted.length));
        expect(byPolicy).toEqual(ids(counted.slice(0, period)));
      }),
    );
  });

  test.each([
    ['HOURS', 3_600_000],
    ['DAYS', 86_400_000],
    ['WEEKS', 604_800_000],
  ] as const)('%s deletes the same backups as an independent computation', (style, unitMs) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        someHistory,
        someNow,
        someZone,
        (period, backups, now, timeZone) => {
          expect(decideRetention({ policy: { style, period }, backups, now, timeZone }).delete).toEqual(
            deletedBy(backups, ({ startedAt }) => now.getTime() - startedAt.getTime() < period * unitMs),
          );
        },
      ),
    );
  });

  test('MONTHS deletes the same backups as an independent computation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), someHistory, someNow, someZone, (period, backups, now, timeZone) => {
        expect(decideRetention({ policy: { style: 'MONTHS', period }, backups, now, timeZone }).delete).toEqual(
          deletedBy(backups, ({ startedAt }) => naiveMonthsLater(startedAt, period, timeZone) > now),
        );
      }),
    );
  });

  test('GFS deletes the same backups as an independent computation', () => {
    fc.assert(
      fc.property(someGfs, someHistory, someNow, someZone, (gfs, backups, now, timeZone) => {
        const counted = backups.filter((one) => one.counted);
        const kept = naiveGfsKeeps(counted, gfs, timeZone);
        expect(decideRetention({ policy: { style: 'GFS', gfs }, backups, now, timeZone }).delete).toEqual(
          deletedBy(backups, ({ id }) => kept.has(id)),
        );
      }),
    );
  });
});
