import type { Names } from '../catalog/catalog.js';
import { quoteName } from '../privileges/grants.js';
import type { Definitions } from './readDefinitions.js';
import type { TableParts } from './tableParts.js';
import type { Unrestorable } from './unrestorable.js';

/**
 * Foreign keys that were valid once, and that the server no longer accepts: with `foreign_key_checks=0` the index of
 * the referenced columns can be dropped, or the referenced table can be created anew with other types. InnoDB refuses
 * to create such a key, also without these checks, if the referenced table already exists (errors 1005 and 150). In a
 * dump this is so if it is the table itself, or comes before it.
 */
export function brokenForeignKeys(catalog: Names, definitions: Definitions): readonly Unrestorable[] {
  const order = new Map(catalog.databases.map(({ name }, index) => [name.toLowerCase(), index]));
  const innodb = new Set(
    catalog.tables.filter(({ engine }) => engine?.toLowerCase() === 'innodb').map((table) => keyOf(table)),
  );
  const tableNamed = tablesByName(definitions);
  return [...definitions].flatMap(([database, own]) =>
    [...own.tables].flatMap(([table, child]) =>
      foreignKeysOf(database, child).flatMap((key): readonly Unrestorable[] => {
        const [there, place] = [order.get(key.database.toLowerCase()), order.get(database.toLowerCase())];
        const found = tableNamed(key);
        if (found === undefined || there === undefined || place === undefined) return [];
        // InnoDB has no table of this name if the table belongs to another engine, or has partitions.
        if (!innodb.has(keyOf(found)) || found.parts.parts.has('partitions')) return [];
        if (there > place || (there === place && found.name > table)) return [];
        const obstacle = obstacleTo(key, child, found.parts);
        if (obstacle === undefined) return [];
        const object = `foreign key '${key.name}' of the table ${database}.${table}`;
        return [{ object, ...sentencesOf(obstacle, key, found, { database, name: table }) }];
      }),
    ),
  );
}

function sentencesOf(
  obstacle: Obstacle,
  { name, referenced }: ForeignKey,
  parent: Place,
  child: Place,
): Omit<Unrestorable, 'object'> {
  const drop = `ALTER TABLE ${quoted(child)} DROP FOREIGN KEY ${quoteName(name)};`;
  switch (obstacle.kind) {
    case 'COLUMN':
      return {
        why: `it refers to the column '${obstacle.column}', which ${parent.database}.${parent.name} no longer has (error 1005)`,
        help: `Drop the foreign key: ${drop}`,
      };
    case 'INDEX':
      return {
        why: `no index of ${parent.database}.${parent.name} begins with the columns that it refers to (error 1005)`,
        help: `Run on the server: ALTER TABLE ${quoted(parent)} ADD INDEX (${referenced.map(quoteName).join(', ')}); Or drop the foreign key: ${drop}`,
      };
    case 'TYPE':
      return {
        why: `${obstacle.what}, and both columns of such a key need the same type and collation (error 1005)`,
        help: `Give both columns the same type and collation, or drop the foreign key: ${drop}`,
      };
  }
}

function quoted({ database, name }: Place): string {
  return `${quoteName(database)}.${quoteName(name)}`;
}

type Place = { readonly database: string; readonly name: string };
/** The names of the referenced table are in lower case. */
type ForeignKey = {
  readonly name: string;
  readonly database: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
};

const quotedName = '`((?:[^`]|``)*)`';
const list = '\\(((?:`(?:[^`]|``)*`(?:, ?)?)*)\\)';
const definition = new RegExp(`FOREIGN KEY ${list} REFERENCES (?:${quotedName}\\.)?${quotedName} ${list}`, 's');

function foreignKeysOf(ofDatabase: string, { parts }: TableParts): readonly ForeignKey[] {
  return [...parts].flatMap(([part, text]) => {
    const [, columns = '', database, table = '', referenced = ''] =
      (part.startsWith('foreign key ') && definition.exec(text)) || [];
    if (table === '') return [];
    return [
      {
        name: part.slice('foreign key '.length),
        database: database === undefined ? ofDatabase : unescaped(database),
        table: unescaped(table),
        columns: namesIn(columns),
        referenced: namesIn(referenced),
      },
    ];
  });
}

