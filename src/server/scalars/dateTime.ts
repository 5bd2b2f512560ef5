import { GraphQLScalarType } from 'graphql';
import { GraphQLDateTime } from 'graphql-scalars';
import type { Expectation } from './expectation.js';

const expectation: Expectation = {
  problem: 'is not a date and time',
  hint: 'Write ISO 8601 with a zone, for example "2026-01-31T05:00:00.000Z".',
};

/** A `Date` in code; ISO 8601 in UTC with milliseconds on the wire. Input may have any offset (RFC 3339). */
export const DateTime = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  description: 'A time: ISO 8601 in UTC with milliseconds. Input may have another offset.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  extensions: { expectation },
  serialize(value) {
    const date = typeof value === 'string' ? new Date(value) : value;
    if (!(date instanceof Date) || Number.isNaN(date.getTime()))
      throw new TypeError('The value of a DateTime is not a valid time.');
    return date.toISOString();
  },
  parseValue: (value) => GraphQLDateTime.parseValue(value),
});
