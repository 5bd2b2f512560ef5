import { expect, test } from '@jest/globals';
import { getIntrospectionQuery, parse } from 'graphql';
import { checkRepeatedFields } from './repeatedFields.js';

const times = (count: number, text: (number: number) => string) =>
  Array.from({ length: count }, (_, number) => text(number)).join(' ');

function limitOf(document: string): unknown {
  try {
    checkRepeatedFields(parse(document));
    return undefined;
  } catch (error) {
    return (error as { details?: { limit?: unknown } }).details?.limit;
  }
}

test.each([
  ['fields with selections', `{ ${times(480, () => 'me { name }')} }`],
  ['fields with arguments', `{ ${times(240, () => 'node(id: "x") { id }')} }`],
  ['an alias', `{ ${times(240, (n) => `a: f${n}(a: 1)`)} }`],
  ['inline fragments', `{ ${times(240, () => '... { me { name } }')} }`],
  ['fragments', `{ ${times(140, (n) => `...F${n}`)} } ${times(140, (n) => `fragment F${n} on Query { me { name } }`)}`],
  ['a fragment that nothing uses', `{ me { name } } fragment F on Query { ${times(240, () => 'me { name }')} }`],
  ['fields of repeated fields', `{ ${times(60, () => `me { ${times(5, () => 'account { id }')} }`)} }`],
  ['several operations', times(50, (n) => `query Q${n} { ${times(20, () => 'me { name }')} }`)],
])('a document that repeats %s is refused because of its pairs', (_what, document) => {
  expect(limitOf(document)).toBe('pairs');
});

test('fragments that expand to very many fields are refused', () => {
  const chain = times(14, (n) => `fragment F${n} on T { a { ...F${n + 1} } b { ...F${n + 1} } }`);
  expect(limitOf(`{ ...F0 } ${chain} fragment F14 on T { id }`)).toBe('expandedFields');
});

test.each([
  ['the introspection of tools', getIntrospectionQuery()],
  ['100 fields with selections', `{ ${times(100, () => 'me { name }')} }`],
  ['one field without a selection 1,900 times', `{ ${times(1_900, () => '__typename')} }`],
  ['the same selection below 99 aliases', `{ ${times(99, (n) => `a${n}: me { team { id } }`)} }`],
  ['one fragment 600 times', `{ me { ${times(600, () => '...F')} } } fragment F on Viewer { name }`],
  ['fragments in a circle', '{ me { ...F } } fragment F on V { a { ...G } } fragment G on V { b { ...F } }'],
  ['600 levels', `${'{ me '.repeat(600)}${'}'.repeat(600)}`],
])('%s is within the limits', (_what, document) => {
  expect(limitOf(document)).toBeUndefined();
});
