import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { Secret } from '../secret.js';
import { masterKeys, parseMasterKeys } from './masterKeys.js';

describe('master keys', () => {
  const [newest, older] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];

  test('are read one a line, newest first, past comments and empty lines', () => {
    const keys = parseMasterKeys(new Secret(`# made in May\n${newest}\r\n\n  ${older}\n`));
    expect(keys.map(({ id }) => id)).toEqual(masterKeys([newest, older]).map(({ id }) => id));
    expect(new Set(keys.map(({ id }) => id)).size).toBe(2);
  });

  test.each([
    ['nothing', '', 'There is no master key.'],
    ['a key that is too short', `${newest}\nc2hvcnQ=`, 'Master key 2 has 5 bytes in base64 instead of 32.'],
  ])('refuse %s without repeating it', (_what, text, message) => {
    expect(() => parseMasterKeys(new Secret(text))).toThrow(message);
  });

  test('do not show themselves when printed', () => {
    const printed = inspect(masterKeys([newest]), { depth: 9 }) + JSON.stringify(masterKeys([newest]));
    expect(printed).not.toContain(newest);
    expect(printed).not.toContain(Buffer.from(newest, 'base64').toString('hex'));
  });
});
