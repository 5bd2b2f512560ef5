/** The parts of a table's `SHOW CREATE TABLE`. */
export type TableParts = {
  /**
   * The text of each part, by `column id`, `primary key`, `index k`, `foreign key f`, `check c`, `period p`,
   * `partitions` or `option COMMENT`.
   */
  readonly parts: ReadonlyMap<string, string>;
  /** All options, compared or not, by name in capital letters. */
  readonly options: ReadonlyMap<string, string>;
  /** The text after the columns, without the partitions. */
  readonly tail: string;
  /** The table, a column or an index has options that its storage engine ignores. */
  readonly ignoresOptions: boolean;
};

/**
 * Splits the text, and leaves out everything that a server may write differently for the same table: the name of the
 * table itself, the next AUTO_INCREMENT, character sets and version comments. (A patch release of MariaDB changed when
 * character sets are shown, and the real collation is a field of its own.) Names of other tables are in lower case,
 * because a target may store them so. `collations` are those of the columns. With `ignoresKeyOrder`, indexes, foreign keys
 * and checks are in the order of their names, and words that InnoDB keeps and ignores are left out: information_schema
 * shows neither.
 */
export function tableParts(
  shown: string,
  collations: ReadonlyMap<string, string>,
  { ignoresKeyOrder }: { readonly ignoresKeyOrder: boolean },
): TableParts {
  const createTable = withoutIgnoredOptions(shown);
  const parts = new Map<string, string>();
  const start = createTable.indexOf('(\n') + 1;
  const { pieces, end } = splitBody(createTable, start);
  const rest = createTable.slice(end);
  const isInnodb = /^\s*ENGINE=InnoDB\b/.test(rest);
  const body = pieces.map((piece) => {
    const [name, text] = part(piece.trim(), collations);
    return [name, ignoresKeyOrder && isInnodb ? withoutIgnoredWords(text) : text] as const;
  });
  for (const [name, text] of ignoresKeyOrder ? inOrderOfNames(body) : body) parts.set(name, text);
  const partitioned = /\s(?:\/\*!\d+ )?PARTITION BY /.exec(rest);
  const tail = partitioned === null ? rest : rest.slice(0, partitioned.index);
  const options = readOptions(tail);
  for (const [name, value] of options) {
    if (!notCompared.test(name)) parts.set(`option ${name}`, value);
  }
  if (/\bWITH SYSTEM VERSIONING\b/.test(withoutStrings(tail))) parts.set('system versioning', 'WITH SYSTEM VERSIONING');
  if (partitioned !== null) parts.set('partitions', rest.slice(partitioned.index).replace(/\s+/g, ' ').trim());
  return { parts, options, tail, ignoresOptions: createTable !== shown };
}

/** Options with a field of their own, and options that only affect space and statistics. */
const notCompared =
  /^(ENGINE|AUTO_INCREMENT|DEFAULT CHARSET|CHARSET|COLLATE|ROW_FORMAT|KEY_BLOCK_SIZE|STATS_.*|(DATA|INDEX) DIRECTORY|PACK_KEYS|PAGE_CHECKSUM|CHECKSUM|DELAY_KEY_WRITE|(MIN|MAX)_ROWS|AVG_ROW_LENGTH|TRANSACTIONAL|PAGE_COMPRESS.*)$/i;

const quotedName = '`(?:[^`]|``)*`';
const string = "'(?:[^'\\\\]|''|\\\\.)*'";

const commentOrQuoted = new RegExp(
  `${quotedName}|${string}| /\\* (?:${quotedName}\\s*=\\s*${string}[ ,]*)+ ?\\*/`,
  'gs',
);
const elements = new RegExp(`${quotedName}|${string}|"(?:[^"\\\\]|""|\\\\.)*"|[(),]`, 'gs');

/**
 * Options that a storage engine ignores are in comments, and a restore does not keep them. Not so the comments that
 * mark a version or the format of a time.
 */
function withoutIgnoredOptions(createTable: string): string {
  if (!createTable.includes('/* `')) return createTable;
  return createTable.replace(commentOrQuoted, (found) => (found.startsWith(' /*') ? '' : found));
}

