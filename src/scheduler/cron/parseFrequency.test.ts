import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type FieldProblem, StowageError } from '../../errors.js';
import { parseFrequency } from './parseFrequency.js';

function refusal(typed: string): readonly FieldProblem[] {
  try {
    parseFrequency(typed);
  } catch (error) {
    if (error instanceof StowageError && error.code === 'BAD_INPUT') return error.details.fields as FieldProblem[];
    throw error;
  }
  throw new Error(`'${typed}' was not refused.`);
}

const hours = (typed: string) => parseFrequency(typed).fields.hour.values;

describe('open fields', () => {
  test.each([
    ['* * 5 * * *', '0 0 5 * * *'],
    ['* * */5 * * *', '0 0 */5 * * *'],
    ['* 30 * * * *', '0 30 * * * *'],
    ['* * * 1 * *', '0 0 0 1 * *'],
    ['* * * * * 1', '0 0 0 * * 1'],
    ['* * * * 6 *', '0 0 0 * 6 *'],
    ['* * */1 * * *', '0 0 */1 * * *'],
    ['* 0 * 1 * *', '0 0 * 1 * *'],
    ['0 * * * * *', '0 * * * * *'],
    ['30 * * * * *', '30 * * * * *'],
    ['0 30 * * * 1-5', '0 30 * * * 1-5'],
    ['0 0 * 1 * *', '0 0 * 1 * *'],
  ])('an open field below the finest set field is 0: %s means %s', (typed, normalized) => {
    const frequency = parseFrequency(typed);
    expect(frequency.normalized).toBe(normalized);
    expect(frequency.typed).toBe(typed);
  });

  test('a frequency of every 5 hours runs at 0, 5, 10, 15 and 20', () => {
    expect(hours('* * */5 * * *')).toEqual([0, 5, 10, 15, 20]);
  });

  test.each([
    ['0 * 5 * * *', '0 0 5 * * *', '0 0-59 5 * * *'],
    ['30 * 5 * * *', '30 0 5 * * *', '30 0-59 5 * * *'],
    ['0 * * * * 1', '0 0 0 * * 1', '0 0-59 * * * 1'],
    ['0 * * 1 * *', '0 0 0 1 * *', '0 0-59 * 1 * *'],
    ['0 * * * 6 *', '0 0 0 * 6 *', '0 0-59 * * 6 *'],
  ])(
    'an open minute is refused if the second is set, and the hint shows both meanings: %s',
    (typed, once, eachMinute) => {
      const [problem, ...others] = refusal(typed);
      expect(others).toEqual([]);
      expect(problem?.hint).toContain(`\`${once}\``);
      expect(problem?.hint).toContain(`\`${eachMinute}\``);
    },
  );

  test.each(['0 0-59 5 * * *', '0 */1 5 * * *'])('every minute can be written explicitly: %s', (typed) => {
    expect(parseFrequency(typed).fields.minute.values).toHaveLength(60);
    expect(parseFrequency(typed).normalized).toBe(typed);
  });

  test.each(['* * * * * *', '* * * ? * ?'])(
    'six open fields are refused, and the hint shows what to write instead: %s',
    (typed) => {
      expect(refusal(typed)[0]?.hint).toContain('`0 * * * * *`');
      expect(refusal(typed)[0]?.hint).toContain('`0 0 5 * * *`');
    },
  );
});

describe('the number of fields', () => {
  test.each([
    ['0 5 * * *', '`0 0 5 * * *`'],
    ['*/10 * * * *', '`0 */10 * * * *`'],
    ['* * * * *', '`0 * * * * *`'],
    ['* 5 * * *', '`0 0-59 5 * * *`'],
    ['0 22-3 * * *', '`0 0 22,23,0,1,2,3 * * *`'],
  ])('five fields are refused, and the hint suggests six: %s', (typed, six) => {
    const [problem] = refusal(typed);
    expect(problem?.problem).toContain('five');
    expect(problem?.hint).toContain(six);
  });

  test('seven fields are refused, and the hint omits the year', () => {
    expect(refusal('0 0 5 ? * MON *')[0]?.hint).toContain('`0 0 5 ? * MON`');
  });

  test.each(['', '   ', '5', '0 0 5', '0 0 5 * * * * *'])(
    'any other number of fields is refused with an example: "%s"',
    (typed) => {
      expect(refusal(typed)[0]?.hint).toContain('`0 0 5 * * *`');
    },
  );

  test('spaces around and between fields are ignored', () => {
    expect(parseFrequency('  0\t0  5 * * * \n').normalized).toBe('0 0 5 * * *');
  });

  test('a frequency of more than 1,000 characters is refused', () => {
    expect(refusal(`0 0 5 * * ${'1,'.repeat(600)}1`)[0]?.problem).toContain('longer');
  });
});

