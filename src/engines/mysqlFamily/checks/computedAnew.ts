import { StowageError } from '../../../errors.js';
import type { Definitions } from '../definitions/readDefinitions.js';
import { sqlWords } from '../definitions/sqlWords.js';
import { quoteName } from '../privileges/grants.js';
import { listed } from './listed.js';
import { uniqueKeys } from './lostValues.js';
import { noTime, searchRows } from './searchRows.js';
import type { Session } from '../session/session.js';

/** The time limit for searching all tables together. */
const budgetMs = 20_000;

/**
 * A dump holds no values of generated columns. At a restore the server computes them again from the other columns, in a
 * session whose time zone is UTC. So a value such as `DATE(timestamp_column)` changes: it was computed in the time zone
 * of the session that wrote the row.
 */
type Suspect = {
  readonly database: string;
  readonly table: string;
  readonly column: string;
  readonly type: string;
  readonly expression: string;
  readonly isStored: boolean;
  readonly isIndexed: boolean;
  /** The unique keys. Each column of a key is the SQL expression that a restore computes for it. */
  readonly keys: readonly (readonly string[])[];
};

/**
 * Sentences that name columns for which a restore computes other values than the source holds. Throws TOOL_FAILED when
 * values of a unique key become equal, because no server can restore that.
 */
export async function findComputedAnew(session: Session, definitions: Definitions): Promise<readonly string[]> {
  const until = performance.now() + budgetMs;
  const settings = settingsOfRestore(session);
  const others: string[] = [];
  const indexes: string[] = [];
  const unsure: string[] = [];
  for (const suspect of suspects(definitions)) {
    const name = `${suspect.database}.${suspect.table}.${suspect.column}`;
    const differs = async () =>
      suspect.isStored
        ? await searchRows(session, `${from(suspect)} WHERE ${condition(suspect)} LIMIT 1`, settings)
        : true;
    const found = performance.now() < until ? await differs() : noTime;
    if (typeof found === 'object') unsure.push(`${name} (${found.unknown})`);
    if (found !== true) continue;
    if (suspect.isStored) others.push(name);
    else if (suspect.isIndexed) indexes.push(name);
    await refuseEqualKeys(session, suspect, settings);
  }
  return [
    ...listed(
      others,
      'A restore changes values of these stored generated columns, because it computes them again in the time zone UTC, on the day of the restore, with the settings of the target',
    ),
    ...listed(
      indexes,
      'A restore changes indexes on these virtual columns, because it computes the values in the time zone UTC',
    ),
    ...listed(unsure, 'These generated columns were not searched for values that a restore computes differently'),
  ];
}

function suspects(definitions: Definitions): readonly Suspect[] {
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables].flatMap(([table, { parts }]) => {
      const generated = [...parts].flatMap(([part, text]) => {
        if (!part.startsWith('column ')) return [];
        const expression = expressionIn(text);
        if (expression === undefined) return [];
        const column = part.slice('column '.length);
        return [{ column, text, expression, words: sqlWords(expression, '').map((word) => word.toLowerCase()) }];
      });
      const unstable = unstableColumns(parts, generated);
      const expressions = new Map(generated.map(({ column, expression }) => [column, expression]));
      return (
        generated
          // A FLOAT column rarely equals the expression, which is computed as DOUBLE.
          .filter(({ column, text }) => unstable.has(column.toLowerCase()) && !/^float\b/i.test(text))
          .map(({ column, text, expression }): Suspect => {
            const computed = (name: string) => {
              const of = unstable.has(name.toLowerCase()) ? expressions.get(name) : undefined;
              return of === undefined ? quoteName(name) : `(${of})`;
            };
            return {
              ...{ database, table, column, expression, type: text },
              isStored: / STORED\b/.test(text.slice(text.indexOf(expression) + expression.length)),
              isIndexed: [...parts].some(
                ([part, index]) => part.startsWith('index ') && index.includes(quoteName(column)),
              ),
              keys: uniqueKeys(parts, column).map((key) => key.map(computed)),
            };
          })
      );
    }),
  );
}

type Generated = { readonly column: string; readonly text: string; readonly words: readonly string[] };

