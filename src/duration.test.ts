import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatDuration, longestDurationMs, parseDuration } from './duration.js';

test.each([
  ['PT60S', 'PT1M'],
  ['PT0S', 'PT0S'],
  ['P0D', 'PT0S'],
  ['PT36H', 'P1DT12H'],
  ['PT90M', 'PT1H30M'],
  ['PT1.5S', 'PT1.5S'],
  ['PT0.05S', 'PT0.05S'],
  ['P1DT0H', 'P1D'],
])('%s is parsed and formatted as %s', (written, normal) => {
  expect(formatDuration(parseDuration(written) ?? -1)).toBe(normal);
});

test.each([
  '',
  'P',
  'PT',
  'P1DT',
  'P1Y',
  'P1M',
  'P1W',
  '-PT1S',
  'PT1,5S',
  '60',
  'PT1S ',
  'pt1s',
  'PT1.2345S',
  'P36526D',
])('%j is not a duration', (written) => expect(parseDuration(written)).toBeUndefined());

test('every duration is parsed back to itself', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: longestDurationMs }), (ms) => parseDuration(formatDuration(ms)) === ms),
  );
});
