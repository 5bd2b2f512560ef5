import { expect, test } from '@jest/globals';
import { StowageError } from '../../errors.js';
import { checkTimeZone } from './checkTimeZone.js';

test.each(['UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'Asia/Kolkata', 'US/Eastern', 'Etc/GMT-2', 'CET'])(
  '%s is the IANA name of a zone',
  (name) => expect(checkTimeZone(name)).toBe(name),
);

test.each([
  ['europe/berlin', 'Europe/Berlin'],
  ['utc', 'UTC'],
  [' Europe/Berlin ', 'Europe/Berlin'],
])('the spelling of %s is corrected', (typed, name) => expect(checkTimeZone(typed)).toBe(name));

test.each([
  ['Berlin', 'Europe/Berlin'],
  ['Europe/Berlim', 'Europe/Berlin'],
  ['Europ/Berlin', 'Europe/Berlin'],
  ['New York', 'America/New_York'],
  ['Casablanca', 'Africa/Casablanca'],
  ['+02:00', 'Write the place'],
  ['GMT+2', 'Write the place'],
  ['UTC-5', 'Write the place'],
  ['CEST', 'America/New_York'],
  ['BST', 'America/New_York'],
  ['PST', 'America/New_York'],
  ['SystemV/PST8', 'America/New_York'],
  ['', 'America/New_York'],
  ['x'.repeat(5000), 'America/New_York'],
])('"%s" is refused with a hint', (typed, hint) => {
  const refused = () => checkTimeZone(typed, 'input.timeZone');
  expect(refused).toThrow(StowageError);
  expect(refused).toThrow('input.timeZone: This is not the IANA name of a time zone.');
  try {
    refused();
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_INPUT', help: expect.stringContaining(hint) });
  }
});
