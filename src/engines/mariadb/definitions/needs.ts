import type { Inventory } from '../../engine.js';
import type { Catalog, CatalogView } from '../catalog.js';
import { quoteName } from '../grants.js';
import type { DatabaseDefinitions, Definitions } from './readDefinitions.js';
import { sqlWords } from './sqlWords.js';
import type { TableParts } from './tableParts.js';

export type Circumstances = {
  /** Databases of the server that are not dumped. */
  readonly others: readonly string[];
  /** The server folds names. */
  readonly folded: boolean;
  readonly historyDumped: boolean;
};

/** So many objects of a need are named. */
const namedAtMost = 20;

/**
 * What a target must offer to hold a database, each with the objects that need it. `restoreChecks.ts` knows what each
 * word asks for:
 * `feature …` (of a version), `collation …`, `definer …` (without it a view cannot be made), `database …` (is read and
 * not dumped), `sequence …` (likewise), `trusted functions`, `primary key` (they have none), `encryption`,
 * `folded triggers` and `folded programs` (what is written in a spelling that only a server that folds names understands).
 */
export function needsOf(
  database: string,
  catalog: Catalog,
  definitions: Definitions,
  { others, folded, historyDumped }: Circumstances,
): Readonly<Record<string, readonly string[]>> {
  const own = definitions.get(database);
  const needs = new Map<string, string[]>();
  const need = (what: string, name: string) => {
    const names = needs.get(what) ?? [];
    if (names.length < namedAtMost && !names.includes(name)) names.push(name);
    needs.set(what, names);
  };
  if (own !== undefined) {
    for (const [table, parts] of own.tables) needsOfTable(`${database}.${table}`, parts, need);
    for (const { name, kind, safeForBinaryLog } of own.routines) {
      if (kind === 'FUNCTION' && !safeForBinaryLog) need('trusted functions', `${database}.${name}`);
    }
  }
  for (const sequence of sequencesOutside(catalog, definitions, database))
    need(`sequence ${sequence.name}`, sequence.table);
  for (const { view, definer } of dependentViews(catalog, definitions, database)) need(`definer ${definer}`, view);
  for (const { name, collation, database: within, table } of catalog.columns) {
    if (within === database && collation !== null) need(`collation ${collation}`, `${within}.${table}.${name}`);
  }
  for (const view of catalog.views) {
    if (view.database !== database) continue;
    for (const other of others) {
      if (view.definition.includes(`${quoteName(other)}.`)) need(`database ${other}`, `${database}.${view.name}`);
    }
  }
  if (historyDumped) {
    for (const table of catalog.tables) {
      if (table.database === database && table.systemVersioned) {
        need('feature history of versioned tables', `${database}.${table.name}`);
      }
    }
  }
  if (folded && own !== undefined) needsOfSpellings(database, catalog, own, need);
  return Object.fromEntries(needs);
}

/** A server that folds names keeps what is in lower case; triggers name their table, and programs all tables, as they were written. */
function needsOfSpellings(
  database: string,
  catalog: Catalog,
  { triggers, routines }: DatabaseDefinitions,
  need: (what: string, name: string) => void,
): void {
  const stored = new Set([...catalog.databases, ...catalog.tables, ...catalog.views].map(({ name }) => name));
  const isOther = (word: string) => !stored.has(word) && stored.has(word.toLowerCase());
  for (const { name, body, sqlMode, statement = '' } of triggers) {
    const words = sqlWords(statement, sqlMode);
    const on = words.findIndex((word) => /^on$/i.test(word));
    const table = words[on + 2] === '.' ? [words[on + 1], words[on + 3]] : [words[on + 1]];
    if (table.some((word) => word !== undefined && isOther(word))) need('folded triggers', `${database}.${name}`);
    else if (sqlWords(body, sqlMode).some(isOther)) need('folded programs', `${database}.${name}`);
  }
  for (const { name, body, sqlMode } of routines) {
    if (sqlWords(body, sqlMode).some(isOther)) need('folded programs', `${database}.${name}`);
  }
}

const typesOfVersions = /^(uuid|inet6|inet4|vector|xmltype)\b/;

