import { generatedExpression } from '../definitions/expressions.js';
import { sqlWords } from '../definitions/sqlWords.js';
import type { ServerDialect } from '../session/serverDialect.js';

/** The expressions of a table whose values may depend on the session that computes them. */
export type SessionDependence = {
  /** The generated columns, by name in lower case. A column that is computed from such a column is one too. */
  readonly columns: ReadonlySet<string>;
  readonly depends: (expression: string) => boolean;
};

/**
 * - TIMESTAMP depends on the time zone, and TIME on the day if it is converted to a date;
 * - quotients depend on div_precision_increment, regular expressions on default_regex_flags;
 * - `sql_mode`: a text that becomes a date depends on ALLOW_INVALID_DATES, a difference of unsigned numbers on
 *   NO_UNSIGNED_SUBTRACTION, CHAR on PAD_CHAR_TO_FULL_LENGTH, and a literal with a backslash on NO_BACKSLASH_ESCAPES. With
 *   `modes` false these are left out.
 */
export function sessionDependence(
  parts: ReadonlyMap<string, string>,
  { sessionWords, padsChars }: ServerDialect['expressions'],
  { modes = true }: { readonly modes?: boolean } = {},
): SessionDependence {
  const columns = [...parts].flatMap(([part, text]) =>
    part.startsWith('column ') ? [{ name: part.slice('column '.length).toLowerCase(), text }] : [],
  );
  const ofType = (type: RegExp) => columns.filter(({ text }) => type.test(text)).map(({ name }) => name);
  const unstable = new Set([
    ...everywhere,
    ...sessionWords,
    ...ofType(/^time(?:stamp)?\b/i),
    ...(modes && padsChars ? ofType(/^char\b/i) : []),
    ...(modes && ofType(/^\w+(?:\(\d+\))? unsigned/i).length > 0 ? ['-'] : []),
  ]);
  const texts = new Set(modes ? ofType(/^(?:(?:var)?char|(?:tiny|medium|long)?text|json)\b/i) : []);
  const makesDates = (words: readonly string[], column = '') =>
    words.some((word) => texts.has(word)) &&
    (/^(?:date|datetime)\b/i.test(column) || words.some((word) => ofDates.has(word)));
  const depends = (expression: string, column?: string) => {
    const words = wordsOf(expression);
    const hasBackslash = modes && expression.includes('\\');
    return hasBackslash || words.some((word) => unstable.has(word)) || makesDates(words, column);
  };
  const found = new Set<string>();
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const { name, text } of columns) {
      const expression = generatedExpression(text);
      if (expression === undefined || (!/^timestamp\b/i.test(text) && !depends(expression, text))) continue;
      found.add(name);
      unstable.add(name);
    }
  }
  return { columns: found, depends: (expression) => depends(expression) };
}

function wordsOf(expression: string): readonly string[] {
  return sqlWords(expression, '').map((word) => word.toLowerCase());
}

const everywhere = [
  'unix_timestamp',
  'from_unixtime',
  '/',
  'regexp',
  'rlike',
  'regexp_replace',
  'regexp_substr',
  'regexp_instr',
];

/** Words of expressions that read a text as a date. */
const ofDates = new Set([
  ...['date', 'datetime', 'year', 'quarter', 'month', 'day', 'dayofmonth', 'dayofweek', 'dayofyear', 'weekday'],
  ...[
    'weekofyear',
    'yearweek',
    'last_day',
    'to_days',
    'to_seconds',
    'datediff',
    'timestampdiff',
    'interval',
    'extract',
  ],
]);
