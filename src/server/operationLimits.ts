import type {
  ArgumentNode,
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  GraphQLCompositeType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import {
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  OperationTypeNode,
  SchemaMetaFieldDef,
  TypeMetaFieldDef,
} from 'graphql';
import { StowageError } from '../errors.js';
import { defaultPageSize, largestPageSize } from './page.js';

/**
 * The limits of one operation. They are higher than the needs of a user interface, and low enough to protect the
 * server.
 */
export const operationLimits = {
  /** Levels of selections. The introspection query of common tools needs 13. */
  depth: 15,
  /** Fields at the root, aliases included. */
  rootFields: 25,
  aliases: 100,
  /** Values in the answer, if every list is as long as its `first` (a list without `first` counts once). */
  values: 30_000,
  /** Tokens of the document. */
  tokens: 2_000,
} as const;

/**
 * Throws TOO_COMPLEX if a valid operation exceeds `operationLimits`, or if a subscription selects connections or
 * statistics, because they would be read again for every event.
 */
export function checkOperationLimits(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): void {
  const root = schema.getRootType(operation.operation);
  if (!root) return;
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const measured = new Map<string, Measure>();
  const under: Under = {
    schema,
    fragments,
    measured,
    variables,
    isSubscription: operation.operation === OperationTypeNode.SUBSCRIPTION,
  };
  const measure = measureSelections(operation.selectionSet, root, under);
  for (const limit of ['depth', 'rootFields', 'aliases', 'values'] as const) {
    const asked = measure[limit];
    if (asked <= operationLimits[limit]) continue;
    throw new StowageError(
      'TOO_COMPLEX',
      `The operation asks for ${sayAmount[limit](asked)}; at most ${operationLimits[limit]} are allowed.`,
      {
        details: { limit, asked, most: operationLimits[limit] },
      },
    );
  }
}

const sayAmount = {
  depth: (asked: number) => `${asked} levels`,
  rootFields: (asked: number) => `${asked} fields at its root`,
  aliases: (asked: number) => `${asked} aliases`,
  values: (asked: number) => `up to ${asked} values`,
};

type Measure = {
  readonly depth: number;
  readonly rootFields: number;
  readonly aliases: number;
  readonly values: number;
};

type Under = {
  readonly schema: GraphQLSchema;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** The results by fragment. Each fragment is measured once. */
  readonly measured: Map<string, Measure>;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly isSubscription: boolean;
};

function measureSelections(selections: SelectionSetNode, parent: GraphQLCompositeType, under: Under): Measure {
  const total = { depth: 0, rootFields: 0, aliases: 0, values: 0 };
  for (const selection of selections.selections) {
    const measure =
      selection.kind === Kind.FIELD
        ? measureField(selection, parent, under)
        : selection.kind === Kind.INLINE_FRAGMENT
          ? measureSelections(
              selection.selectionSet,
              conditionOf(selection.typeCondition?.name.value, parent, under),
              under,
            )
          : measureFragment(selection.name.value, parent, under);
    total.depth = Math.max(total.depth, measure.depth);
    total.rootFields += measure.rootFields;
    total.aliases += measure.aliases;
    total.values += measure.values;
  }
  return total;
}

function measureFragment(name: string, parent: GraphQLCompositeType, under: Under): Measure {
  const known = under.measured.get(name);
  if (known !== undefined) return known;
  const fragment = under.fragments.get(name);
  if (fragment === undefined) return { depth: 0, rootFields: 0, aliases: 0, values: 0 };
  const type = conditionOf(fragment.typeCondition.name.value, parent, under);
  const measure = measureSelections(fragment.selectionSet, type, under);
  under.measured.set(name, measure);
  return measure;
}

function measureField(node: FieldNode, parent: GraphQLCompositeType, under: Under): Measure {
  const aliases = node.alias === undefined ? 0 : 1;
  const field = fieldOf(parent, node.name.value);
  const type = field === undefined ? undefined : getNamedType(field.type);
  if (
    under.isSubscription &&
    (type?.name.endsWith('Connection') === true || field?.extensions['statistics'] === true)
  ) {
    throw new StowageError(
      'TOO_COMPLEX',
      `A subscription cannot select ${node.name.value}: it would be read again for every event.`,
      {
        help: 'Ask for it with a query after an event.',
      },
    );
  }
  if (node.selectionSet === undefined || !isCompositeType(type)) return { depth: 1, rootFields: 1, aliases, values: 1 };
  const inner = measureSelections(node.selectionSet, type, under);
  return {
    depth: inner.depth + 1,
    rootFields: 1,
    aliases: aliases + inner.aliases,
    values: 1 + inner.values * repetitions(node, under),
  };
}

/** How many times the selection may occur in the answer: the page size of a connection, or the number of ids of a lookup. */
function repetitions(node: FieldNode, under: Under): number {
  const first = node.arguments?.find((argument) => argument.name.value === 'first');
  const ids = node.arguments?.find((argument) => argument.name.value === 'ids');
  if (ids !== undefined) return lengthOf(ids, under);
  if (first === undefined) return takesPage(node) ? defaultPageSize : 1;
  const size =
    first.value.kind === Kind.VARIABLE
      ? under.variables[first.value.name.value]
      : first.value.kind === Kind.INT
        ? Number(first.value.value)
        : undefined;
  return typeof size === 'number' && size >= 1 ? Math.min(size, largestPageSize) : defaultPageSize;
}

function takesPage(node: FieldNode): boolean {
  const asked = node.selectionSet?.selections.map((selection) => selection.kind === Kind.FIELD && selection.name.value);
  return asked?.some((name) => name === 'edges' || name === 'nodes') ?? false;
}

function lengthOf(argument: ArgumentNode, under: Under): number {
  const { value } = argument;
  if (value.kind === Kind.LIST) return value.values.length;
  const given = value.kind === Kind.VARIABLE ? under.variables[value.name.value] : undefined;
  return Array.isArray(given) ? given.length : 1;
}

function conditionOf(name: string | undefined, parent: GraphQLCompositeType, under: Under): GraphQLCompositeType {
  const type = name === undefined ? parent : under.schema.getType(name);
  return isCompositeType(type) ? type : parent;
}

function fieldOf(parent: GraphQLCompositeType, name: string) {
  if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef;
  if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef;
  return isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
}
