import { describe, expect, test } from '@jest/globals';
import { effectiveTimeout, timeoutError } from './effectiveTimeout.js';

const hourMs = 3_600_000;

describe('the timeout of an attempt', () => {
  test.each([
    ['is that of the plan', { timeoutMs: hourMs }, { ms: hourMs, source: 'PLAN' }],
    ['is absent before three successes', { successes: { count: 2, medianMs: hourMs } }, null],
    ['is at least 24 hours', { successes: { count: 3, medianMs: hourMs } }, { ms: 24 * hourMs, source: 'HISTORY' }],
    [
      'is ten times the usual duration',
      { successes: { count: 10, medianMs: 5 * hourMs } },
      { ms: 50 * hourMs, source: 'HISTORY' },
    ],
    [
      'is never above the maximum of the operator, whatever the plan allows',
      { timeoutMs: 3 * hourMs, maxTimeoutMs: 2 * hourMs },
      { ms: 2 * hourMs, source: 'MAXIMUM' },
    ],
    ['is the maximum without any other', { maxTimeoutMs: 2 * hourMs }, { ms: 2 * hourMs, source: 'MAXIMUM' }],
    [
      'may be below the maximum',
      { successes: { count: 5, medianMs: 1 }, maxTimeoutMs: 48 * hourMs },
      { ms: 24 * hourMs, source: 'HISTORY' },
    ],
  ])('%s', (_what, given, expected) => {
    expect(effectiveTimeout({ timeoutMs: null, successes: undefined, maxTimeoutMs: null, ...given })).toEqual(expected);
  });

  test.each([
    ['PLAN', /^The backup took longer than PT2H, the timeout of its plan\.$/, /Raise the timeout of the plan/],
    ['HISTORY', /ten times the median of its last successes/, /Set a timeout of the plan/],
    ['MAXIMUM', /STOWAGE_MAX_TIMEOUT/, /Ask the operator/],
  ] as const)('is named in the error, with what to change (%s)', (source, message, help) => {
    expect(timeoutError({ ms: 2 * hourMs, source })).toMatchObject({
      code: 'TIMEOUT',
      retriable: false,
      ...{ message: expect.stringMatching(message), help: expect.stringMatching(help) },
    });
  });
});
