import { expect, test } from '@jest/globals';
import { hasTooManyLevels, jsonLevels } from './jsonLevels.js';

const nested = (levels: number, open = '[', close = ']') => Buffer.from(open.repeat(levels) + close.repeat(levels));

test.each([
  ['arrays', nested(jsonLevels + 1)],
  ['objects', nested(jsonLevels + 1, '{"a":', '}')],
  ['levels that never end', Buffer.from('['.repeat(300_000))],
  ['levels after a string with quotes', Buffer.from(`["\\\\","\\"",${'['.repeat(jsonLevels)}`)],
])('too many %s are noticed', (_what, json) => {
  expect(hasTooManyLevels(json)).toBe(true);
});

test.each([
  ['as many levels as allowed', nested(jsonLevels)],
  ['many arrays beside each other', Buffer.from(`[${'[],'.repeat(10_000)}[]]`)],
  ['brackets in a string', Buffer.from(JSON.stringify({ query: '{['.repeat(1_000) + '\\"[{' }))],
  ['brackets in a string without an end', Buffer.from(`"${'['.repeat(1_000)}`)],
])('%s are within the limit', (_what, json) => {
  expect(hasTooManyLevels(json)).toBe(false);
});

test('reads no byte behind the level that is too deep', () => {
  let reads = 0;
  const json = new Proxy(nested(300_000), {
    get: (bytes, key) => {
      reads += typeof key === 'string' && /^\d+$/.test(key) ? 1 : 0;
      return Reflect.get(bytes, key, bytes) as unknown;
    },
  });
  expect(hasTooManyLevels(json)).toBe(true);
  expect(reads).toBe(jsonLevels + 1);
});
