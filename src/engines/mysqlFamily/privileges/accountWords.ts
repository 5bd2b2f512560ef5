/** The words of CREATE USER or GRANT. A name or a text in quotes is one word, also with what follows it directly. */
export function accountWords(statement: string): readonly string[] {
  return statement.match(/(?:`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|[^\s`'"])+/gs) ?? [];
}

/** The place of these words, one after the other. -1: they do not occur from `start` on. */
export function placeOf(words: readonly string[], wanted: readonly string[], start = 0): number {
  return words.findIndex((_, at) => at >= start && wanted.every((word, offset) => words[at + offset] === word));
}
