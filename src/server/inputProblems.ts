import type {
  GraphQLInputObjectType,
  GraphQLInputType,
  GraphQLLeafType,
  OperationDefinitionNode,
  ValueNode,
} from 'graphql';
import type { GraphQLSchema } from 'graphql';
import {
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  Kind,
  typeFromAST,
} from 'graphql';
import type { FieldProblem } from '../errors.js';
import { expectationOf } from './scalars/expectation.js';
import { SecretScalar, secretLiteralProblem } from './scalars/secret.js';
import { shortPath } from './shortNames.js';

/** The most problems in one answer, so that a list of a thousand wrong items does not get a thousand lines. */
const mostProblems = 50;

type Report = {
  (path: string, problem: string, hint: string): void;
  /** After this number no more values are checked, so that a megabyte of wrong items does not keep the server busy. */
  isFull(): boolean;
};

/**
 * All problems of the variables of an operation. It replaces the messages of graphql-js, which repeat the whole variable,
 * including passwords. graphql-js can coerce every variable that passes this check.
 * @param pathOf the path of a variable in the arguments
 */
export function variableProblems(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
  pathOf: (variable: string) => string,
): readonly FieldProblem[] {
  const { problems, report } = collector();
  for (const definition of operation.variableDefinitions ?? []) {
    const type = typeFromAST(schema, definition.type);
    if (!isInputType(type)) continue;
    const name = definition.variable.name.value;
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (value === undefined && (definition.defaultValue !== undefined || !isNonNullType(type))) continue;
    checkValue(value, type, pathOf(name), report);
  }
  return problems;
}

/** All problems of a literal of the document. Variables inside it are checked where they are declared. */
export function literalProblems(node: ValueNode, type: GraphQLInputType, path: string): readonly FieldProblem[] {
  const { problems, report } = collector();
  checkLiteral(node, type, path, report);
  return problems;
}

function collector() {
  const problems: FieldProblem[] = [];
  const isFull = () => problems.length >= mostProblems;
  const add = (path: string, problem: string, hint: string) => {
    if (!isFull()) problems.push({ path: shortPath(path), problem, hint });
  };
  return { problems, report: Object.assign(add, { isFull }) };
}

function checkValue(value: unknown, type: GraphQLInputType, path: string, report: Report): void {
  if (isNonNullType(type)) {
    if (value === undefined) {
      report(path, 'is missing', `Send a ${String(type.ofType)}.`);
      return;
    }
    if (value === null) {
      report(path, 'cannot be null', `Send a ${String(type.ofType)}.`);
      return;
    }
    checkValue(value, type.ofType, path, report);
    return;
  }
  if (value === null || value === undefined) return;
  if (isListType(type)) {
    if (!Array.isArray(value)) {
      checkValue(value, type.ofType, path, report);
      return;
    }
    for (const [index, item] of value.entries()) {
      if (report.isFull()) return;
      checkValue(item, type.ofType, `${path}.${index}`, report);
    }
    return;
  }
  if (!isInputObjectType(type)) {
    checkLeaf(type, path, report, () => type.parseValue(value));
    return;
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    report(path, 'is not an object', `Send an object with the fields of ${type.name}.`);
    return;
  }
  const given = new Map<string, unknown>(Object.entries(value));
  checkFields(type, path, report, given, (field, fieldType, fieldPath) =>
    checkValue(given.get(field), fieldType, fieldPath, report),
  );
}

function checkLiteral(node: ValueNode, type: GraphQLInputType, path: string, report: Report): void {
  if (node.kind === Kind.VARIABLE) return;
  if (isNonNullType(type)) {
    if (node.kind === Kind.NULL) {
      report(path, 'cannot be null', `Send a ${String(type.ofType)}.`);
      return;
    }
    checkLiteral(node, type.ofType, path, report);
    return;
  }
  if (node.kind === Kind.NULL) return;
  if (isListType(type)) {
    if (node.kind !== Kind.LIST) {
      checkLiteral(node, type.ofType, path, report);
      return;
    }
    for (const [index, item] of node.values.entries()) {
      if (report.isFull()) return;
      checkLiteral(item, type.ofType, `${path}.${index}`, report);
    }
    return;
  }
  if (type === SecretScalar) {
    report(path, secretLiteralProblem.problem, secretLiteralProblem.hint);
    return;
  }
  if (!isInputObjectType(type)) {
    checkLeaf(type, path, report, () => type.parseLiteral(node, {}));
    return;
  }
  if (node.kind !== Kind.OBJECT) {
    report(path, 'is not an object', `Write an object with the fields of ${type.name}.`);
    return;
  }
  const given = new Map(node.fields.map((field) => [field.name.value, field.value]));
  checkFields(type, path, report, given, (field, fieldType, fieldPath) => {
    const value = given.get(field);
    if (value !== undefined) checkLiteral(value, fieldType, fieldPath, report);
  });
}

/** The checks that a JSON object and an object literal share: unknown, missing and @oneOf fields. */
function checkFields(
  type: GraphQLInputObjectType,
  path: string,
  report: Report,
  given: ReadonlyMap<string, unknown>,
  checkField: (field: string, type: GraphQLInputType, path: string) => void,
): void {
  const fields = type.getFields();
  for (const name of given.keys()) {
    if (report.isFull()) return;
    if (Object.hasOwn(fields, name)) continue;
    // The client chooses the name. A name that is not valid may be anything, even a secret, so it is not repeated.
    const named = /^[A-Za-z_]\w{0,63}$/.test(name) ? `${path}.${name}` : path;
    const problem = named === path ? `has a field that ${type.name} does not have` : `is not a field of ${type.name}`;
    report(named, problem, `The fields of ${type.name} are ${Object.keys(fields).join(', ')}.`);
  }
  for (const field of Object.values(fields)) {
    const fieldPath = `${path}.${field.name}`;
    const value = given.get(field.name);
    if (value !== undefined) checkField(field.name, field.type, fieldPath);
    else if (isRequiredInputField(field)) report(fieldPath, 'is missing', `Send a ${String(field.type).slice(0, -1)}.`);
  }
  if (!type.isOneOf) return;
  const set = [...given].filter(([name, value]) => Object.hasOwn(fields, name) && value !== undefined);
  const hint = `Set exactly one of ${Object.keys(fields).join(', ')}.`;
  if (set.length !== 1) {
    report(path, set.length === 0 ? 'sets no field' : 'sets more than one field', hint);
    return;
  }
  const [name, value] = set[0] ?? [];
  if (value === null || isNullLiteral(value)) report(`${path}.${name ?? ''}`, 'cannot be null', hint);
}

function checkLeaf(type: GraphQLLeafType, path: string, report: Report, parse: () => unknown): void {
  let parsed: unknown;
  try {
    parsed = parse();
  } catch {
    // The thrown message repeats the value, so the answer describes the expected value instead.
    parsed = undefined;
  }
  if (typeof parsed === 'string' && parsed.includes('\0')) {
    // PostgreSQL cannot store such text. Its own error would look like a defect of the server.
    report(path, 'contains a NUL character', 'Remove the character U+0000.');
    return;
  }
  if (parsed !== undefined) return;
  const { problem, hint } = expectationOf(type);
  report(path, problem, hint);
}

function isNullLiteral(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === Kind.NULL;
}
