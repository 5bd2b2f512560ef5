import { describe, expect, test } from '@jest/globals';
import type { StowageError } from '../errors.js';
import {
  durationWithin,
  entityName,
  hostName,
  InputProblems,
  plainText,
  port,
  refuseNulls,
} from './inputValidation.js';

describe('host names', () => {
  test.each([
    'localhost',
    'db.example.org',
    'db.example.org.',
    '192.0.2.7',
    '2001:db8::1',
    'my_db',
    'xn--bcher-kva.example',
  ])('accepts %s', (host) => expect(hostName(host)).toBeUndefined());
  test.each([
    '',
    '--defaults-file=x',
    '-h',
    'a b',
    'a\nb',
    'http://x',
    'a/b',
    'user@host',
    '300.1.1.1',
    'a..b',
    'x'.repeat(254),
    'ho\u0000st',
  ])('refuses %j', (host) => expect(hostName(host)).toHaveProperty('hint'));
});

describe('names', () => {
  test.each(['Orders', 'Größe 1', '顧客', 'a'.repeat(100), '😀'.repeat(100)])('accepts %s', (name) =>
    expect(entityName(name)).toBeUndefined(),
  );
  test.each(['', 'a'.repeat(101), 'x'.repeat(10_000), 'a\tb', 'a\u0000', ' a', 'a ', 'a\u202Eb', 'a\u200Bb'])(
    'refuses %j',
    (name) => expect(entityName(name)).toHaveProperty('problem'),
  );
  test('refuses plain text that looks like an option', () => expect(plainText('--result-file=/tmp/x')).toBeDefined());
});

test.each([0, 65_536, 70_000, -1, 1.5])('port %d is refused', (number) => expect(port(number)).toBeDefined());

test('the hint for a duration names the allowed range', () => {
  expect(durationWithin(60_000, 3_600_000)(1)?.hint).toBe('Write a duration from PT1M to PT1H.');
});

test('all problems are reported at once, with their paths, and no value is repeated', () => {
  const problems = new InputProblems()
    .check('input.name', 'hunter2\n', entityName)
    .check('input.port', null, port)
    .checkList('input.databases', ['ok', '--hunter2', 'ok'], { atLeast: 1, atMost: 5, unique: true }, plainText)
    .checkList('input.endpoints', [], { atLeast: 1, atMost: 5 });
  refuseNulls(problems, 'input', { host: null, name: 'x' }, ['host', 'name']);
  let thrown: StowageError | undefined;
  try {
    problems.throwIfAny();
  } catch (error) {
    thrown = error as StowageError;
  }
  expect(thrown?.details['fields']).toMatchObject([
    { path: 'input.name', problem: 'contains control or invisible characters' },
    { path: 'input.databases', problem: 'contains the same item twice' },
    { path: 'input.databases.1', problem: 'begins with a dash' },
    { path: 'input.endpoints', problem: 'is an empty list' },
    { path: 'input.host', problem: 'cannot be null' },
  ]);
  expect(JSON.stringify(thrown)).not.toContain('hunter2');
});
