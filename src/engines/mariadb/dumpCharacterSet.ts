import { listed } from '../mysqlFamily/checks/listed.js';
import type { Names } from '../mysqlFamily/catalog/catalog.js';
import { columnsThatLoseCharacters } from '../mysqlFamily/checks/columnsThatLoseCharacters.js';
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
  if (because.length === 0) return [];
  return listed(
    columnsThatLoseCharacters(columns),
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