const ignoredWords = new RegExp(
  `${quotedName}|${string}| USING BTREE\\b| KEY_BLOCK_SIZE=\\d+| /\\*!50606 (?:STORAGE|COLUMN_FORMAT) \\w+ \\*/`,
  'gs',
);

function withoutIgnoredWords(text: string): string {
  return text.replace(ignoredWords, (found) => (found.startsWith(' ') ? '' : found));
}

function inOrderOfNames(body: readonly (readonly [string, string])[]): readonly (readonly [string, string])[] {
  const isColumn = ([name]: readonly [string, string]) => name.startsWith('column ');
  const others = body.filter((one) => !isColumn(one)).sort(([one], [other]) => (one < other ? -1 : 1));
  return [...body.filter(isColumn), ...others];
}

/** Splits at commas outside of quotes and inner parentheses, up to the parenthesis that closes the body. */
export function splitBody(text: string, start: number): { readonly pieces: readonly string[]; readonly end: number } {
  const pieces: string[] = [];
  const next = new RegExp(elements);
  next.lastIndex = start;
  let depth = 1;
  let from = start;
  for (let found = next.exec(text); found !== null; found = next.exec(text)) {
    const [token] = found;
    if (token === '(') depth += 1;
    if (token === ')') depth -= 1;
    if ((token === ',' && depth === 1) || depth === 0) {
      pieces.push(text.slice(from, found.index));
      from = next.lastIndex;
    }
    if (depth === 0) return { pieces, end: next.lastIndex };
  }
  return { pieces, end: text.length };
}

const strings = new RegExp(string, 'gs');
const startingName = new RegExp(`^${quotedName}`, 's');
const nameAndSpace = new RegExp(`^${quotedName} `, 's');
const foreignKey = new RegExp(`^CONSTRAINT ${quotedName} FOREIGN KEY`, 's');
const referenced = new RegExp(`(?<= REFERENCES )(${quotedName}\\.)?${quotedName}`, 's');
const typeOfColumn = new RegExp(
  `^(${quotedName} \\w+(?:\\((?:[^()']|${string})*\\))?(?: unsigned| zerofill)*)(?: CHARACTER SET \\w+)?(?: COLLATE \\w+)?`,
  's',
);
const named = new RegExp(`^(?:(?:UNIQUE |FULLTEXT |SPATIAL )?KEY|CONSTRAINT|PERIOD FOR) (${quotedName}|\\w+)`, 's');

function part(piece: string, collations: ReadonlyMap<string, string>): readonly [string, string] {
  if (piece.startsWith('`')) {
    const name = unquoted(startingName.exec(piece)?.[0] ?? '');
    const collation = collations.get(name);
    const plain = piece.replace(' /* mariadb-5.3 */', '').replace(typeOfColumn, '$1');
    const text = withoutName(plain).replace(/(?<=\b(?:nextval|lastval)\()[^)]*/gi, (sequence) =>
      sequence.toLowerCase(),
    );
    return [`column ${name}`, collation === undefined ? text : `${text} COLLATE ${collation}`];
  }
  if (piece.startsWith('PRIMARY KEY')) return ['primary key', piece];
  const name = unquoted(named.exec(piece)?.[1] ?? piece);
  if (/^PERIOD FOR/.test(piece)) return [`period ${name}`, piece];
  if (!piece.startsWith('CONSTRAINT')) return [`index ${name}`, piece];
  if (!foreignKey.test(piece)) return [`check ${name}`, piece];
  return [`foreign key ${name}`, piece.replace(referenced, (table) => table.toLowerCase())];
}

function withoutName(column: string): string {
  return column.replace(nameAndSpace, '');
}

const optionValue = new RegExp(
  `(${quotedName}|(?:DEFAULT |DATA |INDEX )?[A-Za-z_]+)\\s*=\\s*(${string}|${quotedName}|\\([^)]*\\)|[^\\s]+)`,
  'gs',
);

function readOptions(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(optionValue)].map(([, name = '', value = '']) => [unquoted(name).toUpperCase(), value]),
  );
}

function withoutStrings(text: string): string {
  return text.replace(strings, "''");
}

function unquoted(name: string): string {
  return name.startsWith('`') ? name.slice(1, -1).replaceAll('``', '`') : name;
}
