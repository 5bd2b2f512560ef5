import type { GraphQLLeafType } from 'graphql';
import { isEnumType } from 'graphql';

/** The problem of a value in an input, and what to write instead. Neither text repeats the value. */
export type Expectation = { readonly problem: string; readonly hint: string };

const builtIn: Readonly<Record<string, Expectation>> = {
  Int: { problem: 'is not a whole number of 32 bits', hint: 'Write a number such as 42, without quotes.' },
  Float: { problem: 'is not a number', hint: 'Write a number such as 0.5, without quotes.' },
  String: { problem: 'is not a string', hint: 'Write text in double quotes.' },
  Boolean: { problem: 'is not true or false', hint: 'Write true or false, without quotes.' },
  ID: { problem: 'is not an id', hint: 'Send the id as a string.' },
};

/** Our scalars define it in `extensions.expectation`. For an enum it lists the values. */
export function expectationOf(type: GraphQLLeafType): Expectation {
  if (isEnumType(type)) {
    const values = type.getValues().map((value) => value.name);
    return { problem: `is not one of the values of ${type.name}`, hint: `Choose one of ${values.join(', ')}.` };
  }
  const own = type.extensions['expectation'];
  if (isExpectation(own)) return own;
  return builtIn[type.name] ?? { problem: `is not a ${type.name}`, hint: `See the description of ${type.name}.` };
}

function isExpectation(value: unknown): value is Expectation {
  return typeof value === 'object' && value !== null && 'problem' in value && 'hint' in value;
}
