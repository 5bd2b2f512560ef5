/** Stands where something was left out that may be the customer's data. */
export const leftOut = '…';

/**
 * A text up to the first quotation mark: what stands in marks may be a value, and since a value may hold marks of its
 * own nobody can say where it ends. An apostrophe inside a word is no mark. Names in backticks stay.
 */
export function withoutQuoted(text: string): string {
  const first = text.search(/(?<![\p{L}\p{N}])['"]/u);
  return first < 0 ? text : `${text.slice(0, first)}'${leftOut}'`;
}
