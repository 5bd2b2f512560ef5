/** Replaces a text that may be customer data. */
export const leftOut = '…';

/**
 * The text up to the first quotation mark. The text in quotation marks may be a value. Its end is unknown, because a
 * value may contain quotation marks. An apostrophe inside a word does not count. Names in backticks stay.
 */
export function withoutQuoted(text: string): string {
  const first = text.search(/(?<![\p{L}\p{N}])['"]/u);
  return first < 0 ? text : `${text.slice(0, first)}'${leftOut}'`;
}
