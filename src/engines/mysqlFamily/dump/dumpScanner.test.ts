import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { scanStream } from '../../../../test/fixtures/scannedStream.js';
import type { DumpedTable } from '../../runningDump.js';
import { dumpScanner, scannedDump } from './dumpScanner.js';

/** The report of the scanner about a dump, and the bytes that it passes on. */
function scan(dump: string | Buffer, lengths: readonly number[] = [], scanner = dumpScanner()) {
  const { found, out } = scanStream(scanner, Buffer.from(dump), lengths);
  const scanned = scannedDump();
  for (const line of found) scanned.add(line);
  return { ...scanned.result(), out };
}

function rowsIn(dump: string | Buffer): Readonly<Record<string, number | null>> {
  return Object.fromEntries(scan(dump).tables.map(({ database, name, rows }) => [`${database}.${name}`, rows]));
}

const quote = (name: string) => `\`${name.replaceAll('`', '``')}\``;
const use = (database: string) => `--\n-- Current Database: ${quote(database)}\n--\n\nUSE ${quote(database)};\n\n`;
const create = (table: string) =>
  `--\n-- Table structure for table ${quote(table)}\n--\n\nCREATE TABLE ${quote(table)} (\n  \`a\` int DEFAULT NULL COMMENT 'it''s; \\'x'\n) ENGINE=InnoDB;\n`;
const insert = (table: string, values: readonly string[]) =>
  `INSERT INTO ${quote(table)} VALUES\n${values.map((value) => `(${value})`).join(',\n')};\n`;
const body = (text: string) => `DELIMITER ;;\nCREATE PROCEDURE \`p\`()\n${text} ;;\nDELIMITER ;\n`;
const fake = `-- Table structure for table \`no\`\n--\nCREATE TABLE \`no\` (a int);\nINSERT INTO \`no\` VALUES\n(1);\n`;

