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
  new RegExp(`^collation ${name} for encoding ${name} does not exist$|^could not create locale ${name}: [A-Z][a-z ]+$`),
  new RegExp(`^could not obtain lock on relation ${name}$`),
  new RegExp(
    `^could not (?:extend|write|open|read|create|access|fsync|stat|remove|rename|load|seek) (?:(?:to|in|of|temporary|extension|control|block|blocks|\\d+) ){0,4}(?:file|directory|library) ${name}(?:: (?:No space left on device|Permission denied|No such file or directory|Input/output error|Too many open files|wrote only \\d+ of \\d+ bytes at block \\d+))?$`,
  ),
  /^(?:out of (?:shared )?memory|disk full|division by zero|numeric field overflow|(?:small|big)?int(?:eger)? out of range)$/,
  /^(?:cache lookup failed for \w+(?: \w+)?|could not open relation with OID|large object) \d+(?: does not exist)?$/,
  /^(?:invalid page in block \d+ of relation [\w/]+|(?:missing|unexpected) chunk number \d+ (?:\(expected \d+\) )?for toast value \d+ in pg_toast_\d+)$/,
  /^(?:sorry, too many clients already|remaining connection slots are reserved for [a-z -]+|the database system is (?:starting up|shutting down|in recovery mode|not (?:yet )?accepting connections))$/,
  new RegExp(`^security label provider ${name} is not loaded$`),
  new RegExp(`^too many connections for (?:role|database) ${name}$`),
  /^(?:functions in index (?:expression|predicate) must be marked IMMUTABLE|generation expression is not immutable|cannot execute [A-Z ]+ in a read-only transaction|value too long for type character(?: varying)?\(\d+\))$/,
  new RegExp(`^encoding ${name} does not match locale ${name}$|^invalid LC_(?:COLLATE|CTYPE) locale name: ${name}$`),
];

const withoutSentence = `${leftOut} (the sentence may hold data and is left out)`;

/**
 * The sentence of an error that a tool prints, without its SQLSTATE. A function of a customer may have raised it (RAISE), with
 * a row in the text and without quotation marks. So an unknown sentence, also one in another language, is left out.
 */
export function toolSentence(text: string): string {
  const [line = ''] = text.split('\n');
  if (harmless.some((shape) => shape.test(line))) return line;
  return wellKnown.some((shape) => shape.test(line)) ? withoutQuoted(line) : withoutSentence;
}

/** Beginnings of sentences of PostgreSQL, whose values are in quotation marks (its source, `errmsg`). */
const wellKnown: readonly RegExp[] = [
  /^(?:invalid byte sequence for encoding|character with byte sequence|invalid input syntax for type [a-z ]+:|invalid input value for enum|value for domain|syntax error at or near|malformed (?:array|record|range) literal:|unrecognized (?:parameter|privilege type)) ["0]/,
  /^(?:no partition of relation|partition constraint of relation|column|conflicting key value violates exclusion constraint|multiple primary keys for table|there is no unique constraint matching given keys for referenced table|index row size \d+ exceeds btree version \d maximum \d+ for index|cannot (?:drop|alter|create|attach) (?:\w+ ){1,2}) ?"/,
];

/** The text of an error that a tool or a session reports, without values. `sqlState` is known for sessions only. */
export function sentenceOf(sqlState: string | undefined, text: string): string {
  // raise_exception: the sentence is a customer's own.
  return sqlState === 'P0001' ? leftOut : serverSentence(text);
}
