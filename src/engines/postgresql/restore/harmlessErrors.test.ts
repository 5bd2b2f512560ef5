import { expect, test } from '@jest/globals';
import { followErrors } from './harmlessErrors.js';

const timeout = [
  'pg_restore: while INITIALIZING:',
  'pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"',
];
const ignored = (errors: number) => `pg_restore: warning: errors ignored on restore: ${errors}`;
const areAllHarmless = (lines: readonly string[]) => {
  const errors = followErrors(() => undefined);
  lines.forEach(errors.onLine);
  return errors.areAllHarmless();
};

test('The errors of a restore are harmless only if pg_restore ignored no others', () => {
  expect(areAllHarmless([...timeout, ignored(1)])).toBe(true);
  expect(areAllHarmless([...timeout, ignored(2)])).toBe(false);
  expect(areAllHarmless(timeout)).toBe(false);
  expect(areAllHarmless([ignored(1)])).toBe(false);
});

test('The name of an object does not make an error harmless', () => {
  const table = 'unrecognized configuration parameter "transaction_timeout"';
  const error = `pg_restore: error: could not execute query: ERROR:  relation "${table}" already exists`;
  expect(areAllHarmless([error, ignored(1)])).toBe(false);
});
