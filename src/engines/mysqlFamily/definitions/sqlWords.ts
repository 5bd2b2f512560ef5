/**
 * The words of a statement outside of strings and comments: unquoted identifiers, and every other character as a word
 * of its own. With ANSI_QUOTES in the sql mode, `"` quotes identifiers.
 */
export function sqlWords(sql: string, sqlMode: string): readonly string[] {
  const ansiQuotes = hasAnsiQuotes(sqlMode);
  return sqlTokens(sql, sqlMode).flatMap((word) => {
    if (isComment(word)) return [];
    if (word.startsWith("'") || (word.startsWith('"') && !ansiQuotes)) return ["''"];
    if (word.startsWith('`')) return [word.slice(1, -1).replaceAll('``', '`')];
    if (word.startsWith('"')) return [word.slice(1, -1).replaceAll('""', '"')];
    return [word];
  });
}

/** The same words, with comments, strings and quoted identifiers as they are written. */
export function sqlTokens(sql: string, sqlMode: string): readonly string[] {
  const escapes = /\bNO_BACKSLASH_ESCAPES\b/.test(sqlMode) ? '' : '|\\\\.';
  const inner = (quote: string) => `(?:[^${quote}${escapes === '' ? '' : '\\\\'}]|${quote}${quote}${escapes})*`;
  const token = new RegExp(
    [
      '/\\*(?![!M]).*?\\*/',
      '--(?=\\s|$)[^\\n]*',
      '#[^\\n]*',
      `'${inner("'")}'`,
      `"${hasAnsiQuotes(sqlMode) ? '(?:[^"]|"")*' : inner('"')}"`,
      '`(?:[^`]|``)*`',
      '[\\p{L}\\p{N}_$@]+',
      '\\S',
    ].join('|'),
    'gsu',
  );
  return [...sql.matchAll(token)].map(([word]) => word);
}

export function isComment(token: string): boolean {
  return token.startsWith('/*') || token.startsWith('#') || /^--(\s|$)/.test(token);
}

export function isQuoted(token: string): boolean {
  return /^['"`]./s.test(token);
}

function hasAnsiQuotes(sqlMode: string): boolean {
  return /\bANSI_QUOTES\b/.test(sqlMode);
}
