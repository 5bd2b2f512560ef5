import type { GraphQLSchema, OperationDefinitionNode, SelectionSetNode } from 'graphql';
import {
  getDirectiveValues,
  getVariableValues,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  Kind,
  type DocumentNode,
  type FragmentDefinitionNode,
  type SelectionNode,
} from 'graphql';
import type { FieldProblem } from '../errors.js';

/**
 * The problem with the root fields of a subscription. Undefined: it selects exactly one field. Variables decide about
 * @skip and
 * @include, so this can only be checked together with them. The rule of graphql-js for single root fields throws if a
 * variable is used there, and `subscribe` of graphql-js throws if no field is left.
 */
export function subscribedFieldProblem(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): FieldProblem | undefined {
  const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  // The problems of variables are reported by the check of variables.
  if (coerced === undefined) return undefined;
  const names = selectedNames(operation.selectionSet, document, coerced);
  const [name = ''] = names;
  if (names.size === 1 && !name.startsWith('__')) return undefined;
  return {
    path: 'query',
    problem:
      names.size === 0
        ? 'selects no field: @skip and @include leave none'
        : 'must select exactly one field at its root',
    hint: 'Select exactly one field of Subscription. Send one operation for each subscription.',
  };
}

/** The names of the root fields in the answer. An introspection field has its own name, without an alias. */
function selectedNames(
  root: SelectionSetNode,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>>,
): ReadonlySet<string> {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const names = new Set<string>();
  const visited = new Set<string>();
  const visit = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (!isIncluded(selection, variables)) continue;
      if (selection.kind === Kind.FIELD) {
        const { alias, name } = selection;
        names.add(name.value.startsWith('__') ? name.value : (alias ?? name).value);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) visit(selection.selectionSet);
      else if (!visited.has(selection.name.value)) {
        visited.add(selection.name.value);
        const fragment = fragments.get(selection.name.value);
        if (fragment !== undefined) visit(fragment.selectionSet);
      }
    }
  };
  visit(root);
  return names;
}

function isIncluded(selection: SelectionNode, variables: Readonly<Record<string, unknown>>): boolean {
  return (
    getDirectiveValues(GraphQLSkipDirective, selection, variables)?.['if'] !== true &&
    getDirectiveValues(GraphQLIncludeDirective, selection, variables)?.['if'] !== false
  );
}
