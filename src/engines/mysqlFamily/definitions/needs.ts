import type { Inventory } from '../../inventory.js';
import { definitionNamed } from '../../definitionNamed.js';
import type { Names, ViewDefinition } from '../catalog/catalog.js';
import { quoteName } from '../privileges/grants.js';
import { listed } from '../checks/listed.js';
import { needsOfServerObjects } from './serverObjectNeeds.js';
import { isOfAnyLength, keyBytes } from './keyBytes.js';
import type { DatabaseDefinitions, Definitions } from './readDefinitions.js';
import { sqlWords } from './sqlWords.js';
import type { TableParts } from './tableParts.js';

export type Circumstances = {
  /** Databases of the server that are not dumped. */
  readonly others: readonly string[];
  /** The server stores names in lower case. */
  readonly folded: boolean;
  readonly historyDumped: boolean;
};

/** The most objects that are named for a need. */
const namedAtMost = 20;

/** The needs of each database. */
export type Needs = ReadonlyMap<string, Readonly<Record<string, readonly string[]>>>;
type Need = (database: string, what: string, name: string) => void;

/**
 * The requirements of each database for a target, with the objects that need them. `restoreChecks/` checks each kind:
 * - `feature …`: a feature of a version;
 * - `collation …`;
 * - `definer …`: without this account a view cannot be created;
 * - `database …` and `sequence …`: they are read and not dumped;
 * - `trusted functions`;
 * - `primary key`: tables that have no key of unique values, and `primary key beside unique keys`: tables that have only such;
 * - `encryption`;
 * - `folded triggers` and `folded programs`: their texts spell a name with other letter case, which only a server that
 *   folds names accepts;
 * - `key … …`: a storage engine and the bytes of a key, because some servers allow only shorter keys;
 * - `directory …`: the folder of the table's files;
 * - `tablespace …`, `spatial reference system …`, `parser …` and `time zone …`: objects that belong to no database.
 */
export function needsOf(
  catalog: Names,
  definitions: Definitions,
  { others, folded, historyDumped }: Circumstances,
): Needs {
  const all = new Map<string, Map<string, Set<string>>>();
  const need: Need = (database, what, name) => {
    const needs = all.get(database) ?? new Map<string, Set<string>>();
    const names = needs.get(what) ?? new Set<string>();
    if (names.size < namedAtMost) names.add(`${database}.${name}`);
    all.set(database, needs.set(what, names));
  };
  const chosen = new Set(catalog.databases.map(({ name }) => name.toLowerCase()));
  const stored = new Set([...catalog.databases, ...catalog.tables, ...catalog.views].map(({ name }) => name));
  for (const [database, own] of definitions) {
    for (const [table, parts] of own.tables) {
      const ofTable: TableNeed = (what, name = '') => need(database, what, table + name);
      needsOfTable(parts, ofTable);
      needsOfStorage(parts, ofTable);
    }
    needsOfServerObjects(own, (what, name) => need(database, what, name));
    for (const { name, kind, safeForBinaryLog } of own.routines) {
      if (kind === 'FUNCTION' && !safeForBinaryLog) need(database, 'trusted functions', name);
    }
    for (const { table, sequence } of sequencesInDefaults(database, own)) {
      // The table cannot be created if the sequence is missing.
      if (chosen.has(sequence.database.toLowerCase())) continue;
      need(database, `sequence ${sequence.database}.${sequence.name}`, table);
    }
    if (folded) needsOfSpellings(stored, own, (what, name) => need(database, what, name));
  }
  for (const { view, definer } of dependentViews(catalog, definitions)) {
    need(view.database, `definer ${definer}`, view.name);
  }
  for (const { database, table, name, collation } of catalog.columns) {
    if (collation !== null) need(database, `collation ${collation}`, `${table}.${name}`);
  }
  for (const view of catalog.views) {
    for (const other of others) {
      if (view.definition.includes(`${quoteName(other)}.`)) need(view.database, `database ${other}`, view.name);
    }
  }
  for (const { database, name, systemVersioned } of historyDumped ? catalog.tables : []) {
    if (systemVersioned) need(database, 'feature history of versioned tables', name);
  }
  return new Map(
    [...all].map(([database, needs]) => [
      database,
      Object.fromEntries([...needs].map(([what, names]) => [what, [...names]])),
    ]),
  );
}

