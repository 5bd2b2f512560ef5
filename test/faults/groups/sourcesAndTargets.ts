import { alteredSources } from './alteredSources.js';
import { oddDatabase, type OddDatabase, type Settings } from '../sourceTrial.js';
import type { Fault } from '../trial.js';

const rows = (table: string) => `INSERT INTO ${table} SELECT seq, CONCAT('row ', seq) FROM seq_1_to_200;`;
const plain = `CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40)) CHARACTER SET utf8mb4; ${rows('t')}
  CREATE VIEW \`Größe ☃\` AS SELECT v AS \`wert ä\` FROM t;`;

/** A global variable of the server, which new sessions inherit. */
function variable(name: string, value: string): Settings {
  return { set: `SET @@global.${name} = ${value}`, back: `SET @@global.${name} = DEFAULT` };
}

/** Settings of the source. Each must have no effect, or be refused with its name. */
const sourceSettings: readonly (readonly [name: string, value: string])[] = [
  ['sql_select_limit', '20'],
  ['max_statement_time', '0.2'],
  ['init_connect', "'SET NAMES latin1'"],
  ['init_connect', "'SET sql_select_limit=3'"],
  ['init_connect', "'SET sql_mode=ANSI_QUOTES'"],
  ['sql_mode', "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'"],
  ['sql_mode', "'ORACLE'"],
  ['sql_mode', "'PAD_CHAR_TO_FULL_LENGTH'"],
  ['time_zone', "'+05:30'"],
  ['group_concat_max_len', '4'],
  ['max_join_size', '1'],
  ['sql_safe_updates', '1'],
  ['sql_quote_show_create', '0'],
  ['character_set_server', "'latin1'"],
  ['collation_connection', "'latin1_german2_ci'"],
  ['character_set_results', "'latin1'"],
  ['tx_read_only', '1'],
  ['tx_isolation', "'READ-UNCOMMITTED'"],
  ['old_mode', "'NO_PROGRESS_INFO,ZERO_DATE_TIME_CAST'"],
  ['lock_wait_timeout', '1'],
  ['net_write_timeout', '1'],
  ['net_buffer_length', '1024'],
  ['wait_timeout', '1'],
  ['div_precision_increment', '1'],
  ['autocommit', '0'],
  ['completion_type', "'RELEASE'"],
];
const targetSettings: readonly (readonly [name: string, value: string, ends: readonly string[]])[] = [
  ['sql_mode', "'ANSI_QUOTES,STRICT_ALL_TABLES,NO_ZERO_DATE'", ['KEPT']],
  ['sql_select_limit', '3', ['KEPT']],
  ['max_statement_time', '0.05', ['KEPT']],
  ['init_connect', "'SET NAMES latin1'", ['KEPT']],
  ['autocommit', '0', ['KEPT', 'SERVICE_SETTING', 'TARGET_UNFIT']],
  ['default_storage_engine', "'MyISAM'", ['KEPT']],
  ['foreign_key_checks', '0', ['KEPT']],
  ['unique_checks', '0', ['KEPT']],
  ['check_constraint_checks', '1', ['KEPT']],
  ['character_set_server', "'latin1'", ['KEPT']],
  ['time_zone', "'-07:00'", ['KEPT']],
  ['innodb_default_row_format', "'compact'", ['KEPT', 'SERVICE_SETTING', 'TARGET_UNFIT']],
  ['explicit_defaults_for_timestamp', '0', ['KEPT']],
  ['event_scheduler', 'ON', ['KEPT']],
  ['tx_read_only', '1', ['KEPT', 'TOOL_FAILED', 'SERVICE_SETTING', 'TARGET_UNFIT']],
  ['sql_safe_updates', '1', ['KEPT']],
];

