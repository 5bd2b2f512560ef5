import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { Secret } from '../secret.js';
import { masterKeys } from './masterKeys.js';

describe('master keys', () => {
  const [newest, older] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];

  test('keep their order and each have an id, also if they are given as `Secret`', () => {
    const ids = masterKeys([newest, older]).map(({ id }) => id);
    expect(masterKeys([new Secret(newest), new Secret(older)]).map(({ id }) => id)).toEqual(ids);
    expect(new Set(ids).size).toBe(2);
  });

  test.each([
    ['an empty list', [], 'There is no master key.'],
    ['a key that is too short', [newest, 'c2hvcnQ='], 'Master key 2 has 5 bytes in base64 instead of 32.'],
  ])('refuse %s without repeating it', (_what, keys, message) => {
    expect(() => masterKeys(keys)).toThrow(message);
  });

  test('are not shown when they are printed', () => {
    const printed = inspect(masterKeys([newest]), { depth: 9 }) + JSON.stringify(masterKeys([newest]));
    expect(printed).not.toContain(newest);
    expect(printed).not.toContain(Buffer.from(newest, 'base64').toString('hex'));
  });
});
