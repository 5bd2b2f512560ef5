import { expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { StowageError } from '../errors.js';
import { checkOperation } from './checkOperation.js';
import { shortNames } from './shortNames.js';

const schema = buildSchema('type Query { ship(id: ID!): Ship } type Ship { id: ID! }');
const long = 'n'.repeat(3_000);

/** Everything that a client gets of the errors. */
function shown(query: string, variables: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify(
    checkOperation(schema, { document: parse(query), variables }).map(({ message, originalError }) => ({
      message,
      details: originalError instanceof StowageError ? originalError.details : {},
    })),
  );
}

test.each([
  ['a field', `{ ${long} }`, 'Cannot query field'],
  ['a fragment', `{ ...${long} }`, 'Unknown fragment'],
  ['an argument', `{ ship(id: "1", ${long}: 2) { id } }`, 'Unknown argument'],
  ['a type', `query ($a: ${long}) { ship(id: $a) { id } }`, 'Unknown type'],
  ['an alias that means two fields', `{ ship(id: "1") { ${long}: id ${long}: __typename } }`, 'conflict'],
  [
    'the default value of an argument',
    `query ($a: [ID!] = [null]) { ship(id: "1", ${long}: $a) { id } }`,
    'cannot be null',
  ],
])('the error about %s with a long name shortens the name', (_what, query, message) => {
  const text = shown(query);
  expect(text).toContain(message);
  expect(text).not.toContain('n'.repeat(101));
  expect(text.length).toBeLessThan(3_000);
});

test('names of a usual length are repeated completely, and a message with many of them ends early', () => {
  expect(shortNames('Cannot query field "sheep" on type "Ship".')).toBe('Cannot query field "sheep" on type "Ship".');
  expect(shortNames('"ship", '.repeat(1_000))).toHaveLength(2_001);
});
