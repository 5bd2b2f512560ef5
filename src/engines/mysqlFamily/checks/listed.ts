const namedAtMost = 20;

/** A sentence that ends with the first 20 of these names. Empty if there are no names. */
export function listed(names: readonly string[], text: string): readonly string[] {
  if (names.length === 0) return [];
  const more = names.length > namedAtMost ? ` and ${names.length - namedAtMost} more` : '';
  return [`${text}: ${names.slice(0, namedAtMost).join(', ')}${more}.`];
}
