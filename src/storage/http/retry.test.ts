import { describe, expect, test } from '@jest/globals';
import { pause, pauseMs, retryAfterMs } from './retry.js';

const limits = { attempts: 5, backoffMs: 100, maxBackoffMs: 1000 };

describe('the pause before another try', () => {
  test('doubles up to its limit, and half of it is random', () => {
    expect([1, 2, 3, 4, 5, 6].map((failures) => pauseMs(limits, failures, 0, 1))).toEqual([
      100, 200, 400, 800, 1000, 1000,
    ]);
    expect(pauseMs(limits, 1, 0, 0)).toBe(50);
  });

  test('is never shorter than the pause that the server requested', () => {
    expect(pauseMs(limits, 1, 700, 1)).toBe(700);
  });

  test('can be requested by Retry-After in seconds and as a date', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(retryAfterMs('7', now)).toBe(7000);
    expect(retryAfterMs('Thu, 01 Jan 2026 00:00:09 GMT', now)).toBe(9000);
    expect(retryAfterMs('Wed, 31 Dec 2025 00:00:09 GMT', now)).toBe(0);
    expect(retryAfterMs('soon', now)).toBe(0);
    expect(retryAfterMs('', now)).toBe(0);
  });

  test('ends with the reason of the signal', async () => {
    const stopped = new Error('stopped');
    await expect(pause(60_000, AbortSignal.abort(stopped))).rejects.toBe(stopped);
  });
});
