import { GraphQLScalarType } from 'graphql';
import { formatDuration, parseDuration } from '../../duration.js';
import type { Expectation } from './expectation.js';

const expectation: Expectation = {
  problem: 'is not a duration',
  hint: 'Write ISO 8601 from days to seconds, for example "PT10M" or "P1DT12H".',
};

/** Milliseconds (a `number`) in code, ISO 8601 on the wire. The form is normalised: `PT60S` is returned as `PT1M`. */
export const Duration = new GraphQLScalarType<number, string>({
  name: 'Duration',
  description:
    'A length of time: ISO 8601 from days to seconds, for example PT10M or P1DT12H. The server normalises it: PT60S is returned as PT1M.',
  specifiedByURL: 'https://www.iso.org/iso-8601-date-and-time-format.html',
  extensions: { expectation },
  serialize(value) {
    if (typeof value !== 'number') throw new TypeError('The value of a Duration is not a number of milliseconds.');
    return formatDuration(value);
  },
  parseValue(value) {
    const ms = typeof value === 'string' ? parseDuration(value) : undefined;
    if (ms === undefined) throw new TypeError(`Duration ${expectation.problem}.`);
    return ms;
  },
});
