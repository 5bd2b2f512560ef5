import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { outsideText } from './outsideText.js';

describe('Text from outside', () => {
  test.each([
    ['10.11.6-MariaDB', '10.11.6-MariaDB'],
    ['two\nlines', 'two\nlines'],
    ['grün 🐬', 'grün 🐬'],
    ['a\u0000b\u001b[31mc\rd', 'a b [31mc d'],
    ['exe.\u202egnp\u202c', 'exe.gnp'],
    ['zero\u200bwidth\ufeff', 'zerowidth'],
    ['a\u2028b', 'a b'],
    ['\ud83d', '\ufffd'],
  ])('%j becomes %j', (text, expected) => {
    expect(outsideText(text, 100)).toBe(expected);
  });

  test('a longer text ends with an ellipsis, and no character is cut in two', () => {
    expect(outsideText('abcdef', 4)).toBe('abc…');
    expect(outsideText('ab🐬🐬', 4)).toBe('ab…');
    expect(outsideText('x'.repeat(10_000_000), 100)).toHaveLength(100);
  });

  test('the result is never longer, never contains removed characters, and does not change when the function is applied again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 2, max: 60 }), (text, most) => {
        const plain = outsideText(text, most);
        expect(plain.length).toBeLessThanOrEqual(most);
        expect(plain).not.toMatch(/[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/u);
        expect(outsideText(plain, most)).toBe(plain);
      }),
    );
  });
});
