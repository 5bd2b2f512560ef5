import { leftOut, withoutQuoted } from '../../../withoutValues.js';

/**
 * The server's sentence without values of a customer. Names of objects stay. A sentence that the server is not known to
 * write is cut at its first quotation mark. A text of `RAISE` is not recognisable, so it is cut too.
 */
export function serverSentence(text: string): string {
  const [line = ''] = text.split('\n');
  return harmless.some((shape) => shape.test(line)) ? line : withoutQuoted(line);
}

const name = '"(?:[^"\\n]|"")*"';
const kind =
  '(?:relation|table|view|materialized view|index|sequence|column|role|user|database|schema|type|domain|function|procedure|aggregate|routine|operator|operator class|operator family|access method|extension|language|collation|encoding|tablespace|server|foreign-data wrapper|publication|subscription|constraint|trigger|event trigger|policy|rule|statistics object|text search \\w+|large object|parameter|conversion|cast|package|library)';

/** Sentences of PostgreSQL with names only (its source, `errmsg`). */
const harmless: readonly RegExp[] = [
  new RegExp(
    `^(?:new )?${kind}s?(?: ${name}| [\\w.]+\\([^'"]*\\))?(?: of relation ${name}| for table ${name})? (?:does not exist|already exists)$`,
  ),
  new RegExp(`^permission denied(?: for| to)? [^'"]*(?:${name})?$`),
  new RegExp(`^must (?:be|have) [^'"]*(?:${name})?[^'"]*(?:${name})?$`),
  new RegExp(`^duplicate key value violates unique constraint ${name}$`),
  new RegExp(`^could not create unique index ${name}$`),
  new RegExp(
    `^(?:insert or update on|update or delete on|new row for|null value in column ${name} of) (?:table|relation) ${name} violates [\\w -]+(?: ${name})?(?: on table ${name})?$`,
  ),
  new RegExp(`^check constraint ${name} of relation ${name} is violated by some row$`),
  new RegExp(`^query would be affected by row-level security policy for table ${name}$`),
  new RegExp(`^extension ${name} (?:is not available|has no [^'"]*)(?: for version ${name})?$`),
  new RegExp(`^password authentication failed for user ${name}$`),
  new RegExp(`^no pg_hba\\.conf entry for [^'\\n]*$`),
  new RegExp(`^(?:role|database) ${name} is not (?:permitted to log in|currently accepting connections)$`),
  new RegExp(`^unrecognized configuration parameter ${name}$`),
  new RegExp(`^connection to server at ${name}(?: \\([^)]*\\))?, port \\d+ failed: (?!.*')[^\\n]*$`),
  new RegExp(`^deadlock detected$|^canceling statement due to [\\w -]+$|^terminating connection due to [\\w -]+$`),
  new RegExp(`^encoding ${name} does not match locale ${name}$|^invalid LC_(?:COLLATE|CTYPE) locale name: ${name}$`),
];

/** The text of an error that a tool or a session reports, without values. `sqlState` is known for sessions only. */
export function sentenceOf(sqlState: string | undefined, text: string): string {
  // raise_exception: the sentence is a customer's own.
  return sqlState === 'P0001' ? leftOut : serverSentence(text);
}
