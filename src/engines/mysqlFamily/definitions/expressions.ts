import { splitBody } from './tableParts.js';

/** The expression of a generated column, from the parts of its table. */
export function generatedExpression(column: string): string | undefined {
  return inParentheses(column, / GENERATED ALWAYS AS \(/)?.expression;
}

/** The expression of a CHECK that the server enforces. */
export function enforcedCheck(constraint: string): string | undefined {
  const { expression, rest = '' } = inParentheses(constraint, /^CONSTRAINT `(?:[^`]|``)*` CHECK \(/s) ?? {};
  return rest.includes('NOT ENFORCED') ? undefined : expression;
}

/**
 * The parts of a unique key of which one is an expression, as SQL. Undefined: no part is an expression, or the expressions
 * are arrays, which no SELECT computes.
 */
export function uniqueKeyOfExpressions(index: string): readonly string[] | undefined {
  const begin = /^UNIQUE KEY `(?:[^`]|``)*` \(/s.exec(index);
  if (begin === null) return undefined;
  const parts = splitBody(index, begin[0].length).pieces.map((part) => part.trim().replace(/ DESC$/, ''));
  const expressions = parts.filter((part) => part.startsWith('('));
  if (expressions.length === 0 || expressions.some((part) => / array\)\)$/i.test(part))) return undefined;
  // The number after a name is the length of a prefix.
  return parts.map((part) => part.replace(/^(`(?:[^`]|``)*`)\((\d+)\)$/s, 'LEFT($1, $2)'));
}

function inParentheses(
  text: string,
  before: RegExp,
): { readonly expression: string; readonly rest: string } | undefined {
  const begin = before.exec(text);
  if (begin === null) return undefined;
  const start = begin.index + begin[0].length;
  const { end } = splitBody(text, start);
  return { expression: text.slice(start, end - 1), rest: text.slice(end) };
}
