import { expect, test } from '@jest/globals';
import { describeFrequency } from './describeFrequency.js';
import { parseFrequency } from './parseFrequency.js';

test.each([
  ['* * 5 * * *', 'Every day at 05:00'],
  ['* * */5 * * *', 'Every 5 hours from midnight: at 00:00, 05:00, 10:00, 15:00 and 20:00'],
  ['0 15 */2 * * *', 'Every 2 hours from midnight: at 00:15, 02:15, … 22:15'],
  ['* 30 * * * *', 'Every hour at minute 30'],
  ['@hourly', 'Every hour'],
  ['* * * 1 * *', 'On the 1st of the month at 00:00'],
  ['* * * * * 1', 'On Mondays at 00:00'],
  ['* * * * 6 *', 'Every day in June at 00:00'],
  ['0 0 6,18 * JAN,JUL *', 'Every day in January and July at 06:00 and 18:00'],
  ['0 0 20-24 * * *', 'Every day at 00:00, 20:00, 21:00, 22:00 and 23:00'],
  ['15 30 5 * * *', 'Every day at 05:30:15'],
  ['0 * * * * *', 'Every minute'],
  ['30 * * * * *', 'Every minute at second 30'],
  ['0 0-59 5 * * *', 'Every minute from 05:00 to 05:59'],
  ['0 */15 8-17 * * MON-FRI', 'Every 15 minutes from 08:00 to 17:59, Monday to Friday'],
  ['0 5,35 * * * *', 'At minutes 5 and 35 of every hour'],
  ['0 5,35 */6 * * *', 'At minutes 5 and 35 of the hours 0, 6, 12 and 18'],
  ['0 0 8-17 * * 1,3', 'Every hour from 08:00 to 17:00, on Mondays and Wednesdays'],
  ['0 30 0-5,22 * * *', 'At minute 30 of the hours 0 to 5 and 22'],
  ['15,45 0-29 5 * * *', 'At minutes 0 to 29 of hour 5 at seconds 15 and 45'],
  ['0 */20 5,7 * * *', 'Every 20 minutes in the hours 5 and 7'],
  ['0 0 0 1,15,L * ?', 'On the 1st, 15th and last day of the month at 00:00'],
  ['0 0 0 L 2 *', 'On the last day of February at 00:00'],
  ['0 0 0 2,3,11-13,22 * *', 'On the 2nd, 3rd, 11th to 13th and 22nd of the month at 00:00'],
  ['0 0 0 */2 * *', 'On the 1st, 3rd, … 31st of the month at 00:00'],
  ['0 0 0 29 2 *', 'On the 29th of February at 00:00'],
  ['0 0 0 1 * 1', 'On the 1st of the month, and also on Mondays, at 00:00'],
  ['0 0 0 */2 * 1', 'On Mondays if the day is also the 1st, 3rd, … 31st of the month at 00:00'],
  ['0 0 * 1 6 *', 'Every hour, on the 1st of June'],
])('%s is "%s"', (typed, description) => {
  expect(describeFrequency(parseFrequency(typed))).toBe(description);
});

test('the normalised form is described in the same words', () => {
  const typed = '0 0/15 8-17 ? JAN-MAR MON-SUN';
  const frequency = parseFrequency(typed);
  expect(describeFrequency(parseFrequency(frequency.normalized))).toBe(describeFrequency(frequency));
});
