import type { Names } from '../catalog/catalog.js';

/** The columns whose text may change if it is converted to utf8mb4 and back, as `database.table.column`. */
export function columnsThatLoseCharacters(columns: Names['columns']): readonly string[] {
  return columns
    .filter(({ characterSet }) => characterSet !== null && losing.has(characterSet))
    .map(({ database, table, name }) => `${database}.${table}.${name}`);
}

/** Character sets that contain characters which Unicode lacks, or several characters for one character of Unicode. */
const losing = new Set([
  ...[
    'armscii8',
    'ascii',
    'big5',
    'cp1250',
    'cp1251',
    'cp1256',
    'cp1257',
    'cp932',
    'dec8',
    'eucjpms',
    'euckr',
    'gb2312',
  ],
  ...['gbk', 'geostd8', 'greek', 'hebrew', 'hp8', 'sjis', 'swe7', 'tis620', 'ujis'],
]);
