import { StowageError } from '../errors.js';

/** The limits of the text of a document. They are checked before it is parsed. */
export const documentLimits = {
  /** Limited because the position of each error is found by counting lines. */
  lines: 5_000,
  /** Limited because answers and messages repeat the names of fields and aliases. */
  characters: 262_144,
} as const;

/** Throws TOO_COMPLEX if the text of a document is too long. */
export function checkDocumentText(text: string): void {
  if (text.length > documentLimits.characters) throw tooLong('characters');
  let lines = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines += 1;
  if (lines > documentLimits.lines) throw tooLong('lines');
}

function tooLong(limit: keyof typeof documentLimits): StowageError {
  const most = documentLimits[limit];
  return new StowageError('TOO_COMPLEX', `The document has more than ${most} ${limit}.`, {
    details: { limit, most },
    help: 'Send values as variables, and send less in one document.',
  });
}