describe('The scanner of a dump', () => {
  test('counts the rows of statements with one row per line, with and without a list of columns', () => {
    const generated = 'INSERT INTO `g` (`a`, `b (x) VALUES`) VALUES (1,NULL),\n(2,NULL),\n(3,NULL);\n';
    const dump = `${use('d')}${create('t')}${insert('t', ['1', "'a\\nb),\\n('", '3'])}${insert('t', ['4'])}${create('g')}${generated}${create('e')}`;
    expect(rowsIn(dump)).toEqual({ 'd.t': 4, 'd.g': 3, 'd.e': 0 });
  });

  test('counts the rows of an old tool, all in one line, if statements are short, and reports unknown for long ones', () => {
    const long = "('" + 'x'.repeat(40_000) + "')";
    const dump = `${use('d')}${create('t')}INSERT INTO \`t\` VALUES (1,'a),(b\\''),(2,NULL),(3,'');\n${create('l')}INSERT INTO \`l\` VALUES ${long},${long};\n`;
    expect(rowsIn(dump)).toEqual({ 'd.t': 3, 'd.l': null });
  });

  test('counts a long row in one line as one row if the tool writes one row per line', () => {
    const long = `('${'x'.repeat(100_000)}',2)`;
    const dump = `${use('d')}${create('g')}INSERT INTO \`g\` (\`a\`, \`b\`) VALUES ${long};\n${create('t')}${insert('t', ['1', '2'])}`;
    expect(rowsIn(dump)).toEqual({ 'd.t': 2, 'd.g': 1 });
  });

  test.each([
    ['a string', `SELECT '${fake}'`],
    ['a quoted name', `SELECT 1 AS \`${fake.replaceAll('`', '``')}\``],
    ['a comment', `/* it's\n${fake} ;;\nDELIMITER ;\n${fake} */ SELECT 1`],
    ['a comment to the end of the line', `SELECT 1 -- it's ;;\n, 2 # "it" ;;\n, 3`],
    ['code', `BEGIN\n${fake}END`],
    ['an executable comment', `/*!50003 SELECT '*/' /* ' ;;\n${fake}*/ */`],
    ['two quotes in a row', `SELECT 'a''\n${fake}', "b""\n${fake}"`],
    ['strings with backslashes', `SELECT '\\'\n${fake}', "\\"\n${fake}\\\\"`],
  ])('does not count rows in a routine with marks in %s', (_what, text) => {
    expect(rowsIn(`${use('d')}${create('t')}${body(text)}${insert('t', ['1'])}`)).toEqual({ 'd.t': 1 });
  });

  test.each([
    ['NO_BACKSLASH_ESCAPES', `SELECT '\\' AS b, "\\", '\n${fake}'`],
    ['ANSI_QUOTES', `SELECT 1 AS "\\", '\n${fake}'`],
  ])('reads quotes as sql_mode %s does, and resets afterwards', (mode, text) => {
    const set = `/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;\n/*!50003 SET sql_mode              = '${mode}' */ ;\n`;
    const reset = '/*!50003 SET sql_mode              = @saved_sql_mode */ ;\n';
    const dump = `${use('d')}${create('t')}${set}${body(text)}${reset}${body(`SELECT '\\'\n${fake}'`)}${insert('t', ['1'])}`;
    expect(rowsIn(dump)).toEqual({ 'd.t': 1 });
  });

  test.each([
    ['gbk', '\\x81\\x5c', '\\x81\\x60'],
    ['sjis', '\\x83\\x5c', '\\x83\\x60'],
    ['cp932', '\\x83\\x5c', '\\x83\\x60'],
    ['big5', '\\xa1\\x5c', '\\xa1\\x60'],
  ])('does not read the second byte of a character in %s as a quote or a backslash', (characterSet, ...characters) => {
    const [backslash, tick] = characters.map((one) => unhex(one));
    const set = (to: string) => `/*!50003 SET character_set_client  = ${to} */ ;\n`;
    const text = `SELECT '${backslash}', ${tick}, \`${backslash}${tick}\`, '\\'\n${fake}${backslash}'`;
    const dump = `${use('d')}${create('t')}${set(characterSet)}${body(text)}${set('@saved_cs_client')}${insert('t', ['1'])}`;
    expect(rowsIn(Buffer.from(dump, 'latin1'))).toEqual({ 'd.t': 1 });
  });

  test('reports the other objects that a dump defines, in every spelling of their names', () => {
    const definer = 'DEFINER=`ro``ot`@`%`';
    const trigger = (text: string) =>
      `DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 ${definer}*/ /*!50003 ${text} */;;\nDELIMITER ;\n`;
    const view = (name: string) =>
      `/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 ${definer} SQL SECURITY DEFINER */\n/*!50001 VIEW ${name} AS select 1 AS \`x\` */;\n`;
    const set = (to: string) => `/*!50003 SET character_set_client  = ${to} */ ;\n`;
    const dump = [
      use('d'),
      '/*!50001 CREATE VIEW `place` AS SELECT\n 1 AS `x` */;\n/*!50001 CREATE TABLE `place` (\n  `x` tinyint NOT NULL\n) ENGINE=MyISAM */;\n',
      'CREATE SEQUENCE `s` start with 1 minvalue 1;\n',
      trigger('TRIGGER IF NOT EXISTS d.`t``1` BEFORE INSERT ON t FOR EACH ROW SET @a = 1'),
      trigger('TRIGGER  plain BEFORE INSERT ON t FOR EACH ROW SET @a = 1'),
      trigger('TRIGGER IF/**/NOT EXISTS hidden BEFORE INSERT ON t FOR EACH ROW SET @a = 1'),
      trigger('TRIGGER d/**/.hidden BEFORE INSERT ON t FOR EACH ROW SET @a = 1'),
      set('latin1') + trigger('TRIGGER `t\xfc` BEFORE INSERT ON t FOR EACH ROW SET @a = 1') + set('@saved_cs_client'),
      `DELIMITER ;;\n/*!50106 CREATE*/ /*!50117 ${definer}*/ /*!50106 EVENT \`e\` ON SCHEDULE EVERY 1 DAY DO SELECT 1 */ ;;\nDELIMITER ;\n`,
      ...['AGGREGATE FUNCTION `f`(x INT)', 'PROCEDURE `p`()'].map((text) =>
        body('').replace('PROCEDURE `p`()', `${definer} ${text}`),
      ),
      ...['PACKAGE', 'PACKAGE BODY'].map((kind) =>
        body('').replace('PROCEDURE `p`()', `DEFINER="r"@"%" ${kind} "p""q" AS`),
      ),
      body(fake).replace('PROCEDURE', 'DEFINER=`role` PROCEDURE'),
      use('other'),
      view('`v`'),
    ].join('');
    const found = scan(Buffer.from(dump, 'latin1')).objects.map(
      ({ database, kind, name }) => `${kind} ${database}.${name}`,
    );
    expect(found).toEqual([
      'sequences d.s',
      ...['triggers d.t`1', 'triggers d.plain', 'triggers d.null', 'triggers d.null', 'triggers d.null'],
      ...['events d.e', 'functions d.f', 'procedures d.p', 'packages d.p"q', 'packageBodies d.p"q', 'procedures d.p'],
      'views other.v',
    ]);
  });

  test('passes on all bytes except the line that older clients do not understand', () => {
    const sandbox = '/*M!999999\\- enable the sandbox mode */ \n';
    const dump = `-- first\n${use('d')}${create('t')}${insert('t', ['1'])}-- Dump completed\n`;
    expect(scan(sandbox + dump).out.toString()).toBe(dump);
  });

  describe('of a binary connection', () => {
    const header = '/*!40101 SET NAMES binary */;\n';
    const uuid = (text: string) =>
      `CREATE TABLE \`t\` (\n  \`id\` uuid NOT NULL,\n  \`a\` ${text}\n) ENGINE=InnoDB DEFAULT CHARSET=gbk;\n`;
    const rows = "INSERT INTO `t` VALUES\n('u','a'),\n('v','uuid'),\n(NULL,'');\n";
    const written = (dump: string, lengths: readonly number[] = []) => scan(header + dump, lengths).out.toString();

    test('creates tables in utf8mb4', () => {
      const [first = '', ...others] = create('t').split(/(?=CREATE)/);
      const inUtf8 = `/*!40101 SET NAMES utf8mb4 */;\n${others.join('')}/*!40101 SET NAMES binary */;\n`;
      expect(written(create('t'))).toBe(`${header}${first}${inUtf8}`);
    });

    test.each([
      ['varchar(9) CHARACTER SET utf8mb3 DEFAULT NULL', 'utf8mb4'],
      ['varbinary(9) DEFAULT NULL', 'utf8mb4'],
      ["enum('a',' CHARACTER SET x') CHARACTER SET cp1251 DEFAULT NULL", 'cp1251'],
      ["text CHARACTER SET latin1 COMMENT '), CHARACTER SET gbk'", 'latin1'],
    ])('restores a table with a UUID and a column %s in %s', (text, characterSet) => {
      const filled = written(uuid(text) + rows);
      const inThat = `/*!40101 SET NAMES ${characterSet} */;\n${rows}/*!40101 SET NAMES binary */;\n`;
      expect(filled.endsWith(`;\n/*!40101 SET NAMES binary */;\n${inThat}`)).toBe(true);
    });

    test.each([
      ['in several character sets', 'set("x") CHARACTER SET cp1251,\n  `b` text'],
      ['in a character set whose characters may contain ASCII bytes', 'text'],
      ['in a character set that no connection can have', 'text CHARACTER SET utf16'],
    ])('marks the literals of a UUID beside text %s', (_which, text) => {
      const marked = rows.replace("('u'", "(_latin1'u'").replace("('v'", "(_latin1'v'");
      for (const lengths of [[], Array.from({ length: 200 }, () => 3)]) {
        expect(written(uuid(text) + rows, lengths).endsWith(`SET NAMES binary */;\n${marked}`)).toBe(true);
      }
      const named = "INSERT INTO `t` (`a`, `id`) VALUES ('u','v'),\n('(\\'','w');\n";
      const introduced = named.replace("'v'", "_latin1'v'").replace("'w'", "_latin1'w'");
      expect(written(uuid(text) + named).endsWith(introduced)).toBe(true);
      expect(scan(header + uuid(text) + rows + named).tables).toMatchObject([{ rows: 5 }]);
    });

    test('sets the character set in which the client must read a program', () => {
      const set = (to: string) => `/*!50003 SET character_set_client  = ${to} */ ;\n`;
      const dump = `${set('utf8mb4')}${body('SELECT 1')}${set('@saved_cs_client')}`;
      expect(written(dump)).toBe(
        `${header}${set('utf8mb4')}\\C utf8mb4\n${body('SELECT 1')}${set('@saved_cs_client')}\\C binary\n`,
      );
    });
  });

  test('keeps the values: dates that do not exist, and rows that violate a CHECK', () => {
    const header = "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n";
    expect(scan(header).out.toString()).toBe(
      `${header}/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES' */;\n/*M!100201 SET SESSION check_constraint_checks=0 */;\n`,
    );
  });

  describe('writes a negative zero, which the server reads as an integer without a sign, as a number with an exponent', () => {
    const real = (table: string) =>
      `CREATE TABLE \`${table}\` (\n  \`d\` double DEFAULT NULL,\n  \`v\` varchar(9) DEFAULT NULL\n) ENGINE=InnoDB;\n`;
    const values = ["-0,'a'", "-0.5,',-0,'", "-1,'\\'(-0)'", "-0,'(-0,'", "NULL,',-0)'"];
    const kept = values.map((value) => value.replace(/^-0,/, '-0e0,'));
    const ofTool = (newTool: boolean) => (all: readonly string[]) =>
      newTool ? insert('t', all) : `INSERT INTO \`t\` VALUES ${all.map((value) => `(${value})`).join()};\n`;
    const pieces = [[], Array.from({ length: 500 }, () => 1), Array.from({ length: 100 }, () => 7)];

    test.each([true, false])('in rows (one row per line: %s), and changes no text', (newTool) => {
      const rows = ofTool(newTool);
      for (const lengths of pieces) {
        const { out, tables } = scan(`${use('d')}${real('t')}${rows(values)}${rows(["1,'-0'"])}`, lengths);
        expect(out.toString()).toBe(`${use('d')}${real('t')}${rows(kept)}${rows(["1,'-0'"])}`);
        expect(tables).toMatchObject([{ rows: 6, sizeBytes: (rows(kept) + rows(["1,'-0'"])).length }]);
      }
    });

    test.each([3_000_000, 40_000])('beside a value of %d bytes', (size) => {
      const long = `-0,'${"\\',".repeat(size / 3)}',-0`;
      const { out, tables } = scan(
        `${real('t')}${insert('t', [long, ...values])}`,
        Array.from({ length: 60 }, () => 65_536),
      );
      expect(out.toString() === `${real('t')}${insert('t', [long.replaceAll('-0', '-0e0'), ...kept])}`).toBe(true);
      expect(tables).toMatchObject([{ rows: 6 }]);
    });

    test('in the default of a column', () => {
      const table = (more: string) =>
        `CREATE TABLE \`t\` (\n  \`a\`\`, b\` double(5,1) unsigned NOT NULL DEFAULT -0 COMMENT ' DEFAULT -0',\n  \`c\` float DEFAULT -0\n) ENGINE=InnoDB${more}`;
      const setting = (column: string) => `ALTER TABLE \`t\` ALTER \`${column}\` SET DEFAULT -0e0;`;
      const both = [setting('a``, b'), setting('c')];
      expect(scan(`${table('')};\n`).out.toString()).toBe([`${table('')};`, ...both, ''].join('\n'));
      const versioned = table(' WITH SYSTEM VERSIONING');
      const allowed = both.map((sql) => `SET STATEMENT system_versioning_alter_history = KEEP FOR ${sql}`);
      expect(scan(`${versioned};\n`).out.toString()).toBe([`${versioned};`, ...allowed, ''].join('\n'));
    });
  });

  test('names the table with a statement that no server accepts, and ends there', () => {
    const scanner = { ...dumpScanner(), args: ['100'] };
    const dump = `${use('d')}${create('t')}${insert('t', [`'${'x'.repeat(100)}'`])}`;
    expect(() => scan(dump, [], scanner)).toThrow(/longer than any server takes/);
    const fits = `${use('d')}${create('t')}${insert('t', [`'${'x'.repeat(100 - 30)}'`])}`;
    expect(scan(fits, [], scanner).longestStatementBytes).toBeLessThanOrEqual(100);
  });

  test('finds everything that was written into any dump, for every division of the dump into pieces', () => {
    fc.assert(
      fc.property(anyDump, fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 60 }), (dump, lengths) => {
        const { tables, longestStatementBytes, out } = scan(dump.text, lengths);
        expect(out.equals(Buffer.from(dump.text))).toBe(true);
        expect(tables).toEqual(dump.tables);
        expect(longestStatementBytes).toBe(dump.longest);
      }),
      { numRuns: 150 },
    );
  });
});

