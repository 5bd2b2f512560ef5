import { StowageError } from '../../../errors.js';
import { membersOf, type Members } from '../checks/equalMembers.js';
import { listed } from '../checks/listed.js';
import { noTime, searchedRows, searchRows } from '../checks/searchRows.js';
import { generatedExpression } from '../definitions/expressions.js';
import type { Definitions } from '../definitions/readDefinitions.js';
import type { TableParts } from '../definitions/tableParts.js';
import { quoteName } from '../privileges/grants.js';
import type { Row, Session } from '../session/session.js';

/**
 * The server shows definitions in utf8mb3. So SHOW CREATE TABLE, and with it the dump, has `?` for each character outside
 * of the Basic Multilingual Plane (such as 😀) in members of ENUM and SET columns and in defaults. The rows have their
 * characters, and would not find their members in the restored table: the server stores the empty string instead.
 */
export type WideCharacters = {
  /** The statements that give the empty table its characters, after its CREATE TABLE. */
  readonly statements: readonly TableStatement[];
  /** The definitions with these characters. */
  readonly definitions: Definitions;
  readonly warnings: readonly string[];
};
export type TableStatement = { readonly database: string; readonly table: string; readonly sql: string };

/** The time limit for searching all tables together. */
const budgetMs = 20_000;

const shownAsQuestionMark = "The server shows a character outside of the Basic Multilingual Plane (such as 😀) as '?'";

/** The character sets that have such characters. */
const wideSets = new Set(['utf8mb4', 'utf16', 'utf16le', 'utf32', 'gb18030']);

type Column = {
  readonly database: string;
  readonly table: string;
  readonly name: string;
  readonly isVersioned: boolean;
  readonly collation: string;
  readonly members: Members | undefined;
  /** What follows the type in the definition, without the collation. */
  readonly rest: string;
  /** The literal of the default, if it has a `?`. */
  readonly shownDefault: string | undefined;
};

/** Reads these characters from the defaults, and from rows that hold the members. */
export async function readWideCharacters(session: Session, definitions: Definitions): Promise<WideCharacters> {
  const until = performance.now() + budgetMs;
  const statements: TableStatement[] = [];
  const unknown: string[] = [];
  const unknownDefaults: string[] = [];
  const corrected = new Map<string, Map<string, string>>();
  for (const column of suspects(definitions)) {
    const { database, table, name } = column;
    refuseDefaultInBytes(column);
    const defaults = await readDefault(session, column);
    const { members, missing } = await readMembers(session, column, defaults, until);
    if (column.shownDefault !== undefined && defaults === undefined)
      unknownDefaults.push(`${database}.${table}.${name}`);
    if (missing !== undefined) unknown.push(`${database}.${table}.${name}${missing}`);
    const change = changeOf(column, members, defaults?.['text']);
    if (change === undefined) continue;
    if (change.text !== undefined) refuseForeignKey(column, definitions);
    const set = column.isVersioned ? 'SET STATEMENT system_versioning_alter_history = KEEP FOR ' : '';
    statements.push({ database, table, sql: `${set}ALTER TABLE ${quoteName(table)} ${change.sql};` });
    if (change.text === undefined) continue;
    const key = JSON.stringify([database, table]);
    corrected.set(key, (corrected.get(key) ?? new Map<string, string>()).set(`column ${name}`, change.text));
  }
  return {
    statements,
    definitions: statements.length === 0 ? definitions : withParts(definitions, corrected),
    warnings: [
      ...listed(
        await changedExpressions(session, definitions, until),
        `${shownAsQuestionMark}, also in the expressions of these generated columns. A restore computes other values, and no statement can read the characters`,
      ),
      ...listed(
        suspectExpressions(session, definitions),
        `${shownAsQuestionMark}, also in expressions. If the '?' in these CHECKs and default expressions stands for such a character, a restore creates them with '?', and no statement can read the character`,
      ),
      ...listed(
        unknown,
        `${shownAsQuestionMark}, and no row shows which characters these ENUM and SET columns have in a member with a '?'. A restore creates that member with '?'`,
      ),
      ...listed(
        unknownDefaults,
        `${shownAsQuestionMark}, and the default of these columns, which has a '?', can be read only from a table with rows. A restore creates the default with '?'`,
      ),
    ],
  };
}

