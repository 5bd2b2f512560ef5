import { listed } from '../mysqlFamily/checks/listed.js';
import type { Names } from '../mysqlFamily/catalog/catalog.js';
import type { Definitions } from '../mysqlFamily/definitions/readDefinitions.js';

/**
 * The connection character set of a dump. Binary keeps every byte. But over a binary connection the server cannot open
 * a table that is partitioned by UUID, INET4 or INET6 values (1654). If there is such a table, everything is dumped in
 * utf8mb4.
 */
export function dumpCharacterSet(definitions: Definitions): 'binary' | 'utf8mb4' {
  return partitionedByTypedValues(definitions).length === 0 ? 'binary' : 'utf8mb4';
}

/** The warning that names possible losses of a dump in utf8mb4, and the reason for utf8mb4. */
export function warnOfConversion({ columns }: Pick<Names, 'columns'>, definitions: Definitions): readonly string[] {
  const because = partitionedByTypedValues(definitions);
  const atRisk = columns.filter(({ characterSet }) => characterSet !== null && losing.has(characterSet));
  if (because.length === 0) return [];
  return listed(
    atRisk.map(({ database, table, name }) => `${database}.${table}.${name}`),
    `Because ${because.join(', ')} is partitioned by values of the type UUID, INET4 or INET6, text is dumped in utf8mb4. A restore changes characters that do not exist in utf8mb4 in these columns`,
  );
}

function partitionedByTypedValues(definitions: Definitions): readonly string[] {
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables]
      .filter(([, { parts }]) => {
        const by = /\b(?:RANGE|LIST) ?COLUMNS ?\(((?:`(?:[^`]|``)*`,?)*)\)/.exec(parts.get('partitions') ?? '')?.[1];
        const names = [...(by ?? '').matchAll(/`((?:[^`]|``)*)`/g)].map(([, name = '']) => name.replaceAll('``', '`'));
        return names.some((name) => /^(?:uuid|inet4|inet6)\b/i.test(parts.get(`column ${name}`) ?? ''));
      })
      .map(([table]) => `${database}.${table}`),
  );
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
