import { describe, expect, test } from '@jest/globals';
import { nextRun } from './nextRun.js';
import { parseFrequency } from './parseFrequency.js';
import { previousRun } from './previousRun.js';
import { runsBetween } from './runsBetween.js';

function between(typed: string, timeZone: string, from: string, to: string): readonly string[] {
  const runs = runsBetween(parseFrequency(typed), timeZone, new Date(from), new Date(to), 100);
  return runs.map((run) => run.toISOString().replace('.000Z', 'Z'));
}

describe('when the clocks go forward in Berlin, from 02:00 to 03:00 on 2026-03-29', () => {
  const [from, to] = ['2026-03-29T00:00:00Z', '2026-03-29T02:30:00Z'];

  test('a chosen hour that is skipped runs once, at the first instant after it', () => {
    expect(between('0 30 2 * * *', 'Europe/Berlin', from, to)).toEqual(['2026-03-29T01:00:00Z']);
    expect(between('0 10,30,50 2 * * *', 'Europe/Berlin', from, to)).toEqual(['2026-03-29T01:00:00Z']);
  });

  test('such a run merges with a run that is due at that instant anyway', () => {
    expect(between('0 0 2,3 * * *', 'Europe/Berlin', from, to)).toEqual(['2026-03-29T01:00:00Z']);
    expect(between('0 30 1-3 * * *', 'Europe/Berlin', from, to)).toEqual([
      '2026-03-29T00:30:00Z',
      '2026-03-29T01:00:00Z',
      '2026-03-29T01:30:00Z',
    ]);
  });

  test.each(['0 30 * * * *', '0 30 */1 * * *'])('every hour except the skipped one has a run: %s', (typed) => {
    expect(between(typed, 'Europe/Berlin', from, to)).toEqual([
      '2026-03-29T00:30:00Z',
      '2026-03-29T01:30:00Z',
      '2026-03-29T02:30:00Z',
    ]);
  });
});

describe('when the clocks go back in Berlin, from 03:00 to 02:00 on 2026-10-25', () => {
  const [from, to] = ['2026-10-24T23:45:00Z', '2026-10-25T02:30:00Z'];

  test('a chosen hour that occurs twice runs only the first time', () => {
    expect(between('0 30 2 * * *', 'Europe/Berlin', from, to)).toEqual(['2026-10-25T00:30:00Z']);
    expect(between('0 30 0-23 * * *', 'Europe/Berlin', from, to)).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-25T02:30:00Z',
    ]);
  });

  test.each(['0 30 * * * *', '0 30 */1 * * *'])('with every hour chosen, the repeated hour runs twice: %s', (typed) => {
    expect(between(typed, 'Europe/Berlin', from, to)).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-25T02:30:00Z',
    ]);
  });

  test('the previous run of the second occurrence is the first occurrence', () => {
    const before = previousRun(parseFrequency('0 30 2 * * *'), 'Europe/Berlin', new Date('2026-10-25T01:45:00Z'));
    expect(before).toEqual(new Date('2026-10-25T00:30:00Z'));
  });
});

describe('odd zones', () => {
  test('Lord Howe moves its clocks by half an hour', () => {
    expect(between('0 15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00:00Z', '2026-10-04T00:00:00Z')).toEqual([
      '2026-10-03T15:30:00Z',
    ]);
  });

  test('a day that a zone skipped runs once, when the next day begins', () => {
    expect(between('0 0 5 * * *', 'Pacific/Apia', '2011-12-29T16:00:00Z', '2011-12-31T14:00:00Z')).toEqual([
      '2011-12-30T10:00:00Z',
      '2011-12-30T15:00:00Z',
    ]);
  });

  test('São Paulo repeated the last hour of a day, and the next run is far away', () => {
    const [first, second] = ['2018-02-18T01:30:00Z', '2018-02-18T02:30:00Z'];
    const typed = '0 30 */23 17 2 *';
    expect(between(typed, 'America/Sao_Paulo', '2018-02-17T12:00:00Z', '2018-02-19T00:00:00Z')).toEqual([
      first,
      second,
    ]);
    const frequency = parseFrequency(typed);
    expect(nextRun(frequency, 'America/Sao_Paulo', new Date(first))).toEqual(new Date(second));
    expect(previousRun(frequency, 'America/Sao_Paulo', new Date(second))).toEqual(new Date(first));
  });

  test('Kathmandu is 5 hours and 45 minutes ahead', () => {
    expect(between('* * 5 * * *', 'Asia/Kathmandu', '2026-06-01T00:00:00Z', '2026-06-02T00:00:00Z')).toEqual([
      '2026-06-01T23:15:00Z',
    ]);
  });
});