/**
 * A server that folds names stores them in lower case. But the text of a trigger keeps the spelling of its table, and
 * the text of a program keeps the spelling of all tables.
 */
function needsOfSpellings(
  stored: ReadonlySet<string>,
  { triggers, routines, events }: DatabaseDefinitions,
  need: (what: string, name: string) => void,
): void {
  const isOther = (word: string) => !stored.has(word) && stored.has(word.toLowerCase());
  for (const { name, body, sqlMode, statement = '' } of triggers) {
    const words = sqlWords(statement, sqlMode);
    const on = words.findIndex((word) => /^on$/i.test(word));
    const table = words[on + 2] === '.' ? [words[on + 1], words[on + 3]] : [words[on + 1]];
    if (table.some((word) => word !== undefined && isOther(word))) need('folded triggers', name);
    else if (sqlWords(body, sqlMode).some(isOther)) need('folded programs', name);
  }
  for (const { name, body, sqlMode } of routines) {
    if (sqlWords(body, sqlMode).some(isOther)) need('folded programs', name);
  }
  for (const { name, body, sqlMode } of events) {
    if (sqlWords(body, sqlMode).some(isOther)) need('folded programs', name);
  }
}

const typesOfVersions = /^(uuid|inet6|inet4|vector|xmltype)\b/;

type TableNeed = (what: string, name?: string) => void;

function needsOfTable(table: TableParts, need: TableNeed): void {
  const { parts, options } = table;
  for (const [name, text] of parts) {
    if (name.startsWith('column ')) {
      const column = `.${name.slice('column '.length)}`;
      const [type] = typesOfVersions.exec(text) ?? [];
      if (type !== undefined) need(`feature type ${type}`, column);
      if (/ INVISIBLE\b/.test(text)) need('feature invisible columns', column);
      if (/ COMPRESSED\b/.test(text)) need('feature compressed columns', column);
    }
    if (name === 'period SYSTEM_TIME' || name === 'system versioning') need('feature system versioning');
    else if (name.startsWith('period ')) need('feature periods');
    if (/ WITHOUT OVERLAPS\b/.test(text)) need('feature WITHOUT OVERLAPS');
    if (name.startsWith('index ') && / IGNORED\b/.test(text)) need('feature ignored indexes');
    if (name.startsWith('index ') && isOfAnyLength(text, table)) need('feature unique keys of any length');
  }
  if (!parts.has('primary key')) {
    const hasOther = [...parts.values()].some((text) => text.startsWith('UNIQUE KEY'));
    need(hasOther ? 'primary key beside unique keys' : 'primary key');
  }
  // MariaDB's option, and MySQL's.
  const encrypted = options.get('ENCRYPTED') ?? options.get('ENCRYPTION') ?? '';
  if (/^'?(?:yes|y)'?$/i.test(encrypted)) need('encryption');
}

/** Every server allows keys of this many bytes. */
const anyKeyBytes = 767;

function needsOfStorage(table: TableParts, need: TableNeed): void {
  const { parts, options } = table;
  for (const [name, text] of parts) {
    const bytes = name === 'primary key' || name.startsWith('index ') ? keyBytes(text, table) : 0;
    if (bytes > anyKeyBytes) need(`key ${options.get('ENGINE') ?? ''} ${bytes}`, `.${name.replace(/^index /, '')}`);
  }
  for (const folder of foldersOf({ parts, options })) need(`directory ${folder}`);
}

