import { quoteName } from '../privileges/grants.js';
import type { Definitions } from './readDefinitions.js';
import type { Unrestorable } from './unrestorable.js';

const quotedName = '`(?:[^`]|``)*`';
const namesAndComments = new RegExp(`${quotedName}|COMMENT = '(?:[^'\\\\]|''|\\\\.)*'`, 'gs');
const isAscii = /^[\0-\x7f]*$/;

/**
 * MySQL converts the values of partitions twice for a client whose character set is not that of the column, and the dump
 * tool is such a client. UTF-8 columns are not affected.
 */
export function partitionsWithOtherValues(definitions: Definitions): readonly Unrestorable[] {
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables].flatMap(([table, { parts }]): readonly Unrestorable[] => {
      const partitions = parts.get('partitions') ?? '';
      const [, names = ''] = new RegExp(` COLUMNS\\(((?:${quotedName}|[^)])*)\\)`, 's').exec(partitions) ?? [];
      if (isAscii.test(partitions.replace(namesAndComments, ''))) return [];
      const column = [...parts].find(
        ([part, text]) =>
          part.startsWith('column ') &&
          listsColumn(names, part.slice('column '.length)) &&
          / COLLATE (?!utf8)\w+$/.test(text),
      );
      if (column === undefined) return [];
      const name = column[0].slice('column '.length);
      return [
        {
          object: `table ${database}.${table}`,
          why: `the values of its partitions have characters that are not in ASCII, its column '${name}' is not in UTF-8, and the server shows such values wrongly to the dump tool (error 1526, or rows in other partitions)`,
          help: `Make the column utf8mb4, or partition ${quoteName(database)}.${quoteName(table)} by values in ASCII.`,
        },
      ];
    }),
  );
}

function listsColumn(names: string, column: string): boolean {
  return names.split(',').some((name) => name === column || name === quoteName(column));
}