function needsOfTable(table: string, { parts, options }: TableParts, need: (what: string, name: string) => void): void {
  for (const [name, text] of parts) {
    if (name.startsWith('column ')) {
      const column = `${table}.${name.slice('column '.length)}`;
      const [type] = typesOfVersions.exec(text) ?? [];
      if (type !== undefined) need(`feature type ${type}`, column);
      if (/ INVISIBLE\b/.test(text)) need('feature invisible columns', column);
      if (/ COMPRESSED\b/.test(text)) need('feature compressed columns', column);
    }
    if (name === 'period SYSTEM_TIME' || name === 'system versioning') need('feature system versioning', table);
    else if (name.startsWith('period ')) need('feature periods', table);
    if (/ WITHOUT OVERLAPS\b/.test(text)) need('feature WITHOUT OVERLAPS', table);
    if (name.startsWith('index ') && / IGNORED\b/.test(text)) need('feature ignored indexes', table);
    if (name.startsWith('index ') && text.includes(' USING HASH')) need('feature unique keys of any length', table);
  }
  const key = [...parts].some(([name, text]) => name === 'primary key' || text.startsWith('UNIQUE KEY'));
  if (!key) need('primary key', table);
  if (/^'?yes'?$/i.test(options.get('ENCRYPTED') ?? '')) need('encryption', table);
}

/** Sequences of databases that are not dumped, in defaults of columns: the table cannot be made where they are absent. */
function sequencesOutside(
  catalog: Catalog,
  definitions: Definitions,
  database: string,
): readonly { readonly name: string; readonly table: string }[] {
  const chosen = new Set(catalog.databases.map(({ name }) => name.toLowerCase()));
  return sequencesInDefaults(database, definitions.get(database))
    .filter(({ sequence }) => !chosen.has(sequence.database.toLowerCase()))
    .map(({ sequence, table }) => ({ name: `${sequence.database}.${sequence.name}`, table: `${database}.${table}` }));
}

/** Such tables can be restored only where those databases are. */
export function warnOfSequencesElsewhere({ databases }: Inventory): readonly string[] {
  const tables = databases.flatMap(({ needs = {} }) =>
    Object.entries(needs).flatMap(([need, names]) => (need.startsWith('sequence ') ? names : [])),
  );
  if (tables.length === 0) return [];
  return [
    `Defaults of columns of these tables use sequences of databases that are not part of this backup; a restore elsewhere is refused: ${tables.join(', ')}.`,
  ];
}

/** The sequences that defaults of columns use. */
export function sequencesInDefaults(
  database: string,
  own: DatabaseDefinitions | undefined,
): readonly { readonly table: string; readonly sequence: { readonly database: string; readonly name: string } }[] {
  const used = /\b(?:nextval|lastval)\((?:`((?:[^`]|``)*)`\.)?`((?:[^`]|``)*)`\)/g;
  return [...(own?.tables ?? [])].flatMap(([table, { parts }]) =>
    [...parts]
      .filter(([name]) => name.startsWith('column '))
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
 * Views on views: the server makes one only where the definer of the other exists (1449). The dump makes the views in the
 * order of databases and names, each in the place of a stand-in that has no definer.
 */
function dependentViews(
  catalog: Catalog,
  definitions: Definitions,
  database: string,
): readonly { readonly view: string; readonly definer: string }[] {
  const order = new Map(catalog.databases.map(({ name }, index) => [name, index]));
  const isEarlier = (one: CatalogView, other: CatalogView) =>
    one.database === other.database
      ? one.name < other.name
      : (order.get(one.database) ?? 0) < (order.get(other.database) ?? 0);
  const byName = new Map(catalog.views.map((view) => [qualified(view.database, view.name), view]));
  const hasDefinersRights = ({ database: within, name }: CatalogView) =>
    definitions.get(within)?.objects['views']?.[name]?.parts?.['security'] === 'DEFINER';
  return catalog.views
    .filter((view) => view.database === database)
    .flatMap((view) =>
      [...new Set(view.definition.match(qualifiedNames))]
        .map((name) => byName.get(name))
        .filter((other) => other !== undefined)
        .filter((other) => hasDefinersRights(other) && isEarlier(other, view))
        .map(({ definer }) => ({ view: `${view.database}.${view.name}`, definer })),
    );
}

const qualifiedNames = /`(?:[^`]|``)*`\.`(?:[^`]|``)*`/g;

function qualified(database: string, name: string): string {
  return `${quoteName(database)}.${quoteName(name)}`;
}
