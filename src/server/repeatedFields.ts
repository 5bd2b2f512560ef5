import { Kind, visit, type DocumentNode } from 'graphql';
import { StowageError } from '../errors.js';

/** How often a document may select one name with fields below it. */
export const mostRepetitions = 100;

/**
 * Throws TOO_COMPLEX if a document selects one name with fields below it too often. The validation compares each of them with each
 * other, so a few kilobytes could take a fifth of a second. Called before the validation.
 */
export function checkRepeatedFields(document: DocumentNode): void {
  const counts = new Map<string, number>();
  visit(document, {
    Field: ({ alias, name, selectionSet }) => {
      if (selectionSet === undefined) return;
      const shown = (alias ?? name).value;
      const count = (counts.get(shown) ?? 0) + 1;
      if (count > mostRepetitions) throw tooOften();
      counts.set(shown, count);
    },
    [Kind.ARGUMENT]: () => false,
  });
}

function tooOften(): StowageError {
  return new StowageError('TOO_COMPLEX', `The document selects one name more than ${mostRepetitions} times.`, {
    details: { limit: 'repetitions', most: mostRepetitions },
    help: 'Select each field once, or use a fragment.',
  });
}
