import { describe, expect, test } from '@jest/globals';
import { hostList } from './hostList.js';

describe('A list of hosts', () => {
  test.each([
    ['db.example.org', [['db.example.org', undefined]]],
    [
      'a.example.org,b.example.org:27018',
      [
        ['a.example.org', undefined],
        ['b.example.org', 27_018],
      ],
    ],
    ['192.0.2.7:27018', [['192.0.2.7', 27_018]]],
    [
      '2001:db8::1,[2001:db8::2],[2001:db8::3]:27018',
      [
        ['2001:db8::1', undefined],
        ['2001:db8::2', undefined],
        ['2001:db8::3', 27_018],
      ],
    ],
    ['mongodb://a', [['mongodb://a', undefined]]],
    [
      'a,,b',
      [
        ['a', undefined],
        ['', undefined],
        ['b', undefined],
      ],
    ],
  ])('of %s', (text, expected) => {
    expect(hostList(text).map(({ host, port }) => [host, port])).toEqual(expected);
  });
});