/** Bytes without an equivalent in UTF-8, by character set. */
const texts: readonly (readonly [characterSet: string, hex: string])[] = [
  ['cp1251', '98'],
  ['cp1250', '8183'],
  ['cp1256', 'ff80'],
  ['cp1257', '81'],
  ['ascii', '41'],
  ['greek', 'aeff'],
  ['hebrew', 'fbfc'],
  ['gbk', 'a2a1a6d9'],
  ['gb2312', 'a4a1'],
  ['euckr', 'a1a1'],
  ['big5', 'a1a1c6a1'],
  ['armscii8', 'a7ff'],
  ['tis620', 'a1fb'],
  ['cp932', '8790fa5b'],
  ['sjis', '82a0'],
  ['ucs2', '00410042'],
  ['utf16', 'd83dde00'],
  ['utf32', '0001f600'],
  ['swe7', '5b5c'],
  ['dec8', 'a8'],
  ['hp8', 'b0'],
  ['geostd8', '80'],
  ['koi8r', '80ff'],
  ['latin1', '80818d'],
];

/** The object is restored unchanged. */
function kept(name: string, statements: string): OddDatabase {
  return { name, statements, ends: ['KEPT'] };
}

/** The object is restored unchanged, or a warning names it. */
function keptOrNamed(name: string, statements: string, pattern: RegExp): OddDatabase {
  return { name, statements, ends: ['KEPT', 'WARNED'], pattern };
}

/** The backup or the restore fails with one of these codes, and the error names the object. */
function refused(
  name: string,
  statements: string,
  pattern: RegExp,
  ends: readonly string[] = ['TOOL_FAILED'],
): OddDatabase {
  return { name, statements, ends, pattern };
}

