import type { ASTVisitor, DocumentNode, GraphQLSchema, ValidationContext } from 'graphql';
import {
  getOperationAST,
  GraphQLError,
  OperationTypeNode,
  SingleFieldSubscriptionsRule,
  specifiedRules,
  validate,
  ValuesOfCorrectTypeRule,
} from 'graphql';
import { badInput, StowageError, type FieldProblem } from '../errors.js';
import { argumentPaths } from './argumentPaths.js';
import { literalProblems, variableProblems } from './inputProblems.js';
import type { KnownDocuments } from './knownDocuments.js';
import { checkOperationLimits } from './operationLimits.js';
import { checkRepeatedFields } from './repeatedFields.js';
import { shortNames } from './shortNames.js';
import { subscribedFieldProblem } from './subscribedField.js';

export type OperationRequest = {
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
};

/**
 * Checks an operation before it is executed, over HTTP and over WebSocket: the document matches the schema, its literals
 * and variables have the right types, and it stays within the limits. A document that is `known` is not validated again.
 * Returns the errors; the operation may be executed if there are none. No error repeats a value.
 */
export function checkOperation(
  schema: GraphQLSchema,
  request: OperationRequest,
  known?: KnownDocuments,
): readonly GraphQLError[] {
  if (known?.has(request.document) !== true) {
    const refused = refusalOf(() => checkRepeatedFields(request.document));
    if (refused !== undefined) return [refused];
    const invalid = validate(schema, request.document, rules, { maxErrors: 20 });
    if (invalid.length > 0) return [...documentErrors(invalid)];
    known?.keep(request.document);
  }

  const operation = getOperationAST(request.document, request.operationName);
  if (!operation) return [asGraphQLError(badInput([unknownOperation]))];

  const problems = variableProblems(
    schema,
    operation,
    request.variables ?? {},
    argumentPaths(request.document, operation),
  );
  if (problems.length > 0) return [asGraphQLError(badInput(problems))];
  if (operation.operation === OperationTypeNode.SUBSCRIPTION) {
    const problem = subscribedFieldProblem(schema, request.document, operation, request.variables ?? {});
    if (problem !== undefined) return [asGraphQLError(badInput([problem]))];
  }

  const refused = refusalOf(() => checkOperationLimits(schema, request.document, operation, request.variables ?? {}));
  return refused === undefined ? [] : [refused];
}

function refusalOf(check: () => void): GraphQLError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof StowageError) return asGraphQLError(error);
    throw error;
  }
}

/**
 * Two rules of graphql-js are replaced: the one for literals, because its messages repeat the literal, and the one for
 * subscriptions by `subscribedFieldProblem`.
 */
const replaced: readonly unknown[] = [ValuesOfCorrectTypeRule, SingleFieldSubscriptionsRule];
const rules = [...specifiedRules.filter((rule) => !replaced.includes(rule)), literalsOfCorrectType];

const unknownOperation: FieldProblem = {
  path: 'operationName',
  problem: 'does not name an operation of the document',
  hint: 'Send the name of an operation of the document. A document with a single operation needs no name.',
};

function literalsOfCorrectType(context: ValidationContext): ASTVisitor {
  let pathOf = (variable: string) => variable;
  return {
    Argument(node) {
      const type = context.getInputType();
      if (type) report(literalProblems(node.value, type, node.name.value));
      return false;
    },
    OperationDefinition(node) {
      pathOf = argumentPaths(context.getDocument(), node);
    },
    VariableDefinition(node) {
      const type = context.getInputType();
      if (type && node.defaultValue) report(literalProblems(node.defaultValue, type, pathOf(node.variable.name.value)));
      return false;
    },
  };

  function report(problems: readonly FieldProblem[]): void {
    if (problems.length > 0) context.reportError(asGraphQLError(badInput(problems)));
  }
}

/** One error for the problems of all literals together, and one error for each other problem of the document. */
function* documentErrors(errors: readonly GraphQLError[]): Generator<GraphQLError> {
  const fields = errors.flatMap((error) => fieldsOf(error.originalError));
  if (fields.length > 0) yield asGraphQLError(badInput(fields));
  for (const error of errors) {
    if (error.originalError instanceof StowageError) continue;
    const hint = 'Compare the document with the schema, for example in the playground.';
    const message = shortNames(error.message);
    const details = { fields: [{ path: 'query', problem: message, hint }] };
    const stowageError = new StowageError('BAD_INPUT', message, { details, help: hint });
    yield new GraphQLError(message, { nodes: error.nodes ?? null, originalError: stowageError });
  }
}

function fieldsOf(error: unknown): readonly FieldProblem[] {
  return error instanceof StowageError ? ((error.details['fields'] ?? []) as readonly FieldProblem[]) : [];
}

function asGraphQLError(error: StowageError): GraphQLError {
  return new GraphQLError(error.message, { originalError: error });
}