describe('nicknames', () => {
  test.each([
    ['@yearly', '0 0 0 1 1 *'],
    ['@annually', '0 0 0 1 1 *'],
    ['@monthly', '0 0 0 1 * *'],
    ['@weekly', '0 0 0 * * 0'],
    ['@daily', '0 0 0 * * *'],
    ['@midnight', '0 0 0 * * *'],
    ['@hourly', '0 0 * * * *'],
    [' @Daily ', '0 0 0 * * *'],
  ])('%s means %s', (typed, normalized) => {
    expect(parseFrequency(typed).normalized).toBe(normalized);
  });

  test.each(['@reboot', '@dayly', '@constructor'])('%s is refused with a list of the nicknames', (typed) => {
    expect(refusal(typed)[0]?.hint).toContain('@daily');
  });
});

describe('hour 24', () => {
  test('is 0', () => expect(parseFrequency('0 0 24 * * *').normalized).toBe('0 0 0 * * *'));
  test('20-24 is 20, 21, 22, 23 and 0', () => {
    expect(parseFrequency('0 0 20-24 * * *').normalized).toBe('0 0 0,20-23 * * *');
    expect(hours('0 0 20-24 * * *')).toEqual([0, 20, 21, 22, 23]);
  });
  test('0-24 is every hour', () => expect(parseFrequency('0 0 0-24 * * *').normalized).toBe('0 0 0-23 * * *'));

  test.each([
    ['0 0 24 1 * *', '`0 0 0 1 * *`'],
    ['0 0 24 * 6 *', '`0 0 0 * 6 *`'],
    ['0 0 20-24 * * MON', '`0 0 0,20-23 * * MON`'],
  ])('is refused together with a set day, month or weekday: %s', (typed, startOfDay) => {
    const [problem] = refusal(typed);
    expect(problem?.problem).toContain('the day is not clear');
    expect(problem?.hint).toContain(startOfDay);
  });

  test('a step that skips 24 does not count as hour 24', () => {
    expect(hours('0 0 0-24/5 1 * *')).toEqual([0, 5, 10, 15, 20]);
  });
});

