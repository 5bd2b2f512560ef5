import { Kind, type DocumentNode, type FieldNode, type FragmentDefinitionNode, type SelectionSetNode } from 'graphql';
import { StowageError } from '../errors.js';

export const repetitionLimits = {
  /** Pairs of fields with the same place in the answer, if they have arguments or selections. 100 such fields are 4,950. */
  pairs: 5_000,
  /** Fields of the document after its fragments are expanded. */
  expandedFields: 10_000,
} as const;

/** Selections for one place in the answer, and the fragments that are already expanded on the way to it. */
type Place = { readonly selections: readonly SelectionSetNode[]; readonly expanded: ReadonlySet<string> };

/**
 * Throws TOO_COMPLEX if a document selects one place in the answer again and again. graphql-js compares all fields of a
 * place in pairs when it validates a document, so 480 of them are 115,000 comparisons. Call it before the validation. It
 * ends for every document that can be parsed, also for fragments in a circle, which the validation reports.
 */
export function checkRepeatedFields(document: DocumentNode): void {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const used = { pairs: 0, expandedFields: 0 };
  for (const definition of document.definitions) {
    if (!('selectionSet' in definition)) continue;
    const places: Place[] = [{ selections: [definition.selectionSet], expanded: new Set() }];
    for (let place = places.pop(); place !== undefined; place = places.pop()) {
      const { fields, expanded } = fieldsOf(place, fragments);
      for (const same of fields.values()) {
        const compared = same.filter(isCostly).length;
        used.pairs += (compared * (compared - 1)) / 2;
        used.expandedFields += same.length;
        const selections = same.flatMap(({ selectionSet }) => selectionSet ?? []);
        if (selections.length > 0) places.push({ selections, expanded });
        refuse(used);
      }
    }
  }
}

/** A field without arguments and selections is compared in a few nanoseconds. */
function isCostly({ selectionSet, arguments: given = [] }: FieldNode): boolean {
  return selectionSet !== undefined || given.length > 0;
}

/** The fields of a place by their names in the answer. */
function fieldsOf({ selections, expanded }: Place, fragments: ReadonlyMap<string, FragmentDefinitionNode>) {
  const fields = new Map<string, FieldNode[]>();
  const expandedHere = new Set(expanded);
  const waiting = [...selections];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const selection of next.selections) {
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value;
        const same = fields.get(name);
        if (same === undefined) fields.set(name, [selection]);
        else same.push(selection);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        waiting.push(selection.selectionSet);
      } else if (!expandedHere.has(selection.name.value)) {
        expandedHere.add(selection.name.value);
        const fragment = fragments.get(selection.name.value);
        if (fragment !== undefined) waiting.push(fragment.selectionSet);
      }
    }
  }
  return { fields, expanded: expandedHere };
}

function refuse(used: Readonly<Record<keyof typeof repetitionLimits, number>>): void {
  for (const limit of ['pairs', 'expandedFields'] as const) {
    const most = repetitionLimits[limit];
    if (used[limit] <= most) continue;
    const message =
      limit === 'pairs'
        ? `The document selects the same fields too often: more than ${most} pairs of equal fields.`
        : `The document has more than ${most} fields after its fragments are expanded.`;
    throw new StowageError('TOO_COMPLEX', message, {
      details: { limit, most },
      help: 'Select each field once, and use each fragment in few places.',
    });
  }
}
