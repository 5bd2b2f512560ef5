import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { wayOut, ways } from './wayOut.js';

const numbers = ways.flatMap((way) => way.numbers);

describe('The hint for an error of MariaDB', () => {
  test.each(ways.flatMap((way) => way.numbers.map((number) => [number, way] as const)))(
    '%d has a hint only for the situation in which it occurs',
    (number, way) => {
      for (const situation of ['DUMP', 'RESTORE'] as const) {
        const own = situation === 'DUMP' ? way.dump : way.restore;
        const { help = '' } = wayOut('MariaDB', number, situation);
        if (own ?? way.help) expect(help).toBe(own ?? way.help);
        else
          expect(help).toBe(
            `Look up error ${number} in MariaDB's list of error codes, and read the log of the database server at that time.`,
          );
      }
      expect(wayOut('MariaDB', number, 'DUMP').retriable).toBe(way.passes);
      // A restore that has begun to write is never retried automatically.
      expect(wayOut('MariaDB', number, 'RESTORE').retriable).toBeUndefined();
    },
  );

  test('has one entry for each number', () => {
    expect(numbers.length).toBe(new Set(numbers).size);
    expect(numbers.length).toBeGreaterThan(100);
  });

  test.each([
    [1062, 'RESTORE', /FLOAT/],
    [1049, 'DUMP', /quote.*Rename/],
    [1449, 'RESTORE', /Create the account/],
    [1418, 'RESTORE', /log_bin_trust_function_creators=1/],
    [1118, 'RESTORE', /innodb_strict_mode/],
    [1153, 'RESTORE', /max_allowed_packet on the target/],
    [2006, 'RESTORE', /max_allowed_packet on the target/],
    [1969, 'DUMP', /MAX_STATEMENT_TIME 0/],
    [3024, 'DUMP', /max_execution_time=0/],
    [1290, 'RESTORE', /read_only=0/],
    [1018, 'DUMP', /name the databases/],
    [1286, 'RESTORE', /INSTALL SONAME/],
    [1273, 'RESTORE', /at least as new/],
    [1114, 'RESTORE', /max_heap_table_size/],
  ] as const)('%d at a %s names what to do next', (number, situation, words) => {
    expect(wayOut('MariaDB', number, situation).help).toMatch(words);
  });

  test('is listed in docs/errors.md', async () => {
    const docs = await readFile(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');
    for (const { numbers: of, help, dump, restore } of ways) {
      const cell = (text: string | undefined) => text ?? '';
      expect(docs).toContain(`| ${of.join(', ')} | ${cell(dump ?? help)} | ${cell(restore ?? help)} |`);
    }
  });
});
