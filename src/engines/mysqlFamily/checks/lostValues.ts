import { StowageError } from '../../../errors.js';
import type { Definitions } from '../definitions/readDefinitions.js';
import { quoteName } from '../privileges/grants.js';
import { equalMembers, mayBeEqual, membersOf, type Members } from './equalMembers.js';
import type { Session } from '../session/session.js';
import { listed } from './listed.js';
import { noTime, searchRows, type Searched } from './searchRows.js';

/** The time limit for searching all tables together for values that a dump loses. */
const budgetMs = 20_000;

/** Values that mariadb-dump changes and that no statement can restore. */
type Suspect = {
  readonly database: string;
  readonly table: string;
  readonly column: string;
  readonly kind: 'FLOAT' | 'ENUM' | 'EQUAL';
  /** The unique keys that contain this column. Empty for an ENUM without equal members. */
  readonly keys: readonly (readonly string[])[];
  /** The column is an ENUM or SET with members that may be equal in its collation. */
  readonly members?: Members;
};

/**
 * Sentences that name columns whose values a restore changes. These are FLOAT values with more than six digits, and
 * invalid values of an ENUM (index 0) if the empty string is a member. They are also members of an ENUM or a SET that
 * equal an earlier member in their collation. The sentences also name columns that could not be searched, with the
 * reason. Throws TOOL_FAILED if values of a unique key become equal, because no server could restore that.
 */
export async function findLostValues(session: Session, definitions: Definitions): Promise<readonly string[]> {
  const until = performance.now() + budgetMs;
  const lost: Record<Suspect['kind'], string[]> = { FLOAT: [], ENUM: [], EQUAL: [] };
  const unsure: string[] = [];
  for (const suspect of suspects(definitions)) {
    const found = performance.now() < until ? await holdsLostValue(session, suspect) : noTime;
    const name = `${suspect.database}.${suspect.table}.${suspect.column}`;
    if (typeof found === 'object') unsure.push(`${name} (${found.unknown})`);
    if (found !== true) continue;
    lost[suspect.kind].push(name);
    if (suspect.kind !== 'ENUM') await refuseEqualKeys(session, suspect);
  }
  return [
    ...listed(lost.FLOAT, 'FLOAT values of these columns are restored with six digits (a DOUBLE keeps all digits)'),
    ...listed(
      lost.ENUM,
      'Invalid values (index 0) of these ENUM columns are restored as the member that is the empty string',
    ),
    ...listed(
      lost.EQUAL,
      'Members of these ENUM and SET columns are equal in the collation of the column (for example a and A): a value of the later member is restored as the first',
    ),
    ...listed(unsure, 'These FLOAT, ENUM and SET columns were not searched for values that a dump changes'),
  ];
}

function suspects(definitions: Definitions): readonly Suspect[] {
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables].flatMap(([table, { parts }]) => {
      const columns = [...parts].filter(([part]) => part.startsWith('column '));
      const stored = columns.filter(([, text]) => !/ GENERATED ALWAYS AS /.test(text));
      const named = (kind: Suspect['kind'], type: RegExp) =>
        stored
          .filter(([, text]) => type.test(text))
          .map(([part]): Suspect => {
            const column = part.slice('column '.length);
            return { database, table, column, kind, keys: kind === 'FLOAT' ? uniqueKeys(parts, column) : [] };
          });
      const equal = stored.flatMap(([part, text]): readonly Suspect[] => {
        const members = membersOf(text);
        if (members === undefined || !mayBeEqual(members)) return [];
        const column = part.slice('column '.length);
        return [{ database, table, column, kind: 'EQUAL', keys: uniqueKeys(parts, column), members }];
      });
      return [...named('FLOAT', /^float\b/i), ...named('ENUM', /^enum\((?:'(?:[^'\\]|''|\\.)*',)*''[,)]/is), ...equal];
    }),
  );
}

/** The unique keys that contain this column. */
export function uniqueKeys(parts: ReadonlyMap<string, string>, column: string): readonly (readonly string[])[] {
  return [...parts]
    .filter(([part, text]) => part === 'primary key' || (part.startsWith('index ') && text.startsWith('UNIQUE ')))
    .map(([, text]) => [...text.slice(text.indexOf(' (')).matchAll(/`((?:[^`]|``)*)`/g)])
    .map((names) => names.map(([, name = '']) => name.replaceAll('``', '`')))
    .filter((names) => names.includes(column));
}

async function holdsLostValue(session: Session, suspect: Suspect): Promise<Searched> {
  const condition = await conditionOf(session, suspect);
  if (typeof condition === 'object' || condition === false) return condition;
  return searchRows(session, `SELECT 1 AS found FROM ${tableOf(suspect)} WHERE ${condition} LIMIT 1`);
}

/** False: no row can hold such a value. */
async function conditionOf(
  session: Session,
  { kind, column, members }: Suspect,
): Promise<string | false | { readonly unknown: string }> {
  if (kind === 'FLOAT') return digitsAreLost(column);
  if (kind === 'ENUM' || members === undefined) return `${quoteName(column)} + 0 = 0`;
  const later = await equalMembers(session, members);
  if (!Array.isArray(later)) return later;
  if (later.length === 0) return false;
  if (members.type === 'enum') return `${quoteName(column)} + 0 IN (${later.join(', ')})`;
  const bits = later.reduce((all, position) => all | (1n << BigInt(position - 1)), 0n);
  return `${quoteName(column)} & ${bits}`;
}

/**
 * A FLOAT has 24 binary digits. The server reads the text of the dump as the same value if the text differs by less
 * than half of the last binary digit. At a power of two the limit is a quarter, because the values below it are twice
 * as close.
 */
function digitsAreLost(column: string): string {
  const value = `(0e0 + ${quoteName(column)})`;
  const exponent = `GREATEST(-126, FLOOR(LOG2(ABS(${value}))))`;
  const isPower = `ABS(${value}) = POW(2, ${exponent})`;
  return `${value} <> 0 AND ABS(CONCAT(${quoteName(column)}) - ${value}) > POW(2, ${exponent} - IF(${isPower}, 25, 24))`;
}

async function refuseEqualKeys(session: Session, suspect: Suspect): Promise<void> {
  for (const key of suspect.keys) {
    const texts = key.map((name) => (name === suspect.column ? `CONCAT(${quoteName(name)})` : quoteName(name)));
    const present = key.map((name) => `${quoteName(name)} IS NOT NULL`).join(' AND ');
    const grouped = `SELECT 1 AS found FROM ${tableOf(suspect)} WHERE ${present} GROUP BY ${texts.join(', ')} HAVING COUNT(*) > 1 LIMIT 1`;
    if ((await searchRows(session, grouped)) !== true) continue;
    const { database, table, column, kind } = suspect;
    const [why, help] =
      kind === 'FLOAT'
        ? [
            'FLOAT values that are equal when they are written with six digits',
            `Make the column a DOUBLE, which keeps all digits: ALTER TABLE ${tableOf(suspect)} MODIFY ${quoteName(column)} DOUBLE;`,
          ]
        : [
            `values of the column '${column}' that are equal when they are written as text`,
            'Give the members of the column names that its collation distinguishes, or give the column a binary collation.',
          ];
    throw new StowageError(
      'TOOL_FAILED',
      `A dump of ${database}.${table} cannot be restored: its unique key (${key.join(', ')}) has ${why}.`,
      { help: `${help} Then start the backup again.`, details: { database, table, column } },
    );
  }
}

function tableOf({ database, table }: Suspect): string {
  return `${quoteName(database)}.${quoteName(table)}`;
}
