import type { Product } from '../errors/wayOut.js';
import type { Definitions } from '../definitions/readDefinitions.js';
import { quoteName } from '../privileges/grants.js';
import type { TableStatement } from './wideCharacters.js';

const quoted = /`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'/gs;

/**
 * `ALTER TABLE … ALTER … DROP DEFAULT` leaves a column that allows NULL without any default, so a row must give it a
 * value. MySQL shows such a column without `DEFAULT NULL`, and a CREATE TABLE with this text gives it `DEFAULT NULL`. So
 * the default is dropped again in the empty table. MariaDB reads the text as it shows it.
 */
export function dropDefaults(definitions: Definitions, product: Product): readonly TableStatement[] {
  if (product !== 'MySQL') return [];
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables].flatMap(([table, { parts }]): readonly TableStatement[] => {
      const columns = [...parts].filter(([part, text]) => part.startsWith('column ') && hasNoDefault(text));
      if (columns.length === 0) return [];
      const drops = columns.map(([part]) => `ALTER ${quoteName(part.slice('column '.length))} DROP DEFAULT`);
      return [{ database, table, sql: `ALTER TABLE ${quoteName(table)} ${drops.join(', ')};` }];
    }),
  );
}

/** A column that allows NULL. MySQL never shows `DEFAULT NULL` for TEXT and BLOB. */
function hasNoDefault(column: string): boolean {
  if (/^(?:tiny|medium|long)?(?:text|blob)\b/i.test(column)) return false;
  return !/ NOT NULL| DEFAULT | GENERATED ALWAYS AS | AUTO_INCREMENT/.test(column.replace(quoted, "''"));
}
