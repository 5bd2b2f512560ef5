/**
 * The words of a statement outside of strings and comments: unquoted identifiers, and every other character as a word
 * of its own. With ANSI_QUOTES in the sql mode, `"` quotes identifiers.
 */
export function sqlWords(sql: string, sqlMode: string): readonly string[] {
  const ansiQuotes = /\bANSI_QUOTES\b/.test(sqlMode);
  const escapes = /\bNO_BACKSLASH_ESCAPES\b/.test(sqlMode) ? '' : '|\\\\.';
  const inner = (quote: string) => `(?:[^${quote}${escapes === '' ? '' : '\\\\'}]|${quote}${quote}${escapes})*`;
  const token = new RegExp(
    [
      '/\\*(?![!M]).*?\\*/',
      '--(?=\\s|$)[^\\n]*',
      '#[^\\n]*',
      `'${inner("'")}'`,
      `"${ansiQuotes ? '(?:[^"]|"")*' : inner('"')}"`,
      '`(?:[^`]|``)*`',
      '[\\p{L}\\p{N}_$@]+',
      '\\S',
    ].join('|'),
    'gsu',
  );
  return [...sql.matchAll(token)].flatMap(([word]) => {
    if (word.startsWith('/*') || word.startsWith('#') || /^--(\s|$)/.test(word)) return [];
    if (word.startsWith("'") || (word.startsWith('"') && !ansiQuotes)) return ["''"];
    if (word.startsWith('`')) return [word.slice(1, -1).replaceAll('``', '`')];
    if (word.startsWith('"')) return [word.slice(1, -1).replaceAll('""', '"')];
    return [word];
  });
}
