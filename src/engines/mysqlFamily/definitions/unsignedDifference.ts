import { sqlWords } from './sqlWords.js';
import type { TableParts } from './tableParts.js';

/**
 * Whether an expression of a table may subtract from an UNSIGNED column. The server computes a negative difference only
 * with the sql_mode NO_UNSIGNED_SUBTRACTION.
 */
export function subtractsFromUnsigned(
  { parts }: Pick<TableParts, 'parts'>,
  expression: string,
  { exceptBigint = false }: { readonly exceptBigint?: boolean } = {},
): boolean {
  if (!expression.includes('-')) return false;
  const words = new Set(sqlWords(expression, '').map((word) => word.toLowerCase()));
  if (!words.has('-')) return false;
  return [...parts].some(
    ([part, text]) =>
      part.startsWith('column ') &&
      words.has(part.slice('column '.length).toLowerCase()) &&
      /^\w+(?:\([\d,]+\))? unsigned\b/i.test(text) &&
      !(exceptBigint && /^bigint\b/i.test(text)),
  );
}