/** The folders of DATA DIRECTORY and INDEX DIRECTORY, of the table and of its partitions. */
function foldersOf({ parts, options }: Pick<TableParts, 'parts' | 'options'>): readonly string[] {
  const written = [
    ...['DATA DIRECTORY', 'INDEX DIRECTORY'].flatMap((option) => options.get(option) ?? []),
    ...[...(parts.get('partitions') ?? '').matchAll(/ (?:DATA|INDEX) DIRECTORY = ('(?:[^'\\]|''|\\.)*')/g)].map(
      ([, folder = '']) => folder,
    ),
  ];
  return [...new Set(written.map((folder) => folder.slice(1, -1).replaceAll("''", "'")))];
}

/** Such tables can be restored only where those databases are. */
export function warnOfSequencesElsewhere({ databases }: Inventory): readonly string[] {
  const tables = databases.flatMap(({ needs = {} }) =>
    Object.entries(needs).flatMap(([need, names]) => (need.startsWith('sequence ') ? names : [])),
  );
  if (tables.length === 0) return [];
  return [
    `Defaults of columns of these tables use sequences of databases that are not part of this backup, so a restore into another server is refused: ${tables.join(', ')}.`,
  ];
}

/** Nobody can check the folders of a target beforehand. */
export function warnOfDirectories({ databases }: Inventory): readonly string[] {
  const tables = databases.flatMap(({ needs = {} }) =>
    Object.entries(needs).flatMap(([need, names]) =>
      need.startsWith('directory ') ? names.map((name) => `${name} (${need.slice('directory '.length)})`) : [],
    ),
  );
  return listed(
    tables,
    'These tables lie in folders of their own (DATA DIRECTORY, INDEX DIRECTORY); a restore needs the same folders on the target, empty and writable for its server',
  );
}

/** The sequences that the defaults of columns use. */
export function sequencesInDefaults(
  database: string,
  own: DatabaseDefinitions | undefined,
): readonly { readonly table: string; readonly sequence: { readonly database: string; readonly name: string } }[] {
  const used = /\b(?:nextval|lastval)\((?:`((?:[^`]|``)*)`\.)?`((?:[^`]|``)*)`\)/g;
  return [...(own?.tables ?? [])].flatMap(([table, { parts }]) =>
    [...parts]
      // Most columns use no sequence, and there may be very many columns.
      .filter(([name, text]) => name.startsWith('column ') && text.includes('val('))
      .flatMap(([, text]) =>
        [...text.matchAll(used)].map(([, within, name = '']) => ({
          table,
          sequence: {
            database: within === undefined ? database : within.replaceAll('``', '`'),
            name: name.replaceAll('``', '`'),
          },
        })),
      ),
  );
}

/**
 * Views that read other views. The server creates such a view only if the definer of the other view exists (1449). The
 * dump creates the views in the order of databases and names. Each replaces a stand-in that has no definer.
 */
function dependentViews(
  catalog: Names,
  definitions: Definitions,
): readonly { readonly view: ViewDefinition; readonly definer: string }[] {
  const order = new Map(catalog.databases.map(({ name }, index) => [name, index]));
  const isEarlier = (one: ViewDefinition, other: ViewDefinition) =>
    one.database === other.database
      ? one.name < other.name
      : (order.get(one.database) ?? 0) < (order.get(other.database) ?? 0);
  const byName = new Map(catalog.views.map((view) => [`${quoteName(view.database)}.${quoteName(view.name)}`, view]));
  const hasDefinersRights = ({ database, name }: ViewDefinition) =>
    definitionNamed(definitions.get(database)?.objects['views'], name)?.parts?.['security'] === 'DEFINER';
  return catalog.views.flatMap((view) =>
    [...new Set(view.definition.match(qualifiedNames))]
      .map((name) => byName.get(name))
      .filter((other) => other !== undefined)
      .filter((other) => hasDefinersRights(other) && isEarlier(other, view))
      .map(({ definer }) => ({ view, definer })),
  );
}

const qualifiedNames = /`(?:[^`]|``)*`\.`(?:[^`]|``)*`/g;