function unhex(text: string): string {
  return text.replace(/\\x(..)/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

// Texts for names, values and bodies that have a meaning elsewhere in a dump.
const pieces = [
  ...[
    'a',
    'ü',
    '🐬',
    ' ',
    "'",
    '"',
    '`',
    '\\',
    ';',
    ';;',
    '(',
    ')',
    ',',
    '*/',
    '/*',
    '/*!',
    '-',
    '--',
    '-- ',
    '#',
    '\n',
  ],
  ...['INSERT INTO `t` VALUES\n', 'CREATE TABLE `t` (', 'USE `d`;\n', 'DELIMITER ;\n', '),\n(', ';\n', '\n--\n'],
];
const anyText = fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((all) => all.join(''));
const anyName = fc.tuple(anyText, fc.constantFrom('x', 'y', 'z')).map((all) => all.join(''));
const escaped = (text: string) => `'${text.replace(/[\\'"\n]/g, (one) => (one === '\n' ? '\\n' : `\\${one}`))}'`;
const anyBody = fc.oneof(
  anyText.map((text) => `SELECT ${escaped(text)};`),
  anyText.map((text) => `SELECT "${text.replace(/[\\"]/g, (one) => `\\${one}`)}";`),
  anyName.map((name) => `SELECT 1 AS ${quote(name)};`),
  anyText.map((text) => `/* ${text.replaceAll('*/', '')} */`),
  anyText.map((text) => `-- ${text.replaceAll('\n', '')}\n`),
);
type Made = { readonly text: string; readonly tables: readonly DumpedTable[]; readonly longest: number };

const anyDump: fc.Arbitrary<Made> = fc
  .array(
    fc.record({
      name: anyName,
      columns: fc.option(fc.array(anyName, { minLength: 1, maxLength: 3 })),
      statements: fc.array(fc.array(anyText, { minLength: 1, maxLength: 4 }), { maxLength: 3 }),
      bodies: fc.array(anyBody, { maxLength: 2 }),
      database: fc.option(anyName),
    }),
    { maxLength: 5 },
  )
  .map((all) => {
    let [text, database, longest] = ['', '', 0];
    const tables: DumpedTable[] = [];
    const statement = (sql: string, end = ';\n'): number => {
      text += sql + end;
      longest = Math.max(longest, Buffer.byteLength(sql));
      return Buffer.byteLength(sql);
    };
    for (const each of all) {
      if (each.database !== null || text === '') {
        database = each.database ?? 'first';
        statement(`USE ${quote(database)}`);
      }
      const created = statement(`CREATE TABLE ${quote(each.name)} (\n  \`a\` int COMMENT ${escaped(each.name)}\n)`);
      const sizes = each.statements.map((rows) => {
        const values = rows.map((row) => `(1,${escaped(row)})`).join(',\n');
        const columns = each.columns === null ? ' VALUES\n' : ` (${each.columns.map(quote).join(', ')}) VALUES `;
        return statement(`INSERT INTO ${quote(each.name)}${columns}${values}`);
      });
      for (const one of each.bodies) {
        text += 'DELIMITER ;;\n';
        statement(`CREATE PROCEDURE p() ${one} `, ';;\n');
        text += 'DELIMITER ;\n';
      }
      tables.push({
        ...{ database, name: each.name, rows: each.statements.flat().length },
        sizeBytes: sizes.reduce((sum, size) => sum + size + 2, 0),
        longestStatementBytes: Math.max(created, ...sizes),
      });
    }
    return { text, tables, longest };
  });
