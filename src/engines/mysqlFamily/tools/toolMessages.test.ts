import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toolMessages } from './toolMessages.js';

const shown = (printed: string, ours: readonly string[] = []): string => {
  const filter = toolMessages(ours);
  return [...printed.split('\n').flatMap((line) => filter.take(line)), ...filter.end()].join('\n');
};
const dashes = '-'.repeat(14);

describe('The output of a MariaDB tool', () => {
  test.each([
    [
      "ERROR 1062 (23000) at line 7: Duplicate entry 'MARKER' for key 'email'",
      "ERROR 1062 (23000) at line 7: Duplicate entry '…' for key 'email'",
    ],
    [
      "ERROR 1062 (23000) at line 7: Duplicate entry 'O'MARKER' for key 'x' for key 'email'",
      "ERROR 1062 (23000) at line 7: Duplicate entry '…' for key 'email'",
    ],
    [
      "ERROR 1062 (23000) at line 7: Duplicate entry 'O'Brien\nMARKER\n' for key 'PRIMARY'",
      "ERROR 1062 (23000) at line 7: Duplicate entry '…' for key 'PRIMARY'",
    ],
    [
      "ERROR 1366 (22007) at line 1: Incorrect integer value: 'a\nMARKER' for column `a`.`t`.`id` at row 1",
      "ERROR 1366 (22007) at line 1: Incorrect integer value: '…' for column `a`.`t`.`id` at row 1",
    ],
    [
      "ERROR 1292 (22007) at line 1: Incorrect date value: 'MARKER' for column `a`.`t`.`d` at row 1",
      "ERROR 1292 (22007) at line 1: Incorrect date value: '…' for column … at row 1",
    ],
    [
      "ERROR 1292 (22007) at line 1: Truncated incorrect DOUBLE value: 'MARKER'",
      "ERROR 1292 (22007) at line 1: Truncated incorrect DOUBLE value: '…'",
    ],
    [
      "ERROR 1411 (HY000) at line 1: Incorrect datetime value: 'MARKER' for function str_to_date",
      "ERROR 1411 (HY000) at line 1: Incorrect datetime value: '…' for function str_to_date",
    ],
    [
      'ERROR 1526 (HY000) at line 1: Table has no partition for value MARKER',
      'ERROR 1526 (HY000) at line 1: Table has no partition for value …',
    ],
    [
      "ERROR 1690 (22003) at line 1: BIGINT UNSIGNED value is out of range in '(MARKER - 1)'",
      "ERROR 1690 (22003) at line 1: BIGINT UNSIGNED value is out of range in '…'",
    ],
    [
      "ERROR 1406 (22001) at line 3: Data too long for column 'v' at row 1",
      "ERROR 1406 (22001) at line 3: Data too long for column 'v' at row 1",
    ],
    [
      "ERROR 1264 (22003) at line 3: Out of range value for column 'n' at row 12",
      "ERROR 1264 (22003) at line 3: Out of range value for column 'n' at row 12",
    ],
    [
      'ERROR 4025 (23000) at line 1: CONSTRAINT `positive` failed for `a`.`t`',
      'ERROR 4025 (23000) at line 1: CONSTRAINT `positive` failed for `a`.`t`',
    ],
    [
      "ERROR 1064 (42000) at line 1: You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right syntax to use near ''x MARKER' at line 1",
      "ERROR 1064 (42000) at line 1: You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right syntax to use near '…' at line 1",
    ],
    [
      'ERROR 1644 (45000) at line 9: MARKER has no credit',
      'ERROR 1644 (45000) at line 9: … (the sentence may hold data and is left out)',
    ],
    [
      'ERROR 1146 (22003) at line 9: MARKER has no credit',
      'ERROR 1146 (22003) at line 9: … (the sentence may hold data and is left out)',
    ],
    [
      'ERROR 30001 (22003) at line 9: MARKER has no credit',
      'ERROR 30001 (22003) at line 9: … (the sentence may hold data and is left out)',
    ],
    [
      'ERROR 1317 (45001) at line 9: MARKER has no credit',
      'ERROR 1317 (45001) at line 9: … (the sentence may hold data and is left out)',
    ],
    [
      "ERROR 1912 (HY000) at line 2: Incorrect value 'MARKER' for option 'x'",
      "ERROR 1912 (HY000) at line 2: Incorrect value '…' for option 'x'",
    ],
    [
      "ERROR 1146 (42S02) at line 1: Table 'shop.nota' doesn't exist",
      "ERROR 1146 (42S02) at line 1: Table 'shop.nota' doesn't exist",
    ],
    [
      "mariadb-dump: Couldn't execute 'SHOW CREATE TABLE `shop`.`words`': Table 'shop.words' doesn't exist in engine (1932)",
      "mariadb-dump: Couldn't execute 'SHOW CREATE TABLE `shop`.`words`': Table 'shop.words' doesn't exist in engine (1932)",
    ],
    [
      "mariadb-dump: Error 1292: Truncated incorrect DOUBLE value: 'MARKER' when dumping table `t` at row: 3",
      "mariadb-dump: Error 1292: Truncated incorrect DOUBLE value: '…' when dumping table `t` at row: 3",
    ],
    [
      "mariadb-dump: Got error: 1045: \"Access denied for user 'stowage'@'localhost'\" when trying to connect",
      "mariadb-dump: Got error: 1045: \"Access denied for user 'stowage'@'localhost'\" when trying to connect",
    ],
    [
      'mysqldump: Got error: 2013: "Lost connection to MySQL server at \'reading initial communication packet\', system error: 104" when trying to connect',
      'mysqldump: Got error: 2013: "Lost connection to MySQL server at \'reading initial communication packet\', system error: 104" when trying to connect',
    ],
    ["mariadb-dump: unknown option '--dump-history'", "mariadb-dump: unknown option '--dump-history'"],
    ["mariadb-dump: somebody says 'MARKER'", "mariadb-dump: somebody says '…'"],
    ['so sorry', 'so sorry'],
    ["INSERT INTO `t` VALUES (1,'MARKER')", 'INSERT INTO `t`'],
  ])('%s', (printed, expected) => {
    expect(shown(printed)).toBe(expected);
  });

  test.each([
    ["INSERT INTO `orders` VALUES\n(1,'MARKER'),\n(2,'MARKER')", 'INSERT INTO `orders`'],
    ["REPLACE INTO `shop`.`orders` VALUES (1,'MARKER')", 'REPLACE INTO `shop`.`orders`'],
    [
      '/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER `tr` BEFORE INSERT ON t\nFOR EACH ROW SET @a = "MARKER" */',
      'CREATE TRIGGER `tr`',
    ],
    ['/*!50001 CREATE VIEW `v` AS SELECT "MARKER" AS `a` */', 'CREATE VIEW `v`'],
    ['CREATE TABLE `t` (\n  `a` varchar(9) DEFAULT "MARKER"\n)', 'CREATE TABLE `t`'],
    ["SELECT SETVAL(`s`, 4711, 'MARKER')", 'SELECT'],
    ['MARKER is no statement', 'not shown'],
    [`INSERT INTO t VALUES ('\n${dashes}\nMARKER\n${dashes}\nmariadb: MARKER')`, 'INSERT INTO t'],
  ])('shows only the kind of the failed statement: %s', (statement, head) => {
    const printed = `${dashes}\n${statement}\n${dashes}\n\nERROR 1406 (22001) at line 3: Data too long for column 'v' at row 1`;
    expect(shown(printed)).toBe(
      `Failed statement: ${head}\nERROR 1406 (22001) at line 3: Data too long for column 'v' at row 1`,
    );
  });

  test('keeps only the value that is our own', () => {
    const sentence = (value: string) =>
      `ERROR 1231 (42000): Variable 'sql_mode' can't be set to the value of '${value}'`;
    expect(shown(sentence('ours'), ['ours'])).toBe(sentence('ours'));
    expect(shown(sentence('MARKER'), ['ours'])).toBe(sentence('…'));
  });

  test('contains no value of a sentence, for any form of the value', () => {
    const value = fc.string({
      unit: fc.constantFrom(
        "'",
        '"',
        '`',
        '\n',
        ' ',
        ':',
        '(',
        ')',
        'a',
        '1',
        dashes,
        ' for key ',
        'ERROR 1000 (45000): ',
      ),
    });
    fc.assert(
      fc.property(value, value, (before, after) => {
        const secret = `${before}MARKER${after}`;
        const printed = [
          `${dashes}\nINSERT INTO \`t\` VALUES ('${secret}')\n${dashes}\n\nERROR 1062 (23000) at line 1: Duplicate entry '${secret}' for key 'k'`,
          `mariadb-dump: Error 1292: Truncated incorrect INTEGER value: '${secret}' when dumping table \`t\` at row: 3`,
          `ERROR 1644 (45000) at line 1: ${secret}`,
          `ERROR 1918 (22007) at line 1: Encountered illegal value '${secret}' when converting to INT`,
          `ERROR 1977 (22007) at line 1: Cannot convert '${secret}' character 0x41 to 'latin1'`,
        ];
        for (const each of printed) expect(shown(each)).not.toContain('MARKER');
      }),
    );
  });
});