describe('days', () => {
  const UTC = 'UTC';

  test('L is the last day of each month, also of a leap February', () => {
    expect(between('0 0 0 L * *', UTC, '2028-01-01T00:00:00Z', '2028-05-01T00:00:00Z')).toEqual([
      '2028-01-31T00:00:00Z',
      '2028-02-29T00:00:00Z',
      '2028-03-31T00:00:00Z',
      '2028-04-30T00:00:00Z',
    ]);
  });

  test('if both are set, a day matches if one of them matches', () => {
    expect(between('0 0 0 13 * 5', UTC, '2026-02-01T00:00:00Z', '2026-02-21T00:00:00Z')).toEqual([
      '2026-02-06T00:00:00Z',
      '2026-02-13T00:00:00Z',
      '2026-02-20T00:00:00Z',
    ]);
  });

  test('if one begins with a star, both must match', () => {
    expect(between('0 0 0 */2 * 1', UTC, '2026-03-01T00:00:00Z', '2026-03-31T00:00:00Z')).toEqual([
      '2026-03-09T00:00:00Z',
      '2026-03-23T00:00:00Z',
    ]);
  });

  test('February 29 is found across a century year without that day', () => {
    expect(nextRun(parseFrequency('0 0 0 29 2 *'), UTC, new Date('2096-03-01'))).toEqual(new Date('2104-02-29'));
    expect(previousRun(parseFrequency('0 0 0 29 2 *'), UTC, new Date('2104-02-29'))).toEqual(new Date('2096-02-29'));
  });

  test.each(['0 0 0 30 2 *', '0 0 */2 31 4,6,9,11 *'])('a day that exists in no month never runs: %s', (typed) => {
    expect(nextRun(parseFrequency(typed), 'Europe/Berlin', new Date('2026-01-01'))).toBeUndefined();
    expect(previousRun(parseFrequency(typed), 'Europe/Berlin', new Date('2026-01-01'))).toBeUndefined();
    expect(between(typed, 'Europe/Berlin', '2026-01-01T00:00:00Z', '2036-01-01T00:00:00Z')).toEqual([]);
  });
});

describe('the bounds', () => {
  const frequency = parseFrequency('0 0 5 * * *');
  const at5 = new Date('2026-01-02T05:00:00Z');
  const halfPast = new Date('2026-01-02T04:59:59.500Z');

  test('the next run is after the given time, never at it', () => {
    expect(nextRun(frequency, 'UTC', at5)).toEqual(new Date('2026-01-03T05:00:00Z'));
    expect(nextRun(frequency, 'UTC', halfPast)).toEqual(at5);
  });

  test('the previous run is before the given time, never at it', () => {
    expect(previousRun(frequency, 'UTC', at5)).toEqual(new Date('2026-01-01T05:00:00Z'));
    expect(previousRun(frequency, 'UTC', new Date('2026-01-02T05:00:00.001Z'))).toEqual(at5);
  });

  test('runs between two times exclude the first time and include the second, and stop at the limit', () => {
    const to = new Date('2026-01-05T05:00:00Z');
    expect(runsBetween(frequency, 'UTC', at5, to, 10)).toHaveLength(3);
    expect(runsBetween(frequency, 'UTC', at5, to, 2)).toHaveLength(2);
    expect(runsBetween(frequency, 'UTC', to, at5, 10)).toEqual([]);
  });
});
