import type { Definitions } from '../definitions/readDefinitions.js';
import { listed } from './listed.js';

/**
 * The server keeps options that the storage engine of a table does not know, for example after ALTER TABLE … ENGINE. It
 * shows them in comments, so they are not part of a restored table.
 */
export function warnOfIgnoredOptions(definitions: Definitions): readonly string[] {
  const tables = [...definitions].flatMap(([database, own]) =>
    [...own.tables].filter(([, { ignoresOptions }]) => ignoresOptions).map(([name]) => `${database}.${name}`),
  );
  return listed(
    tables,
    'A restore leaves out options of these tables, their columns or indexes, because their storage engine ignores them',
  );
}
