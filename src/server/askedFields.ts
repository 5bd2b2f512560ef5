import { Kind, type FieldNode, type GraphQLResolveInfo, type SelectionSetNode } from 'graphql';

type Fragments = GraphQLResolveInfo['fragments'];

/**
 * The names of the fields that the operation selects on the nodes of the connection that is being resolved, under
 * `nodes` and under `edges { node }`. The result also contains fields that @skip or @include exclude.
 */
export function fieldsAskedOfNodes({ fieldNodes, fragments }: GraphQLResolveInfo): ReadonlySet<string> {
  const ofConnection = under(fieldNodes, fragments);
  const ofEdges = under(named(ofConnection, 'edges'), fragments);
  const nodes = [...named(ofConnection, 'nodes'), ...named(ofEdges, 'node')];
  return new Set(under(nodes, fragments).map((field) => field.name.value));
}

function named(fields: readonly FieldNode[], name: string): readonly FieldNode[] {
  return fields.filter((field) => field.name.value === name);
}

/** The fields under these selections, including those of fragments. Each fragment is visited once. */
function under(parents: readonly FieldNode[], fragments: Fragments): readonly FieldNode[] {
  const found: FieldNode[] = [];
  const spread = new Set<string>();
  const collect = (selections: SelectionSetNode | undefined) => {
    for (const selection of selections?.selections ?? []) {
      if (selection.kind === Kind.FIELD) found.push(selection);
      else if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet);
      else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value);
        collect(fragments[selection.name.value]?.selectionSet);
      }
    }
  };
  for (const parent of parents) collect(parent.selectionSet);
  return found;
}
