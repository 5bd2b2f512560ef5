import { describe, expect, test } from '@jest/globals';
import { schedulePreview, type SchedulePreviewInput } from './schedulePreview.js';

const now = new Date('2026-03-01T00:00:00Z');
const preview = (frequency: string, others: Partial<SchedulePreviewInput> = {}) =>
  schedulePreview({ frequency, timeZone: 'UTC', count: 5, now, minIntervalMs: 60_000, ...others });

test('a preview shows the understood frequency and its runs in UTC and in the zone', () => {
  expect(
    preview('* * 5 * * *', { timeZone: 'Europe/Berlin', count: 2, now: new Date('2026-03-28T00:00:00Z') }),
  ).toEqual({
    normalized: '0 0 5 * * *',
    description: 'Every day at 05:00',
    timeZone: 'Europe/Berlin',
    runs: [
      { at: new Date('2026-03-28T04:00:00Z'), local: '2026-03-28T05:00:00+01:00' },
      { at: new Date('2026-03-29T03:00:00Z'), local: '2026-03-29T05:00:00+02:00' },
    ],
    runsPerDay: 1,
    notes: [],
  });
});

test('local times show their offset, also west of Greenwich and with minutes', () => {
  expect(preview('0 0 5 * * *', { timeZone: 'America/New_York', count: 1 }).runs[0]?.local).toBe(
    '2026-03-01T05:00:00-05:00',
  );
  expect(preview('0 0 5 * * *', { timeZone: 'Asia/Kathmandu', count: 1 }).runs[0]?.local).toBe(
    '2026-03-02T05:00:00+05:45',
  );
});

test.each([
  ['0 0 5 * * *', 1],
  ['0 0 */5 * * *', 5],
  ['0 0 0 * * 1', 1 / 7],
  ['0 0 0 1 * *', 4800 / 146_097],
  ['0 0 0 29 2 *', 97 / 146_097],
])('the number of runs a day of %s is %d', (frequency, runsPerDay) => {
  expect(preview(frequency).runsPerDay).toBeCloseTo(runsPerDay, 12);
});

describe('notes', () => {
  test.each([
    ['* * */5 * * *', 'Steps of 5 hours do not divide the day: after 20:00 comes 00:00, 4 hours later.'],
    ['0 */7 * * * *', 'Steps of 7 minutes do not divide the hour: after minute 56 comes minute 0, 4 minutes later.'],
    ['0 0/7 * * * *', 'Steps of 7 minutes do not divide the hour: after minute 56 comes minute 0, 4 minutes later.'],
    ['0 0 */23 * * *', 'Steps of 23 hours do not divide the day: after 23:00 comes 00:00, 1 hour later.'],
    [
      '0 0 0 */2 * *',
      'Steps of 2 days start again on the 1st of each month, so the last step of a month may be shorter.',
    ],
    ['0 0 0 1 */5 *', 'Steps of 5 months start again each January.'],
    ['0 0 0 * * */2', 'Steps of 2 weekdays start again each Sunday.'],
  ])('mention the uneven steps of %s', (frequency, note) => {
    expect(preview(frequency).notes).toContain(note);
  });

  test.each(['0 0 */6 * * *', '0 */15 8 * * *', '0 0 6,14,22 * * *', '0 0 8-18/2 * * *', '0 0 0 1 */3 *'])(
    'do not mention the even steps of %s',
    (frequency) => expect(preview(frequency).notes).toEqual([]),
  );

  test('explain the effect of a clock change on runs at chosen hours', () => {
    expect(preview('0 30 2 * * *', { timeZone: 'Europe/Berlin' }).notes).toEqual([
      'On 2026-03-29 the clocks of Europe/Berlin go from 02:00 to 03:00: runs in between happen once, at 03:00.',
      'On 2026-10-25 the clocks of Europe/Berlin go from 03:00 to 02:00: runs in between happen the first time only.',
    ]);
  });

  test('explain the effect of a clock change on runs in every hour', () => {
    expect(preview('0 0 * * * *', { timeZone: 'Europe/Berlin' }).notes).toEqual([
      'On 2026-03-29 the clocks of Europe/Berlin go from 02:00 to 03:00: runs in between are skipped.',
      'On 2026-10-25 the clocks of Europe/Berlin go from 03:00 to 02:00: runs in between happen both times.',
    ]);
  });

  test('do not mention a clock change that affects no run', () => {
    expect(preview('0 0 5 * * *', { timeZone: 'Europe/Berlin' }).notes).toEqual([]);
  });

  test('explain whether one of two set days is enough', () => {
    expect(preview('0 0 0 1 * 1').notes).toEqual([expect.stringContaining('one of the two')]);
    expect(preview('0 0 0 */2 * 1').notes).toContainEqual(expect.stringContaining('match both'));
  });

  test('mention more than 24 runs a day, but not 24', () => {
    expect(preview('0 */30 * * * *').notes).toEqual(['This is 48 runs a day, each of them a whole backup.']);
    expect(preview('0 0 * * * *').notes).toEqual([]);
  });

  test('mention that a backup usually takes longer than the shortest time between runs', () => {
    const note =
      'A backup of this plan usually takes 1 h 20 min, and runs can be 1 h apart: a run is skipped while the run before it is still active.';
    expect(preview('0 0 * * * *', { usualDurationMs: 80 * 60_000 }).notes).toEqual([note]);
    expect(preview('0 0 * * * *', { usualDurationMs: 59 * 60_000 }).notes).toEqual([]);
  });

  test('mention months that lack the day', () => {
    expect(preview('0 0 0 31 * *').notes).toEqual([
      'Months without a day 31 have no run; write `L` for the last day of the month.',
    ]);
    expect(preview('0 0 0 29 2 *').notes).toEqual([
      'Only leap years have a February 29; write `L` for the last day of the month.',
    ]);
    expect(preview('0 0 0 31 1,3 *').notes).toEqual([]);
  });
});

describe('a preview refuses every input that a plan refuses:', () => {
  test.each([
    ['frequency', '0 0 25 * * *', {}],
    ['frequency', '0,30 0 5 * * *', {}],
    ['frequency', '0 0 0 30 2 *', {}],
    ['timeZone', '0 0 5 * * *', { timeZone: 'Berlin' }],
    ['count', '0 0 5 * * *', { count: 0 }],
    ['count', '0 0 5 * * *', { count: 101 }],
    ['count', '0 0 5 * * *', { count: 1.5 }],
  ])('the %s of "%s" with %p is refused', (path, frequency, others) => {
    expect(() => preview(frequency, others)).toThrow(`${path}: `);
  });
});
