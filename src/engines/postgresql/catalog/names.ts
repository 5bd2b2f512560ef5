import type { TableName } from '../../inventory.js';

/**
 * The name of an object in an inventory: schema and name with a dot, in quotation marks where another reading is possible.
 * The same rule holds for names that the server lists and for names in an archive.
 */
export function qualifiedName(schema: string, name: string): string {
  return `${part(schema)}.${part(name)}`;
}

function part(name: string): string {
  return /^[\p{L}_][\p{L}\p{N}_$]*$/u.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** The names of tables in an archive, which has the encoding of its database. The keys are `archivedKey`. */
export type ArchivedNames = ReadonlyMap<string, string>;

export function archivedKey(schema: Buffer, table: Buffer): string {
  return `${schema.toString('hex')}.${table.toString('hex')}`;
}

/** An identifier in a statement. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string literal in a statement, for standard_conforming_strings = on. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Unique for each table. */
export function keyOf({ database, name }: TableName): string {
  return JSON.stringify([database, name]);
}