/**
 * Columns whose values depend on the session, in lower case: TIMESTAMP depends on the time zone, TIME on the day if it
 * is converted to a date, quotients on div_precision_increment, regular expressions on default_regex_flags. The server
 * refuses other functions that depend on the session (1901). The result includes columns that are computed from such a
 * column.
 */
function unstableColumns(parts: ReadonlyMap<string, string>, generated: readonly Generated[]): ReadonlySet<string> {
  const timed = [...parts].filter(([part, text]) => part.startsWith('column ') && /^time(?:stamp)?\b/i.test(text));
  const unstable = new Set([...sessionWords, ...timed.map(([part]) => part.slice('column '.length).toLowerCase())]);
  const found = new Set<string>();
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const { column, text, words } of generated) {
      if (!/^timestamp\b/i.test(text) && !words.some((word) => unstable.has(word))) continue;
      found.add(column.toLowerCase());
      unstable.add(column.toLowerCase());
    }
  }
  return found;
}

const sessionWords = [
  'unix_timestamp',
  'from_unixtime',
  '/',
  'regexp',
  'rlike',
  'regexp_replace',
  'regexp_substr',
  'regexp_instr',
];

/** The expression in the parentheses after GENERATED ALWAYS AS. */
function expressionIn(text: string): string | undefined {
  const begin = / GENERATED ALWAYS AS \(/.exec(text);
  if (begin === null) return undefined;
  const start = begin.index + begin[0].length;
  let depth = 1;
  for (const found of text.slice(start).matchAll(/`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|[()]/gs)) {
    if (found[0] === '(') depth += 1;
    if (found[0] === ')') depth -= 1;
    if (depth === 0) return text.slice(start, start + found.index);
  }
  return undefined;
}

/**
 * Our sessions are in UTC. The clock is set to a day in the distant past, which shows whether a value depends on the
 * day.
 */
function settingsOfRestore({ found }: Session): Readonly<Record<string, string>> {
  const value = (name: string) => found.get(name)?.global ?? found.get(name)?.value;
  const flags = value('default_regex_flags')?.replace(/[^\w,]/g, '');
  return {
    timestamp: '86400',
    div_precision_increment: String(Number(value('div_precision_increment') ?? 4)),
    ...(flags === undefined ? {} : { default_regex_flags: `'${flags}'` }),
  };
}

function condition({ column, type, expression }: Suspect): string {
  return `NOT (${quoteName(column)} <=> ${converted(type, `(${expression})`)})`;
}

/** The value as the column stores it: a truncated or rounded value does not count as a different one. */
function converted(type: string, value: string): string {
  const [, name = '', size = '', unsigned] = /^(\w+)(\([\d,]+\))?( unsigned)?/i.exec(type) ?? [];
  switch (name.toLowerCase()) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
      return `CAST(${value} AS ${unsigned === undefined ? 'SIGNED' : 'UNSIGNED'})`;
    case 'decimal':
      return `CAST(${value} AS DECIMAL${size})`;
    case 'date':
      return `CAST(${value} AS DATE)`;
    case 'time':
      return `CAST(${value} AS TIME${size})`;
    case 'datetime':
    case 'timestamp':
      return `CAST(${value} AS DATETIME${size})`;
    case 'char':
    case 'varchar':
      return `CAST(${value} AS CHAR${size})`;
    default:
      return value;
  }
}

async function refuseEqualKeys(
  session: Session,
  suspect: Suspect,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  for (const key of suspect.keys) {
    const present = key.map((part) => `${part} IS NOT NULL`).join(' AND ');
    const select = `${from(suspect)} WHERE ${present} GROUP BY ${key.join(', ')} HAVING COUNT(*) > 1 LIMIT 1`;
    if ((await searchRows(session, select, settings)) !== true) continue;
    const { database, table, column } = suspect;
    throw new StowageError(
      'TOOL_FAILED',
      `A dump of ${database}.${table} cannot be restored: a unique key holds the generated column ${column}, and its values become equal when they are computed in the time zone UTC.`,
      {
        help: `Compute ${column} from a DATETIME column, which has the same value in every time zone, or drop that key; then start the backup again.`,
        details: { database, table, column },
      },
    );
  }
}

function from({ database, table }: Suspect): string {
  return `SELECT 1 AS found FROM ${quoteName(database)}.${quoteName(table)}`;
}
