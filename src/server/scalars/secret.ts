import { GraphQLScalarType } from 'graphql';
import { Secret } from '../../secret.js';
import type { Expectation } from './expectation.js';

const expectation: Expectation = {
  problem: 'is not a secret of 1 to 16384 characters',
  hint: 'Send it as a string, through a variable.',
};

/** The problem of a secret literal in the document. Documents are logged, cached and shared; variables are not. */
export const secretLiteralProblem: Expectation = {
  problem: 'is written into the document',
  hint: 'Declare a variable of type Secret and send the value in variables.',
};

/** A `Secret` in code. Input only, and only by variable: validation refuses a literal without repeating it. */
export const SecretScalar = new GraphQLScalarType<Secret, never>({
  name: 'Secret',
  description: 'A password or key. Input only, and only by variable: a literal in the document fails validation.',
  extensions: { expectation },
  serialize() {
    throw new TypeError('A secret is never part of an answer.');
  },
  parseValue(value) {
    if (value instanceof Secret) return value;
    if (typeof value !== 'string' || value === '' || value.length > 16_384) {
      throw new TypeError(`Secret ${expectation.problem}.`);
    }
    return new Secret(value);
  },
  parseLiteral() {
    throw new TypeError(`Secret ${secretLiteralProblem.problem}.`);
  },
});
