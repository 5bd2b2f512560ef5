import { GraphQLScalarType } from 'graphql';
import type { Expectation } from './expectation.js';

const expectation: Expectation = {
  problem: 'is not a whole number of at most 9007199254740991',
  hint: 'Write a number without quotes and without a fraction.',
};

/** A `number` in code and a JSON number on the wire, at most 2^53-1. Output may also be a `bigint`. */
export const BigIntScalar = new GraphQLScalarType<number, number>({
  name: 'BigInt',
  description: 'A whole number of at most 2^53-1 (9007199254740991). It is always a JSON number, never a string.',
  extensions: { expectation },
  serialize: (value) => safeInteger(typeof value === 'bigint' ? Number(value) : value),
  parseValue: safeInteger,
});

function safeInteger(value: unknown): number {
  if (!Number.isSafeInteger(value))
    throw new TypeError('The value of a BigInt is not a whole number of at most 2^53-1.');
  return value as number;
}
