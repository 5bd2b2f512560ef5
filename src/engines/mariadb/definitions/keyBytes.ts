/** The most bytes of a character, for the character sets in which a character may have several. */
const characterBytes: Readonly<Record<string, number>> = {
  ...{ utf8mb4: 4, utf8mb3: 3, utf8: 3, utf16: 4, utf16le: 4, utf32: 4, ucs2: 2 },
  ...{ gbk: 2, gb2312: 2, big5: 2, sjis: 2, cp932: 2, euckr: 2, ujis: 3, eucjpms: 3 },
};

/** An approximate size for all other types. */
const otherBytes = 8;

const isIndex = /^(?:PRIMARY KEY|(?:UNIQUE )?KEY `(?:[^`]|``)*`) \(/;

/**
 * The most bytes that an entry of this index takes, as the server counts them for error 1071. 0 for an index without
 * such a limit: FULLTEXT, SPATIAL, and unique keys of any length, which the server stores as hashes.
 * @param parts of the table
 */
export function keyBytes(index: string, parts: ReadonlyMap<string, string>): number {
  const begin = isIndex.exec(index);
  if (begin === null || / USING HASH\b/.test(index)) return 0;
  let bytes = 0;
  for (const [, name = '', prefix] of index.slice(begin[0].length).matchAll(/`((?:[^`]|``)*)`(?:\((\d+)\))?/g)) {
    bytes += columnBytes(parts.get(`column ${name.replaceAll('``', '`')}`) ?? '', prefix);
  }
  return bytes;
}

function columnBytes(column: string, prefix: string | undefined): number {
  const [, type = '', size] = /^(\w+)(?:\((\d+)\))?/.exec(column) ?? [];
  if (!/^(?:(?:var)?(?:char|binary)|(?:tiny|medium|long)?(?:text|blob))$/i.test(type)) return otherBytes;
  const [, characterSet = ''] = / COLLATE ([a-z0-9]+)\w*$/.exec(column) ?? [];
  return Number(prefix ?? size ?? 0) * (characterBytes[characterSet] ?? 1);
}
