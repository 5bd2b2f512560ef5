import { StowageError } from '../../../errors.js';
import type { Definitions } from '../definitions/readDefinitions.js';
import { generatedExpression } from '../definitions/expressions.js';
import { rowModes } from '../dump/rowModes.js';
import { quoteName } from '../privileges/grants.js';
import { listed } from './listed.js';
import { uniqueKeys } from './lostValues.js';
import { computedAsRestored } from './restoredValues.js';
import { noTime, searchRows, type Searched } from './searchRows.js';
import { sessionDependence } from './sessionDependence.js';
import type { ServerDialect, Session } from '../session/serverDialect.js';

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
  const found = suspects(definitions, session.dialect.expressions);
  if (found.length === 0) return [];
  const modes = rowModes(definitions, session.dialect.product);
  return computedAsRestored(session, (settings) => searchAll(session, found, settings), modes);
}

async function searchAll(
  session: Session,
  all: readonly Suspect[],
  settings: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const until = performance.now() + budgetMs;
  const others: string[] = [];
  const indexes: string[] = [];
  const unsure: string[] = [];
  for (const suspect of all) {
    const name = `${suspect.database}.${suspect.table}.${suspect.column}`;
    const differs = async () =>
      suspect.isStored
        ? await searchRows(session, `${from(suspect)} WHERE ${condition(suspect)} LIMIT 1`, settings)
        : true;
    const found = performance.now() < until ? await differs() : noTime;
    if (isOutOfRange(found)) refuseOutOfRange(`${suspect.database}.${suspect.table}`, `the column ${suspect.column}`);
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
      'A restore changes indexes on these virtual columns, because it computes the values in the time zone UTC, with the settings of the target',
    ),
    ...listed(unsure, 'These generated columns were not searched for values that a restore computes differently'),
  ];
}

function suspects(definitions: Definitions, of: ServerDialect['expressions']): readonly Suspect[] {
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables].flatMap(([table, { parts }]) => {
      const generated = [...parts].flatMap(([part, text]) => {
        const expression = part.startsWith('column ') ? generatedExpression(text) : undefined;
        return expression === undefined ? [] : [{ column: part.slice('column '.length), text, expression }];
      });
      if (generated.length === 0) return [];
      const unstable = sessionDependence(parts, of).columns;
      // A mode rarely changes the values in an index, and the server does not show whether it did. So modes do not count.
      const unstableIndexes = sessionDependence(parts, of, { modes: false }).columns;
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
              isIndexed:
                unstableIndexes.has(column.toLowerCase()) &&
                [...parts].some(([part, index]) => part.startsWith('index ') && index.includes(quoteName(column))),
              keys: uniqueKeys(parts, column).map((key) => key.map(computed)),
            };
          })
      );
    }),
  );
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

/** Error 1690: under NO_UNSIGNED_SUBTRACTION a difference of unsigned numbers may be negative, and in a restore it may not. */
export function isOutOfRange(found: Searched): boolean {
  return typeof found === 'object' && found.unknown === 'error 1690';
}

export function refuseOutOfRange(table: string, what: string): never {
  throw new StowageError(
    'TOOL_FAILED',
    `A dump of ${table} cannot be restored: the session of a restore cannot compute ${what} for a row of the table, because the value is out of range (error 1690).`,
    {
      help: 'Probably a difference of unsigned numbers is negative (NO_UNSIGNED_SUBTRACTION): write CAST(… AS SIGNED) around each number in the expression, then start the backup again.',
      details: { table },
    },
  );
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