describe('lists, ranges, steps and names', () => {
  test.each([
    ['0 0 5 * JAN,dec MON-FRI', '0 0 5 * 1,12 1-5'],
    ['0 0 5 * * 7', '0 0 5 * * 0'],
    ['0 0 5 * * 0-7', '0 0 5 * * 0-6'],
    ['0 0 5 * * 5-7', '0 0 5 * * 0,5,6'],
    ['0 0 5 * * MON-SUN', '0 0 5 * * 0-6'],
    ['0 0 5 ? * 1', '0 0 5 * * 1'],
    ['0 0 5 1 * ?', '0 0 5 1 * *'],
    ['0 0 5 L * *', '0 0 5 L * *'],
    ['0 0 5 l,15,1 * *', '0 0 5 1,15,L * *'],
    ['0 0/15 * * * ?', '0 0,15,30,45 * * * *'],
    ['0 5-59/10 * * * *', '0 5-55/10 * * * *'],
    ['00 007 05 * * *', '0 7 5 * * *'],
    ['0 0 3,1,2,1 * * *', '0 0 1-3 * * *'],
    ['0 0 5 */2,31,3 * 1', '0 0 5 */2 * 1'],
    ['0 0 5 */2,30 * 1', '0 0 5 */2,30 * 1'],
  ])('%s is normalised to %s', (typed, normalized) => {
    expect(parseFrequency(typed).normalized).toBe(normalized);
  });

  test.each([
    ['0 0 22-3 * * *', '22,23,0,1,2,3'],
    ['0 0 22-3/2 * * *', '22,0,2'],
    ['0 0 1,22-3 * * *', '1,22,23,0,1,2,3'],
    ['0 0 5 * NOV-FEB *', 'NOV,DEC,JAN,FEB'],
    ['0 0 5 * * FRI-MON', 'FRI,SAT,SUN,MON'],
    ['0 0 5 * * 5-1', '5,6,0,1'],
    ['0 0 5 30-2 * *', '30,31,1,2'],
    ['0 0 5 * * MONDAY', 'MON'],
    ['0 */90 * * * *', '0'],
    ['0 0 5-5/0 * * *', '5'],
    ['0 ? 5 * * *', '*'],
    ['0 0 5 1,* * *', '*'],
  ])('%s is refused, and the hint is %s', (typed, instead) => {
    const [problem, ...others] = refusal(typed);
    expect(others).toEqual([]);
    expect(problem?.hint).toContain(`\`${instead}\``);
  });

  test.each([
    '0 0 25 * * *',
    '60 0 5 * * *',
    '0 0 5 0 * *',
    '0 0 5 * 13 *',
    '0 0 5 * * 8',
    '0 0 5 * MON *',
    '0 0 -1 * * *',
  ])('a value out of range is refused with the range: %s', (typed) => {
    expect(refusal(typed)[0]?.hint).toMatch(/accepts \d+-\d+/);
  });

  test.each(['0 0 5 LW * *', '0 0 5 15W * *', '0 0 5 L-3 * *', '0 0 5 * * 5L', '0 0 5 * * MON#2', '0 0 5 * * L'])(
    'forms of other dialects are refused as such: %s',
    (typed) => {
      expect(refusal(typed)[0]?.problem).toContain('this dialect does not support');
    },
  );

  test('every field that cannot be parsed is reported', () => {
    expect(refusal('x 99 25 32 13 8').map(({ problem }) => problem.split(' has ')[0])).toEqual([
      'The second cannot be read.',
      'The minute',
      'The hour',
      'The day of month',
      'The month',
      'The day of week',
    ]);
  });

  test('the path of a refusal can be chosen', () => {
    expect(() => parseFrequency('x', 'input.frequency')).toThrow(/^input\.frequency: /);
  });
});

describe('the rules for days and clock changes', () => {
  test.each([
    ['0 0 0 1 * 1', 'EITHER'],
    ['0 0 0 L * 1', 'EITHER'],
    ['0 0 0 */2 * 1', 'BOTH'],
    ['0 0 0 1 * */2', 'BOTH'],
    ['0 0 0 */2,31 * 1', 'BOTH'],
    ['0 0 0 1 * *', 'BOTH'],
    ['0 0 0 ? * 1', 'BOTH'],
  ])('of the days of %s, %s must match', (typed, dayRule) => {
    expect(parseFrequency(typed).dayRule).toBe(dayRule);
  });

  test.each([
    ['0 0 5 * * *', 'WALL_CLOCK'],
    ['0 0 0-23 * * *', 'WALL_CLOCK'],
    ['* * * 1 * *', 'WALL_CLOCK'],
    ['0 0 * * * *', 'EVERY_INSTANT'],
    ['0 0 */5 * * *', 'EVERY_INSTANT'],
  ])('the hours of %s follow the rule %s', (typed, hourRule) => {
    expect(parseFrequency(typed).hourRule).toBe(hourRule);
  });
});

describe('for any text', () => {
  const piece = fc.constantFrom(
    ...'0 5 24 31 99 * ? L , - / JAN MON SUN MONDAY W # @daily x'.split(' '),
    ' ',
    ' ',
    ' ',
  );
  const cronLike = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(''));

  test('an accepted text normalises to itself, and a refused one gets suggestions that are accepted', () => {
    fc.assert(
      fc.property(fc.oneof(cronLike, fc.string()), (typed) => {
        try {
          const { normalized, fields, hourRule, dayRule } = parseFrequency(typed);
          expect(parseFrequency(normalized)).toEqual({ typed: normalized, normalized, fields, hourRule, dayRule });
        } catch (error) {
          if (!(error instanceof StowageError) || error.code !== 'BAD_INPUT') throw error;
          const fieldsOfError = error.details.fields as FieldProblem[];
          expect(fieldsOfError.length).toBeGreaterThan(0);
          for (const { hint } of fieldsOfError)
            for (const [, suggested = ''] of hint.matchAll(/`([^`]+)`/g))
              if (suggested.split(' ').length === 6) parseFrequency(suggested);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
