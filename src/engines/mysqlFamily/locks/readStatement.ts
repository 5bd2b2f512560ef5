/**
 * The details of another session's statement that may be shown: its kind and its tables. Its values are never shown.
 */
export type Statement = {
  /** For example `ALTER TABLE`. Null: this file does not know the kind. */
  readonly kind: string | null;
  /** False for `FLUSH TABLES` without names, which concerns all tables. */
  readonly namesAny: boolean;
  /** Whether it names this table. `usedDatabase` is the database of unqualified names. */
  names(table: TableName, usedDatabase: string | null): boolean;
  /** Whether it asks for an exclusive lock on the table, as `ALTER TABLE` and `LOCK TABLES … WRITE` do. */
  excludesReaders(table: TableName, usedDatabase: string | null): boolean;
};

export type TableName = { readonly database: string; readonly table: string };

export function readStatement(sql: string): Statement {
  const tokens = tokensOf(sql);
  const kind = kindOf(tokens);
  return {
    kind,
    namesAny: tokens.slice(2).some(({ kind: each, text }) => each !== 'mark' && !flushOptions.test(text)),
    names: (table, usedDatabase) =>
      namesDatabase(kind, tokens, table.database) || placesOf(tokens, table, usedDatabase).length > 0,
    excludesReaders: (table, usedDatabase) => {
      if (kind === null || !excluding.has(kind.split(' ', 1)[0] ?? '')) return false;
      if (namesDatabase(kind, tokens, table.database)) return true;
      const places = placesOf(tokens, table, usedDatabase);
      if (kind.startsWith('LOCK')) return places.some((place) => isLockedForWriting(tokens, place));
      // The new table's name comes first, then the tables that the statement reads.
      if (kind === 'CREATE TABLE') return places.some((place) => isMade(tokens, place));
      return places.length > 0;
    },
  };
}

/** The table that `SELECT … FROM table` reads; undefined for another statement. */
export function tableRead(sql: string, usedDatabase: string | null): TableName | undefined {
  const tokens = tokensOf(sql);
  if (!isWord(tokens[0], 'SELECT')) return undefined;
  const from = tokens.findIndex((token) => isWord(token, 'FROM'));
  const [first, dot, second] = from < 0 ? [] : tokens.slice(from + 1, from + 4);
  if (first === undefined || first.kind === 'mark') return undefined;
  if (dot?.text === '.' && second !== undefined) return { database: first.text, table: second.text };
  return usedDatabase === null ? undefined : { database: usedDatabase, table: first.text };
}

/** Names are compared without letter case. At worst, a name that differs only in case matches. */
export function isSameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

type Token = {
  /** A `name` is quoted; a `word` may be a keyword or a name; a `text` is a value, or a name under ANSI_QUOTES. */
  readonly kind: 'word' | 'name' | 'text' | 'mark';
  readonly text: string;
};

/** MariaDB manual, "Identifier Names", "String Literals", "Comment Syntax". */
const token = new RegExp(
  [
    '\\s+|/\\*[^]*?(?:\\*/|$)|--[\\s][^\\n]*|#[^\\n]*',
    '`((?:[^`]|``)*)(?:`|$)',
    "'(?:[^'\\\\]|\\\\[^]|'')*(?:'|$)",
    '"((?:[^"\\\\]|\\\\[^]|"")*)(?:"|$)',
    '([\\p{L}\\p{N}_$]+)',
    '([^])',
  ].join('|'),
  'gu',
);

function tokensOf(sql: string): readonly Token[] {
  const tokens: Token[] = [];
  for (const [, name, quoted, word, mark] of sql.matchAll(token)) {
    if (name !== undefined) tokens.push({ kind: 'name', text: name.replaceAll('``', '`') });
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else if (mark !== undefined) tokens.push({ kind: 'mark', text: mark });
  }
  return tokens;
}

const nouns = ['TABLE', 'TABLES', 'INDEX', 'DATABASE', 'SCHEMA', 'TRIGGER', 'VIEW', 'SEQUENCE', 'PROCEDURE', 'EVENT'];
const verbsWithNouns = new Set(['ALTER', 'CREATE', 'DROP', 'RENAME', 'LOCK', 'FLUSH', 'OPTIMIZE', 'REPAIR', 'ANALYZE']);
const otherVerbs = new Set(
  'SELECT INSERT UPDATE DELETE REPLACE LOAD TRUNCATE CALL WITH SHOW CHECK HANDLER BACKUP EXECUTE DO SET'.split(' '),
);
/** Statements that begin with these words wait for readers of the table, and readers wait for them. */
const excluding = new Set(['ALTER', 'CREATE', 'DROP', 'RENAME', 'LOCK', 'FLUSH', 'OPTIMIZE', 'REPAIR', 'TRUNCATE']);

const flushOptions = /^(LOCAL|NO_WRITE_TO_BINLOG|TABLES?|WITH|READ|LOCK|AND|DISABLE|CHECKPOINT)$/i;

/** Consists only of words from the lists above, so it cannot contain data of a customer. */
function kindOf(tokens: readonly Token[]): string | null {
  const verb = tokens[0]?.kind === 'word' ? tokens[0].text.toUpperCase() : '';
  if (otherVerbs.has(verb)) return verb === 'TRUNCATE' ? 'TRUNCATE TABLE' : verb;
  if (!verbsWithNouns.has(verb)) return null;
  // OR REPLACE, ONLINE, UNIQUE, DEFINER=`x`@`y` and similar words come before the noun.
  const words = tokens.slice(1, 14).filter(({ kind }) => kind === 'word');
  const noun = words.map(({ text }) => text.toUpperCase()).find((word) => nouns.includes(word));
  return noun === undefined ? verb : `${verb} ${noun}`;
}

/** `DROP DATABASE x` concerns every table of the database. */
function namesDatabase(kind: string | null, tokens: readonly Token[], database: string): boolean {
  if (kind !== 'DROP DATABASE' && kind !== 'DROP SCHEMA') return false;
  return tokens.slice(2).some(({ kind: each, text }) => each !== 'mark' && isSameName(text, database));
}

/** The positions of the table's own name among the tokens. */
function placesOf(tokens: readonly Token[], { database, table }: TableName, used: string | null): readonly number[] {
  const places: number[] = [];
  tokens.forEach(({ kind, text }, index) => {
    if (kind === 'mark' || !isSameName(text, table)) return;
    const qualifier = tokens[index - 1]?.text === '.' ? (tokens[index - 2]?.text ?? '') : used;
    if (qualifier !== null && isSameName(qualifier, database)) places.push(index);
  });
  return places;
}

/** `LOCK TABLES t [[AS] alias] [LOW_PRIORITY | CONCURRENT] WRITE`, up to the next comma. */
function isLockedForWriting(tokens: readonly Token[], place: number): boolean {
  const rest = tokens.slice(place + 1);
  const comma = rest.findIndex(({ text }) => text === ',');
  return rest.slice(0, comma < 0 ? undefined : comma).some((each) => isWord(each, 'WRITE'));
}

/** `CREATE [OR REPLACE] TABLE [IF NOT EXISTS] [database.]t`. */
function isMade(tokens: readonly Token[], place: number): boolean {
  const first = tokens[place - 1]?.text === '.' ? place - 2 : place;
  const before = tokens[first - 1];
  return isWord(before, 'TABLE') || isWord(before, 'EXISTS');
}

function isWord(each: Token | undefined, word: string): boolean {
  return each?.kind === 'word' && each.text.toUpperCase() === word;
}
