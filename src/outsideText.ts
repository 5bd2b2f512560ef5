/**
 * Makes a text from outside, such as a server's version or an error, safe to store and to show. Control characters
 * become spaces, except for line breaks. Invisible characters are removed, also characters that change the direction of
 * the text (Unicode Technical Report 36, 2.10.4). A lone surrogate, which PostgreSQL refuses, becomes U+FFFD.
 * @param most the maximum length of the result, in UTF-16 code units; a longer text is cut and ends with `…`
 */
export function outsideText(text: string, most: number): string {
  // A code point has at most two units. Removed characters count too, so that the work is limited.
  const start = text.slice(0, 2 * most + 1);
  const plain = start
    .replace(/\p{Cs}/gu, '\uFFFD')
    .replace(/\p{Cf}/gu, '')
    .replace(/[\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/gu, ' ');
  if (plain.length <= most && start.length === text.length) return plain;
  return `${plain.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