const contents: readonly OddDatabase[] = [
  { name: 'nothing in it', statements: 'DO 0;', ends: ['KEPT'] },
  kept(
    'zero dates',
    "SET sql_mode=''; CREATE TABLE t (d DATE, s TIMESTAMP NULL); INSERT INTO t VALUES ('0000-00-00', '0000-00-00'), ('2023-00-00', NULL);",
  ),
  keptOrNamed(
    'dates that do not exist',
    "SET sql_mode='ALLOW_INVALID_DATES'; CREATE TABLE t (d DATE); INSERT INTO t VALUES ('2023-02-30');",
    /odd\.t/,
  ),
  keptOrNamed(
    "ENUM index 0 beside a member ''",
    "SET sql_mode=''; CREATE TABLE t (e ENUM('', 'a')); INSERT INTO t VALUES (''), ('x'), ('a');",
    /odd\.t/,
  ),
  kept(
    'emoji in members of an ENUM and a SET and in a default',
    "SET NAMES utf8mb4; CREATE TABLE t (e ENUM('ä', '😀') CHARACTER SET utf8mb4 DEFAULT '😀', s SET('🐬', 'b') CHARACTER SET utf8mb4, v VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT '😀'); INSERT INTO t VALUES ('😀', 'b,🐬', '😀'), (DEFAULT, NULL, DEFAULT);",
  ),
  keptOrNamed('FLOAT', 'CREATE TABLE t (f FLOAT); INSERT INTO t VALUES (16777216);', /FLOAT/),
  refused(
    'FLOAT keys that become equal',
    'CREATE TABLE t (f FLOAT PRIMARY KEY); INSERT INTO t VALUES (16777216), (16777218);',
    /FLOAT/,
    ['KEPT', 'TOOL_FAILED'],
  ),
  kept(
    'all bytes in a BLOB',
    "CREATE TABLE t (b LONGBLOB); INSERT INTO t SELECT UNHEX(GROUP_CONCAT(LPAD(HEX(seq), 2, '0') ORDER BY seq SEPARATOR '')) FROM seq_0_to_255; INSERT INTO t SELECT REPEAT(b, 4000) FROM t;",
  ),
  kept(
    'text of quotes and backslashes',
    "CREATE TABLE t (v LONGTEXT); INSERT INTO t VALUES (REPEAT('''\\\\\\n', 1000000));",
  ),
  kept(
    'UUID, INET4 and INET6',
    "CREATE TABLE t (u UUID, a INET4, b INET6); INSERT INTO t VALUES ('123e4567-e89b-12d3-a456-426655440000', '192.0.2.1', '2001:db8::1'), (NULL, NULL, NULL);",
  ),
  keptOrNamed(
    'UUID beside text in cp1251',
    "CREATE TABLE t (u UUID, v VARCHAR(9) CHARACTER SET cp1251); INSERT INTO t VALUES ('123e4567-e89b-12d3-a456-426655440000', _cp1251 x'98e0');",
    /odd\.t/,
  ),
  kept(
    'geometry, bits, JSON',
    'CREATE TABLE t (g GEOMETRY, b BIT(13), j JSON); INSERT INTO t VALUES (POINT(1, 2), b\'1010101010101\', \'{"a": [1, "ü"]}\');',
  ),
  kept(
    'generated, invisible and compressed columns',
    "CREATE TABLE t (a INT, b INT AS (a * 2) STORED, c INT AS (a + 1) VIRTUAL, d INT INVISIBLE DEFAULT 7, e TEXT COMPRESSED); INSERT INTO t (a, e) VALUES (1, REPEAT('x', 500));",
  ),
  kept(
    'a versioned table with history',
    'CREATE TABLE t (a INT) WITH SYSTEM VERSIONING; INSERT INTO t VALUES (1), (2); UPDATE t SET a = a + 10; DELETE FROM t WHERE a = 11;',
  ),
  keptOrNamed(
    'a transaction-precise versioned table',
    'CREATE TABLE t (a INT, s BIGINT UNSIGNED GENERATED ALWAYS AS ROW START, e BIGINT UNSIGNED GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING ENGINE=InnoDB; INSERT INTO t (a) VALUES (1), (2); UPDATE t SET a = a + 10;',
    /odd\.t/,
  ),
  kept(
    'a sequence as a default',
    'CREATE SEQUENCE s START WITH 5; CREATE TABLE t (a INT DEFAULT NEXTVAL(s)); INSERT INTO t VALUES (), ();',
  ),
  {
    name: 'a sequence of another database as a default',
    statements:
      'CREATE DATABASE other; CREATE SEQUENCE other.s; CREATE TABLE t (a INT DEFAULT NEXTVAL(other.s)); INSERT INTO t VALUES ();',
    source: { set: 'DO 0', back: 'DROP DATABASE IF EXISTS other' },
    ends: ['TOOL_FAILED', 'TARGET_UNFIT', 'WARNED'],
    pattern: /other/,
  },
  kept(
    'rows that break a CHECK',
    'CREATE TABLE t (a INT CHECK (a > 0)); SET check_constraint_checks=0; INSERT INTO t VALUES (-1);',
  ),
  kept(
    'names that differ only in case',
    'CREATE TABLE T (a INT); CREATE TABLE t (b INT); INSERT INTO T VALUES (1); INSERT INTO t VALUES (2);',
  ),
  kept(
    'names of quotes, spaces and a snowman',
    'CREATE TABLE `a\'b"c``d ☃ é` (`ä;--` INT, `select` INT, KEY `k``ey` (`ä;--`)); INSERT INTO `a\'b"c``d ☃ é` VALUES (1, 2);',
  ),
  kept(
    'views on later views',
    'CREATE TABLE t (a INT); CREATE VIEW z AS SELECT a FROM t; CREATE VIEW a AS SELECT a FROM z; INSERT INTO t VALUES (1);',
  ),
  kept(
    'views that list tables with commas',
    "CREATE TABLE t (a INT, j JSON); CREATE TABLE u (a INT); INSERT INTO t VALUES (1, '[2]'); INSERT INTO u VALUES (1); CREATE VIEW v AS SELECT t.a FROM t, u WHERE t.a = u.a; CREATE VIEW w AS SELECT x.y FROM t, JSON_TABLE(t.j, '$[*]' COLUMNS (y INT PATH '$')) x;",
  ),
  kept(
    'foreign keys, sequences and partitions by system time',
    "CREATE SEQUENCE s START WITH -1 INCREMENT BY -2 MAXVALUE -1 MINVALUE -1000 CACHE 3; DO NEXTVAL(s); CREATE TABLE h (a INT) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME LIMIT 2 (PARTITION p0 HISTORY, PARTITION p1 HISTORY, PARTITION pc CURRENT); INSERT INTO h VALUES (1), (2); UPDATE h SET a = a + 1; UPDATE h SET a = a + 1; CREATE TABLE p (id INT, a DATE, b DATE, PERIOD FOR x (a, b), UNIQUE (id, x WITHOUT OVERLAPS)); INSERT INTO p VALUES (1, '2020-01-01', '2021-01-01');",
  ),
  refused(
    'a broken view',
    'CREATE TABLE t (a INT); CREATE VIEW v AS SELECT a FROM t; DROP TABLE t;',
    /odd\.v.*Repair/s,
  ),
  refused(
    'a broken trigger',
    'CREATE TABLE t (a INT, b INT); CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.b = 1; ALTER TABLE t DROP b; INSERT INTO t SELECT 1 FROM DUAL WHERE 0;',
    /\bg\b/,
  ),
  kept(
    'a trigger that refuses rows',
    "CREATE TABLE t (a INT); INSERT INTO t VALUES (-1); \nDELIMITER //\nCREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW IF NEW.a < 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF //\nDELIMITER ;\n",
  ),
  refused(
    'a definer that does not exist',
    'CREATE TABLE t (a INT); CREATE DEFINER=`gone`@`nowhere` VIEW v AS SELECT a FROM t; CREATE DEFINER=`gone`@`nowhere` PROCEDURE p() SELECT 1;',
    /gone/,
    ['KEPT', 'TOOL_FAILED'],
  ),
  kept(
    'foreign keys in a circle',
    'CREATE TABLE a (id INT PRIMARY KEY, b INT); CREATE TABLE b (id INT PRIMARY KEY, a INT REFERENCES a (id)); ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id); INSERT INTO a VALUES (1, NULL); INSERT INTO b VALUES (1, 1); UPDATE a SET b = 1;',
  ),
  kept(
    'partitions',
    'CREATE TABLE t (a INT PRIMARY KEY) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE); INSERT INTO t SELECT seq FROM seq_1_to_30;',
  ),
  ...['MyISAM', 'Aria', 'MEMORY', 'CSV'].map((engine) => ({
    name: `a table of the engine ${engine}`,
    statements: `CREATE TABLE t (a INT NOT NULL, v VARCHAR(20) NOT NULL) ENGINE=${engine}; INSERT INTO t VALUES (1, 'a'), (2, 'b');`,
    ends: ['KEPT'],
  })),
  {
    name: 'a row format and a key block size',
    statements:
      "CREATE TABLE t (a INT, v VARCHAR(200)) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8; INSERT INTO t VALUES (1, 'x');",
    ends: ['KEPT', 'TOOL_FAILED', 'TARGET_UNFIT'],
  },
  refused(
    'a row too large for strict mode',
    `SET SESSION innodb_strict_mode=0; CREATE TABLE t (${Array.from({ length: 60 }, (_, n) => `c${n} VARCHAR(200) CHARACTER SET latin1`).join(', ')}) ROW_FORMAT=COMPACT; INSERT INTO t (c0) VALUES ('x');`,
    /innodb_strict_mode/,
    ['KEPT', 'TOOL_FAILED', 'TARGET_UNFIT'],
  ),
  keptOrNamed(
    'comments of routines by a latin1 client',
    "SET NAMES latin1; CREATE PROCEDURE p() COMMENT 'ä' SELECT 'ö';",
    /odd\.p/,
  ),
  {
    name: 'a target with a small packet',
    statements: "CREATE TABLE t (b LONGBLOB); INSERT INTO t VALUES (REPEAT('x', 4000000));",
    target: variable('max_allowed_packet', '1048576'),
    ends: ['TARGET_UNFIT'],
    pattern: /max_allowed_packet/,
  },
  {
    name: 'quotes that double, for a target with a small packet',
    statements: "CREATE TABLE t (v LONGTEXT); INSERT INTO t VALUES (REPEAT('''', 700000));",
    target: variable('max_allowed_packet', '1048576'),
    ends: ['TARGET_UNFIT'],
    pattern: /max_allowed_packet/,
  },
  {
    name: 'many values just below the small packet of the target',
    statements: "CREATE TABLE t (b LONGBLOB); INSERT INTO t SELECT REPEAT('x', 900000) FROM seq_1_to_20;",
    target: variable('max_allowed_packet', '1048576'),
    ends: ['KEPT'],
  },
  ...['BLACKHOLE', 'ARCHIVE'].map((engine) => ({
    name: `the target lacks the engine ${engine}`,
    statements: `INSTALL SONAME 'ha_${engine.toLowerCase()}'; CREATE TABLE t (a INT) ENGINE=${engine}; INSERT INTO t VALUES (1);`,
    // A plugin that tables use cannot be uninstalled.
    source: {
      set: 'DO 0',
      back: `DROP DATABASE IF EXISTS odd; UNINSTALL SONAME IF EXISTS 'ha_${engine.toLowerCase()}'`,
    },
    ends: ['TARGET_UNFIT'],
    pattern: new RegExp(engine),
  })),
  {
    ...kept(
      'names in mixed case, for a target that folds letter case',
      `CREATE TABLE Orders (Id INT PRIMARY KEY, V TEXT);
      INSERT INTO Orders VALUES (1, 'Kept'), (2, 'ÄÖÜ'); CREATE VIEW NewOrders AS SELECT Id FROM Orders WHERE Id > 1;
      CREATE SEQUENCE Numbers START WITH 7; CREATE PROCEDURE CountOrders() SELECT COUNT(*) FROM Orders;
      CREATE TRIGGER BeforeOrder BEFORE INSERT ON Orders FOR EACH ROW SET NEW.V = TRIM(NEW.V);`,
    ),
    targetFoldsNames: true,
  },
  ...(
    [
      ['tables', 'CREATE TABLE T (a INT); CREATE TABLE t (a INT); INSERT INTO T VALUES (1); INSERT INTO t VALUES (2);'],
      ['a table and a view', 'CREATE TABLE T (a INT); INSERT INTO T VALUES (1); CREATE VIEW t AS SELECT a FROM T;'],
      ['tables with umlauts', 'CREATE TABLE Ä (a INT); CREATE TABLE ä (a INT); INSERT INTO Ä VALUES (1);'],
    ] as const
  ).map(([what, make]): OddDatabase => ({
    ...refused(
      `${what} whose names differ in case, for a target that folds letter case`,
      make,
      /lower_case_table_names/,
      ['TARGET_UNFIT'],
    ),
    targetFoldsNames: true,
  })),
];

/** Cases from production: settings of servers, character sets, values, objects. Each is restored and compared. */
export const sourcesAndTargets: readonly Fault[] = [
  ...sourceSettings.map(([name, value]) =>
    oddDatabase({
      name: `the source has ${name} = ${value}`,
      statements: plain,
      source: variable(name, value),
      // TOOL_FAILED: the tool itself reaches the limit, and the hint names the setting.
      ends: ['KEPT', 'SERVICE_SETTING', ...(name === 'max_join_size' ? ['TOOL_FAILED'] : [])],
      pattern: new RegExp(name),
    }),
  ),
  ...targetSettings.map(([name, value, ends]) =>
    oddDatabase({
      name: `the target has ${name} = ${value}`,
      statements: plain,
      target: variable(name, value),
      ends,
      pattern: new RegExp(name),
    }),
  ),
  ...texts.map(([characterSet, hex]) =>
    oddDatabase({
      name: `text in ${characterSet}`,
      statements: `CREATE TABLE t (v VARCHAR(9) CHARACTER SET ${characterSet}); INSERT INTO t VALUES (_${characterSet} x'${hex}');`,
      ends: ['KEPT'],
    }),
  ),
  ...contents.map(oddDatabase),
  ...alteredSources,
];
