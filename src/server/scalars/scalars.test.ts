import { describe, expect, test } from '@jest/globals';
import { parseValue, type GraphQLScalarType } from 'graphql';
import { Secret } from '../../secret.js';
import { BigIntScalar } from './bigInt.js';
import { DateTime } from './dateTime.js';
import { Duration } from './duration.js';
import { PositionScalar } from './position.js';
import { SecretScalar } from './secret.js';

describe('the input of scalars, as a variable and as a literal', () => {
  test.each<[GraphQLScalarType, unknown, unknown]>([
    [DateTime, '2026-01-31T06:00:00+01:00', new Date('2026-01-31T05:00:00Z')],
    [BigIntScalar, 9_007_199_254_740_991, 9_007_199_254_740_991],
    [BigIntScalar, 0, 0],
    [Duration, 'PT60S', 60_000],
    [PositionScalar, '0', 0n],
    [PositionScalar, '9223372036854775807', 2n ** 63n - 1n],
  ])('%s accepts %j', (scalar, given, meant) => {
    expect(scalar.parseValue(given)).toEqual(meant);
    expect(scalar.parseLiteral(parseValue(JSON.stringify(given)))).toEqual(meant);
  });

  test.each<[GraphQLScalarType, unknown]>([
    [DateTime, '2026-01-31'],
    [DateTime, '2026-02-30T00:00:00Z'],
    [DateTime, 0],
    [BigIntScalar, '5'],
    [BigIntScalar, 0.5],
    [BigIntScalar, 9_007_199_254_740_992],
    [Duration, 60],
    [Duration, 'P1M'],
    [PositionScalar, 5],
    [PositionScalar, '-1'],
    [PositionScalar, '01'],
    [PositionScalar, '9223372036854775808'],
  ])('%s refuses %j', (scalar, given) => {
    expect(() => scalar.parseValue(given)).toThrow();
    expect(() => scalar.parseLiteral(parseValue(JSON.stringify(given)))).toThrow();
  });
});

describe('the output of scalars', () => {
  test.each<[GraphQLScalarType, unknown, unknown]>([
    [DateTime, new Date(0), '1970-01-01T00:00:00.000Z'],
    [DateTime, '2026-01-31T05:00:00Z', '2026-01-31T05:00:00.000Z'],
    [BigIntScalar, 5n, 5],
    [Duration, 90_000, 'PT1M30S'],
    [PositionScalar, 12n, '12'],
  ])('%s returns %p as %j', (scalar, value, wire) => {
    expect(scalar.serialize(value)).toBe(wire);
  });

  test.each<[GraphQLScalarType, unknown]>([
    [DateTime, new Date(NaN)],
    [BigIntScalar, 2n ** 53n],
    [BigIntScalar, '5'],
    [Duration, -1],
    [PositionScalar, 12],
    [SecretScalar, new Secret('hunter2')],
  ])('%s never returns %p', (scalar, value) => {
    expect(() => scalar.serialize(value)).toThrow(/^(?!.*hunter2)/);
  });
});

test('a secret is accepted only as a variable, and no refusal repeats it', () => {
  expect(SecretScalar.parseValue('hunter2').reveal()).toBe('hunter2');
  expect(() => SecretScalar.parseLiteral(parseValue('"hunter2"'))).toThrow(/^Secret is written into the document\.$/);
  expect(() => SecretScalar.parseValue({ value: 'hunter2' })).toThrow(/^(?!.*hunter2)/);
});
