import { GraphQLScalarType } from 'graphql';
import type { Position } from '../../eventSourcing/event.js';
import type { Expectation } from './expectation.js';

const expectation: Expectation = {
  problem: 'is not a position in the log',
  hint: 'Send a position that the API has returned, as a string of digits.',
};

const largest = 2n ** 63n - 1n;

/** A `bigint` in code, a decimal string on the wire. */
export const PositionScalar = new GraphQLScalarType<Position, string>({
  name: 'Position',
  description: 'A place in the log, as a decimal string. Store it, and send it back to continue from there.',
  extensions: { expectation },
  serialize(value) {
    if (typeof value !== 'bigint') throw new TypeError('The value of a Position is not a bigint.');
    return value.toString();
  },
  parseValue(value) {
    const digits = typeof value === 'string' && /^(?:0|[1-9]\d{0,18})$/.test(value) ? BigInt(value) : undefined;
    if (digits === undefined || digits > largest) throw new TypeError(`Position ${expectation.problem}.`);
    return digits;
  },
});
