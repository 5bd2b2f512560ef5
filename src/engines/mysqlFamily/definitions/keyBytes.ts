import type { TableParts } from './tableParts.js';

/** The most bytes of a character, for the character sets in which a character may have several. */
const characterBytes: Readonly<Record<string, number>> = {
  ...{ utf8mb4: 4, utf8mb3: 3, utf8: 3, utf16: 4, utf16le: 4, utf32: 4, ucs2: 2 },
  ...{ gbk: 2, gb2312: 2, big5: 2, sjis: 2, cp932: 2, euckr: 2, ujis: 3, eucjpms: 3 },
};

/** An approximate size for all other types. */
const otherBytes = 8;

const isIndex = /^(?:PRIMARY KEY|(?:UNIQUE )?KEY `(?:[^`]|``)*`) \(/;

/** The most bytes of a key, by storage engine. A longer unique key is stored as hashes. */
const longestKeys: Readonly<Record<string, number>> = { innodb: 3072, aria: 2300 };
const otherLongestKey = 1000;

/**
 * The most bytes that an entry of this index takes, as the server counts them for error 1071. 0 for an index without
 * such a limit: FULLTEXT, SPATIAL, and unique keys of any length.
 * @param table the parts of the table
 */
export function keyBytes(index: string, table: TableParts): number {
  return isOfAnyLength(index, table) ? 0 : bytesOf(index, table);
}

/**
 * Whether the server stores this unique key as hashes, because it is too long. USING HASH does not show this, because a
 * server also keeps these words if somebody wrote them for a short key.
 */
export function isOfAnyLength(index: string, table: TableParts): boolean {
  const engine = table.options.get('ENGINE')?.toLowerCase() ?? '';
  if (!/^UNIQUE .* USING HASH\b/s.test(index) || engine === 'memory') return false;
  const isWhole = columnsOf(index, table).some(({ text, prefix }) => prefix === undefined && isText.test(text));
  return isWhole || bytesOf(index, table) > (longestKeys[engine] ?? otherLongestKey);
}

const isText = /^(?:tiny|medium|long)?(?:text|blob)\b/i;

function bytesOf(index: string, table: TableParts): number {
  return columnsOf(index, table).reduce((sum, { text, prefix }) => sum + columnBytes(text, prefix), 0);
}

type IndexedColumn = { readonly text: string; readonly prefix: string | undefined };

function columnsOf(index: string, { parts }: TableParts): readonly IndexedColumn[] {
  const begin = isIndex.exec(index);
  if (begin === null) return [];
  return [...index.slice(begin[0].length).matchAll(/`((?:[^`]|``)*)`(?:\((\d+)\))?/g)].map(([, name = '', prefix]) => ({
    text: parts.get(`column ${name.replaceAll('``', '`')}`) ?? '',
    prefix,
  }));
}

function columnBytes(column: string, prefix: string | undefined): number {
  const [, type = '', size] = /^(\w+)(?:\((\d+)\))?/.exec(column) ?? [];
  if (!/^(?:(?:var)?(?:char|binary)|(?:tiny|medium|long)?(?:text|blob))$/i.test(type)) return otherBytes;
  const [, characterSet = ''] = / COLLATE ([a-z0-9]+)\w*$/.exec(column) ?? [];
  return Number(prefix ?? size ?? 0) * (characterBytes[characterSet] ?? 1);
}
