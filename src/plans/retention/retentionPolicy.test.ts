import { describe, expect, test } from '@jest/globals';
import { StowageError, type FieldProblem } from '../../errors.js';
import { checkRetention, type RetentionInput } from './retentionPolicy.js';

describe('checkRetention', () => {
  test.each<[RetentionInput, object]>([
    [{ style: 'ALL' }, { style: 'ALL' }],
    [{ style: 'ALL', period: -5, gfs: { daily: 1 } }, { style: 'ALL' }],
    [
      { style: 'FILES', period: 1 },
      { style: 'FILES', period: 1 },
    ],
    [
      { style: 'HOURS', period: 48, gfs: null },
      { style: 'HOURS', period: 48 },
    ],
    [
      { style: 'DAYS', period: 30 },
      { style: 'DAYS', period: 30 },
    ],
    [
      { style: 'WEEKS', period: 10_000 },
      { style: 'WEEKS', period: 10_000 },
    ],
    [
      { style: 'MONTHS', period: 12 },
      { style: 'MONTHS', period: 12 },
    ],
    [
      { style: 'GFS', period: null, gfs: { daily: 7, monthly: 12, yearly: null } },
      { style: 'GFS', gfs: { hourly: 0, daily: 7, weekly: 0, monthly: 12, yearly: 0 } },
    ],
  ])('accepts %j', (input, policy) => {
    expect(checkRetention(input, 'input.retention')).toEqual(policy);
  });

  test.each<[RetentionInput, string[]]>([
    [{ style: 'FILES' }, ['period']],
    [{ style: 'DAYS', period: null }, ['period']],
    [{ style: 'FILES', period: 0 }, ['period']],
    [{ style: 'HOURS', period: -1 }, ['period']],
    [{ style: 'WEEKS', period: 1.5 }, ['period']],
    [{ style: 'WEEKS', period: Number.NaN }, ['period']],
    [{ style: 'WEEKS', period: Number.POSITIVE_INFINITY }, ['period']],
    [{ style: 'MONTHS', period: 10_001 }, ['period']],
    [{ style: 'MONTHS', period: 1e9 }, ['period']],
    [{ style: 'FILES', period: 3, gfs: { daily: 7 } }, ['gfs']],
    [{ style: 'FILES', gfs: { daily: 7 } }, ['period', 'gfs']],
    [{ style: 'GFS' }, ['gfs']],
    [{ style: 'GFS', gfs: {} }, ['gfs']],
    [{ style: 'GFS', gfs: { hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 } }, ['gfs']],
    [{ style: 'GFS', gfs: { daily: -1, weekly: 0.5, yearly: 1e9 } }, ['gfs.daily', 'gfs.weekly', 'gfs.yearly']],
    [{ style: 'GFS', period: 7 }, ['gfs', 'period']],
    [{ style: 'GFS', period: 7, gfs: { daily: 1 } }, ['period']],
  ])('refuses %j and names every problem with a hint', (input, places) => {
    const problems = problemsOf(input);
    expect(problems.map(({ path }) => path)).toEqual(places.map((place) => `input.retention.${place}`));
    for (const { problem, hint } of problems) {
      expect(problem).toMatch(/^[A-Z].*\.$/);
      expect(hint).toMatch(/^[A-Z].*\.$/);
    }
  });

  test('never repeats the refused value', () => {
    expect(JSON.stringify(problemsOf({ style: 'FILES', period: 987_654_321 }))).not.toContain('987654321');
  });
});

function problemsOf(input: RetentionInput): readonly FieldProblem[] {
  try {
    checkRetention(input, 'input.retention');
  } catch (error) {
    if (error instanceof StowageError && error.code === 'BAD_INPUT') {
      return error.details['fields'] as readonly FieldProblem[];
    }
    throw error;
  }
  throw new Error('The input was taken.');
}
