import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anyZone, naiveOffsetMs, someInstant } from '../../../test/fixtures/retentionReckoning.js';
import { steadyTimeAt } from './zoneOffset.js';

describe('the period in which the offset of a zone does not change', () => {
  test('lasts from one change of the clocks to the next', () => {
    const somePlaces = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(anyZone, someInstant, somePlaces, (zone, instant, places) => {
        const { fromMs, untilMs, offsetMs } = steadyTimeAt(instant.getTime(), zone);
        expect(fromMs <= instant.getTime() && instant.getTime() < untilMs).toBe(true);
        const first = Math.max(fromMs, Date.UTC(2000, 0, 1));
        const last = Math.min(untilMs, Date.UTC(2040, 0, 1)) - 1;
        for (const place of [0, ...places, 1]) {
          expect(naiveOffsetMs(Math.round(first + place * (last - first)), zone)).toBe(offsetMs);
        }
        if (first === fromMs) expect(naiveOffsetMs(fromMs - 1, zone)).not.toBe(offsetMs);
        if (last === untilMs - 1) expect(naiveOffsetMs(untilMs, zone)).not.toBe(offsetMs);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['2026-03-29T00:59:59.999Z', '+01:00', '2025-10-26T01:00:00Z', '2026-03-29T01:00:00Z'],
    ['2026-03-29T01:00:00.000Z', '+02:00', '2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z'],
    ['2026-10-25T00:59:59.999Z', '+02:00', '2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z'],
    ['2026-10-25T01:00:00.000Z', '+01:00', '2026-10-25T01:00:00Z', '2027-03-28T01:00:00Z'],
  ])('contains %s in Berlin and lasts %s', (instant, offset, from, until) => {
    const expected = { offset, fromMs: Date.parse(from), untilMs: Date.parse(until) };
    for (let again = 0; again < 2; again += 1) {
      expect(steadyTimeAt(Date.parse(instant), 'Europe/Berlin')).toMatchObject(expected);
    }
  });

  test('has no end if the clocks never change', () => {
    expect(steadyTimeAt(Date.now(), 'UTC')).toEqual({
      ...{ fromMs: -Infinity, untilMs: Infinity },
      ...{ offsetMs: 0, offset: '+00:00' },
    });
  });
});
