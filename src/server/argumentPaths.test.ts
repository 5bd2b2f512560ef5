import { expect, test } from '@jest/globals';
import { getOperationAST, parse } from 'graphql';
import { argumentPaths } from './argumentPaths.js';

test.each([
  ['an argument', 'query ($i: X) { a(input: $i) }', 'i', 'input'],
  ['a field of an object', 'query ($p: X) { a(input: { tls: { ca: $p } }) }', 'p', 'input.tls.ca'],
  ['an item of a list', 'query ($p: X) { a(ids: ["1", $p]) }', 'p', 'ids.1'],
  ['a nested field', 'query ($p: X) { a { b(first: $p) } }', 'p', 'first'],
  ['a fragment', 'query ($p: X) { ...f } fragment f on Q { a(input: { name: $p }) }', 'p', 'input.name'],
  ['two places: the first', 'query ($p: X) { a(one: $p) b(two: $p) }', 'p', 'one'],
  ['no place', 'query ($p: X) { a }', 'p', 'p'],
])('a variable is reported with its path in the arguments: %s', (_where, source, variable, path) => {
  const document = parse(source);
  expect(argumentPaths(document, getOperationAST(document)!)(variable)).toBe(path);
});