function suspects(definitions: Definitions): readonly Column[] {
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables].flatMap(([table, { parts }]) =>
      [...parts].flatMap(([part, text]): readonly Column[] => {
        if (!part.startsWith('column ') || !text.includes('?')) return [];
        const [end, collation = ''] = / COLLATE (\w+)$/.exec(text) ?? [''];
        if (!wideSets.has(collation.split('_')[0] ?? '')) return [];
        const members = membersOf(text);
        const type = /^\w+(?:\((?:\d+|(?:'(?:[^'\\]|''|\\.)*',?)+)\))?/s.exec(text)?.[0] ?? '';
        const rest = text.slice(type.length, text.length - end.length);
        const [, literal] = /^[^'(]*? DEFAULT ('(?:[^'\\]|''|\\.)*')/s.exec(rest) ?? [];
        const shownDefault = literal?.includes('?') === true ? literal : undefined;
        if (shownDefault === undefined && members?.literals.some(hidesCharacters) !== true) return [];
        const isVersioned = parts.has('system versioning');
        const name = part.slice('column '.length);
        return [{ database, table, name, isVersioned, collation, members, rest, shownDefault }];
      }),
    ),
  );
}

/** MySQL shows the default of such a member as bytes, which are no member of the column that the dump creates. */
function refuseDefaultInBytes(column: Column): void {
  if (column.members === undefined || !/^[^'(]*? DEFAULT 0x/.test(column.rest)) return;
  const { database, table, name } = column;
  const alter = `ALTER TABLE ${tableOf(column)} ALTER ${quoteName(name)} DROP DEFAULT;`;
  throw new StowageError(
    'TOOL_FAILED',
    `A dump of ${database}.${table} cannot be restored: the default of its column '${name}' is a member with a character outside of the Basic Multilingual Plane, and the server shows that member as '?' (error 1067).`,
    {
      help: `Drop the default, or give the column a default without such a character: ${alter} Then start the backup again.`,
      details: { database, table, column: name },
    },
  );
}

/** The server does not alter the type of a column in a foreign key (error 1832), also without foreign_key_checks. */
function refuseForeignKey({ database, table, name }: Column, definitions: Definitions): void {
  const keys = [...definitions.values()].flatMap(({ tables }) =>
    [...tables.values()].flatMap(({ parts }) => [...parts].filter(([part]) => part.startsWith('foreign key '))),
  );
  if (!keys.some(([, text]) => text.includes(`(${quoteName(name)}`) || text.includes(`, ${quoteName(name)}`))) return;
  throw new StowageError(
    'TOOL_FAILED',
    `A dump of ${database}.${table} cannot be restored: members of its column '${name}' have characters outside of the Basic Multilingual Plane, the server shows them as '?', and no statement can correct a column of a foreign key (error 1832).`,
    {
      help: `Drop the foreign keys with the column ${quoteName(name)}, or give these members other texts. Then start the backup again.`,
      details: { database, table, column: name },
    },
  );
}

function hidesCharacters(literal: string): boolean {
  return literal.includes('?');
}

/** A column that may be NULL shows its default also if the table has no rows. Undefined: the default is unknown. */
async function readDefault(session: Session, column: Column): Promise<Row | undefined> {
  if (column.shownDefault === undefined) return undefined;
  const value = `DEFAULT(${quoteName(column.name)})`;
  const select = `SELECT ${hexOf(value)} AS text, CONCAT(${value} + 0) AS position`;
  const table = tableOf(column);
  for (const from of [`(SELECT 1) AS one_row LEFT JOIN ${table} ON FALSE`, `${table} LIMIT 1`]) {
    const rows = await searchedRows(session, `${select} FROM ${from}`);
    if (!('unknown' in rows) && typeof rows[0]?.['text'] === 'string') return rows[0];
  }
  return undefined;
}

/** The members with their characters. `missing`: a member with a `?` is in no row, or the reason why rows are unknown. */
async function readMembers(
  session: Session,
  column: Column,
  defaults: Row | undefined,
  until: number,
): Promise<{ readonly members: readonly string[]; readonly missing?: string }> {
  const { members } = column;
  if (members === undefined) return { members: [] };
  const found = [...members.literals];
  const open = new Set(found.flatMap((literal, index) => (hidesCharacters(literal) ? [index] : [])));
  const take = (row: Row | undefined) => {
    for (const [index, text] of membersIn(row, members.type)) {
      if (open.delete(index)) found[index] = literalOf(text);
    }
  };
  take(defaults);
  let missing = '';
  for (const index of [...open]) {
    if (!open.has(index)) continue;
    const rows = performance.now() < until ? await searchedRows(session, selectOf(column, members, index)) : noTime;
    if ('unknown' in rows) missing = ` (${rows.unknown})`;
    else take(rows[0]);
  }
  return { members: found, ...(open.size === 0 ? {} : { missing }) };
}

function selectOf(column: Column, { type }: Members, index: number): string {
  const name = quoteName(column.name);
  const holds = type === 'enum' ? `${name} + 0 = ${index + 1}` : `${name} & ${1n << BigInt(index)}`;
  const history = column.isVersioned ? ' FOR SYSTEM_TIME ALL' : '';
  // CONCAT: the driver reads a large number as a text.
  return `SELECT ${hexOf(name)} AS text, CONCAT(${name} + 0) AS position FROM ${tableOf(column)}${history} WHERE ${holds} LIMIT 1`;
}

/** The members of one value, by their position from 0. */
function membersIn(row: Row | undefined, type: Members['type']): readonly (readonly [number, string])[] {
  const [position, hex] = [row?.['position'], row?.['text']];
  if (typeof position !== 'string' || typeof hex !== 'string' || !/^\d+$/.test(position)) return [];
  const text = Buffer.from(hex, 'hex').toString('utf8');
  if (type === 'enum') return position === '0' ? [] : [[Number(position) - 1, text]];
  const bits = BigInt(position);
  const set = Array.from({ length: 64 }, (_, index) => index).filter((index) => (bits >> BigInt(index)) & 1n);
  return text.split(',').flatMap((each, at) => (set[at] === undefined ? [] : [[set[at], each] as const]));
}

/** The change of the table. Undefined: nothing in the definition is shown with another character. */
function changeOf(
  { name, members, collation, rest, shownDefault }: Column,
  found: readonly string[],
  hexOfDefault: string | null | undefined,
): { readonly sql: string; readonly text?: string } | undefined {
  const real =
    typeof hexOfDefault === 'string' ? literalOf(Buffer.from(hexOfDefault, 'hex').toString('utf8')) : undefined;
  const isOther = real !== undefined && shownDefault !== undefined && real !== shownDefault;
  if (members === undefined) return isOther ? { sql: `ALTER ${quoteName(name)} SET DEFAULT ${real}` } : undefined;
  if (!isOther && found.every((literal, index) => literal === members.literals[index])) return undefined;
  const type = `${members.type}(${found.join(',')})`;
  const after = isOther ? rest.replace(` DEFAULT ${shownDefault}`, () => ` DEFAULT ${real}`) : rest;
  return {
    sql: `MODIFY ${quoteName(name)} ${type} COLLATE ${collation}${after}`,
    text: `${type}${after} COLLATE ${collation}`,
  };
}

/**
 * CHECKs and default expressions with a `?` on servers that show other characters so, in tables that may hold such
 * characters. (Tried: MySQL 8.0 and MariaDB 10.2 do, MariaDB 10.11 and 11.4 show them unchanged.)
 */
function suspectExpressions({ dialect, found }: Session, definitions: Definitions): readonly string[] {
  const release = dialect.releaseOf(found.get('version')?.value ?? '');
  if (dialect.product === 'MariaDB' && release >= 1011) return [];
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables].flatMap(([table, { parts }]) => {
      const mayBeWide = [...parts.values()].some((text) =>
        wideSets.has(/ COLLATE ([a-z0-9]+)_\w+$/.exec(text)?.[1] ?? ''),
      );
      if (!mayBeWide) return [];
      return [...parts].flatMap(([part, text]) => {
        const isCheck = part.startsWith('check ');
        const isExpression =
          part.startsWith('column ') && /\bCHECK \(| DEFAULT [^'\s]*\(/.test(text.replace(/ COMMENT '.*/s, ''));
        return (isCheck || isExpression) && text.includes('?') ? [`${part} of ${database}.${table}`] : [];
      });
    }),
  );
}

/** Generated columns with other values than the expression that the server shows. Newer versions show it unchanged. */
async function changedExpressions(
  session: Session,
  definitions: Definitions,
  until: number,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [database, { tables }] of definitions) {
    for (const [table, { parts }] of tables) {
      for (const [part, text] of parts) {
        const expression = part.startsWith('column ') ? generatedExpression(text) : undefined;
        const isText = /^(?:(?:var)?char|(?:tiny|medium|long)?text|enum|set)\b/.test(text);
        if (expression?.includes('?') !== true || !isText || performance.now() > until) continue;
        const name = part.slice('column '.length);
        const from = `${quoteName(database)}.${quoteName(table)}`;
        const differs = `HEX(CONVERT(${quoteName(name)} USING utf8mb4)) <> HEX(CONVERT((${expression}) USING utf8mb4))`;
        const differing = await searchRows(session, `SELECT 1 AS found FROM ${from} WHERE ${differs} LIMIT 1`);
        if (differing === true) found.push(`${database}.${table}.${name}`);
      }
    }
  }
  return found;
}

function withParts(definitions: Definitions, corrected: ReadonlyMap<string, ReadonlyMap<string, string>>): Definitions {
  const tableOfParts = (database: string, table: string, own: TableParts): TableParts => {
    const others = corrected.get(JSON.stringify([database, table]));
    return others === undefined ? own : { ...own, parts: new Map([...own.parts, ...others]) };
  };
  return new Map(
    [...definitions].map(([database, own]) => [
      database,
      { ...own, tables: new Map([...own.tables].map(([table, each]) => [table, tableOfParts(database, table, each)])) },
    ]),
  );
}

function hexOf(expression: string): string {
  return `HEX(CONVERT(${expression} USING utf8mb4))`;
}

/** As the server shows it. */
function literalOf(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function tableOf({ database, table }: Column): string {
  return `${quoteName(database)}.${quoteName(table)}`;
}
