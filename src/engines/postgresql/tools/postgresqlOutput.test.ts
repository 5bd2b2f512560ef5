import { expect, test } from '@jest/globals';
import { postgresqlOutput } from './postgresqlOutput.js';
import { toolProblem } from './toolProblem.js';

const shown = (line: string) => postgresqlOutput().take(line).join('\n');

test.each([
  [
    'pg_restore: error: COPY failed for table "cards": ERROR:  the card 4111 is unknown',
    'COPY failed for table "cards"',
  ],
  [
    'pg_restore: error: could not execute query: FEHLER:  ungültige Eingabesyntax für Typ integer: »4111«',
    'could not execute query',
  ],
  ['pg_restore: error: could not execute query: ERREUR:  la valeur « 4111 » existe', 'could not execute query'],
  ['pg_restore: error: could not execute query: ERROR:  no file "a": 4111', 'could not execute query'],
  ['pg_dump: error: query failed: 错误:  4111', 'query failed'],
  ['pg_dump: detail: Error message from server: ERROR:  the card 4111 is unknown', 'Error message from server'],
])('A sentence that may hold a value is left out: %s', (line, kept) => {
  expect(shown(line)).toContain(kept);
  expect(shown(line)).not.toContain('4111');
});

test.each([
  'pg_dump: error: query failed: ERROR:  canceling statement due to conflict with recovery',
  'pg_dump: error: query failed: ERROR:  could not obtain lock on relation "orders"',
  'pg_restore: error: could not execute query: ERROR:  could not extend file "base/5/1259": No space left on device',
  'pg_restore: error: could not execute query: ERROR:  collation "x" for encoding "UTF8" does not exist',
  'pg_restore: error: could not execute query: ERROR:  out of shared memory',
  'pg_restore: error: connection to server at "127.0.0.1", port 5432 failed: FATAL:  password authentication failed for user "x"',
  'pg_dump: error: Dumping the contents of table "orders" failed: PQgetCopyData() failed.',
  'pg_dump: detail: Error message from server: server closed the connection unexpectedly',
  'pg_restore: from TOC entry 215; 1259 16385 TABLE orders admin',
  'pg_restore: error: error returned by PQputCopyData: server closed the connection unexpectedly',
])('A sentence of the server without values stays: %s', (line) => {
  expect(shown(line)).toBe(line);
});

test.each([
  'server closed the connection unexpectedly',
  'could not send data to server: Broken pipe',
  'no COPY in progress',
])('A restore whose connection broke while it sent rows did not reach the server: %s', (reason) => {
  const line = shown(`pg_restore: error: error returned by PQputCopyData: ${reason}`);
  expect(toolProblem([line], 'RESTORE')).toMatchObject({
    code: 'SERVICE_UNREACHABLE',
    sentence: expect.stringContaining(reason),
  });
});
