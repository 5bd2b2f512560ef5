import { generatedExpression } from '../definitions/expressions.js';
import type { Definitions } from '../definitions/readDefinitions.js';
import type { TableParts } from '../definitions/tableParts.js';
import { subtractsFromUnsigned } from '../definitions/unsignedDifference.js';
import type { Product } from '../errors/wayOut.js';

/**
 * The modes that the rows of a dump need in sql_mode, besides those of the tool. A server creates a generated column or
 * a partition that subtracts from an UNSIGNED column, and inserts rows into it, only in the mode of the session that
 * created it (errors 1901 and 1690). A backup of MySQL with such a row is refused.
 */
export function rowModes(definitions: Definitions, product: Product): readonly string[] {
  if (product === 'MySQL') return [];
  const tables = [...definitions.values()].flatMap((own) => [...own.tables.values()]);
  return tables.some((table) => mayGoBelowZero(table)) ? ['NO_UNSIGNED_SUBTRACTION'] : [];
}

/**
 * In this mode a difference of more than 2^63 is an error, which only a BIGINT can reach. So a BIGINT counts only where
 * the server accepts the expression in no other mode.
 */
function mayGoBelowZero(table: TableParts): boolean {
  const generated = [...table.parts].flatMap(([part, text]) =>
    part.startsWith('column ') ? (generatedExpression(text) ?? []) : [],
  );
  return (
    subtractsFromUnsigned(table, table.parts.get('partitions') ?? '', { exceptBigint: true }) ||
    generated.some((each) => subtractsFromUnsigned(table, each))
  );
}