type FoundTable = Place & { readonly parts: TableParts };

/** Undefined also if several tables have this name in different letter case. */
function tablesByName(definitions: Definitions): (key: ForeignKey) => FoundTable | undefined {
  const lowerCase = (database: string, name: string) => JSON.stringify([database.toLowerCase(), name.toLowerCase()]);
  const all = new Map<string, FoundTable[]>();
  for (const [database, { tables }] of definitions) {
    for (const [name, parts] of tables) {
      const key = lowerCase(database, name);
      all.set(key, [...(all.get(key) ?? []), { database, name, parts }]);
    }
  }
  return ({ database, table }) => {
    const found = all.get(lowerCase(database, table)) ?? [];
    return found.length === 1 ? found[0] : undefined;
  };
}

type Obstacle =
  | { readonly kind: 'INDEX' }
  | { readonly kind: 'COLUMN'; readonly column: string }
  | { readonly kind: 'TYPE'; readonly what: string };

function obstacleTo(key: ForeignKey, child: TableParts, parent: TableParts): Obstacle | undefined {
  const gone = key.referenced.find((name) => textOf(parent, name) === undefined);
  if (gone !== undefined) return { kind: 'COLUMN', column: gone };
  if (!hasIndexFor(key.referenced, parent)) return { kind: 'INDEX' };
  for (const [index, name] of key.columns.entries()) {
    const [own, other] = [columnOf(child, name), columnOf(parent, key.referenced[index] ?? '')];
    if (own === undefined || other === undefined || own === other) continue;
    return { kind: 'TYPE', what: `the column '${name}' is ${own}, and the column that it refers to is ${other}` };
  }
  return undefined;
}

/** InnoDB adds the columns of the primary key to each other index. */
function hasIndexFor(columns: readonly string[], { parts }: TableParts): boolean {
  const primary = namesIn(parts.get('primary key') ?? '');
  const wanted = columns.map((name) => name.toLowerCase());
  return [...parts]
    .filter(([part, text]) => part === 'primary key' || (part.startsWith('index ') && isUsable(text)))
    .map(([, text]) => [...indexedColumns(text), ...primary].map((name) => name.toLowerCase()))
    .some((indexed) => wanted.every((name, position) => indexed[position] === name));
}

/** InnoDB stores the digest of a unique key of any length. */
function isUsable(index: string): boolean {
  return !/^(?:FULLTEXT|SPATIAL) /.test(index) && !/\) USING HASH\b/.test(index);
}

const indexPart = new RegExp(`${quotedName}(\\(\\d+\\))?`, 'gs');

/** The columns before the first one of which only the beginning is indexed. */
function indexedColumns(index: string): readonly string[] {
  const all = [...index.slice(index.indexOf(' (')).matchAll(indexPart)];
  const end = all.findIndex(([, , prefix]) => prefix !== undefined);
  return (end < 0 ? all : all.slice(0, end)).map(([, name = '']) => unescaped(name));
}

function textOf({ parts }: TableParts, name: string): string | undefined {
  return [...parts].find(([part]) => part.toLowerCase() === `column ${name.toLowerCase()}`)?.[1];
}

/** The type as far as it can be compared: an integer with its sign, or `text` with its collation. */
function columnOf(table: TableParts, name: string): string | undefined {
  const text = textOf(table, name) ?? '';
  const [, integer, unsigned = ''] = /^((?:tiny|small|medium|big)?int)\b[^ ]*( unsigned)?/i.exec(text) ?? [];
  if (integer !== undefined) return `${integer}${unsigned}`.toLowerCase();
  if (!/^(?:var)?char\b/i.test(text)) return undefined;
  const [, collation] = / COLLATE (\w+)$/.exec(text) ?? [];
  return collation === undefined ? undefined : `text in ${collation}`;
}

const anyName = new RegExp(quotedName, 'gs');

function namesIn(text: string): readonly string[] {
  return [...text.matchAll(anyName)].map(([, name = '']) => unescaped(name));
}

function unescaped(name: string): string {
  return name.replaceAll('``', '`');
}

function keyOf({ database, name }: Place): string {
  return JSON.stringify([database, name]);
}
