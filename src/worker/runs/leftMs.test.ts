import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { leftMs } from './leftMs.js';

describe('The time that a step still takes', () => {
  test('is exact for a steady speed, at every moment', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2_000, max: 86_400_000 }),
        fc.integer({ min: 1, max: 1_000_000_000_000 }),
        fc.double({ min: 0.5, max: 1, noNaN: true }),
        (wholeMs, totalBytes, share) => {
          const left = leftMs({ totalBytes, doneBytes: totalBytes * share, elapsedMs: wholeMs * share });
          expect(left).toBeCloseTo(wholeMs * (1 - share), 0);
        },
      ),
    );
  });

  test('is not known before bytes have moved for a second', () => {
    expect(leftMs(null)).toBeNull();
    expect(leftMs({ totalBytes: 100, doneBytes: 0, elapsedMs: 60_000 })).toBeNull();
    expect(leftMs({ totalBytes: 100, doneBytes: 50, elapsedMs: 999 })).toBeNull();
  });

  test('errs at half time by no more than the total does', () => {
    // The database has grown by a tenth since the dump that is known.
    const left = leftMs({ totalBytes: 1_000, doneBytes: 550, elapsedMs: 10_000 });
    expect(Math.abs((left ?? 0) - 10_000) / 20_000).toBeLessThan(0.1);
  });
});
