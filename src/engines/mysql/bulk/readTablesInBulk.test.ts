import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { anySession } from '../../../../test/fixtures/mysqlSession.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mysqlMissing, startMysql, type MysqlServer } from '../../../../test/fixtures/servers/mysql.js';
import { Secret } from '../../../secret.js';
import { readNames } from '../../mysqlFamily/catalog/catalog.js';
import { listDatabases } from '../../mysqlFamily/catalog/selection.js';
import { definitionOf } from '../../mysqlFamily/definitions/definition.js';
import { readDefinitions } from '../../mysqlFamily/definitions/readDefinitions.js';
import type { TableParts } from '../../mysqlFamily/definitions/tableParts.js';
import { withSession, type Session } from '../../mysqlFamily/session/session.js';
import { mysqlDialect } from '../mysqlDialect.js';
import { readTablesInBulk } from './readTablesInBulk.js';

/** Tables of which information_schema shows everything: what is in parentheses, and options after a bar. */
const ordinary = [
  "id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a VARCHAR(40) NOT NULL DEFAULT 'it''s', b TEXT, c JSON, d POINT",
  'a INT UNSIGNED ZEROFILL DEFAULT 7, b DECIMAL(10,3) NOT NULL DEFAULT 1.5, c DOUBLE DEFAULT -0.5, d FLOAT, e YEAR, f BIT(3), g TINYINT(1)',
  "a TIMESTAMP NULL DEFAULT NULL, z TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00', b TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), c DATETIME DEFAULT CURRENT_TIMESTAMP, d DATETIME ON UPDATE CURRENT_TIMESTAMP, e DATE DEFAULT '2024-01-31', f TIME(2)",
  "a ENUM('one', 'it''s', 'x,y') NOT NULL DEFAULT 'x,y', b SET('a', 'b') DEFAULT 'a,b', c CHAR(3) CHARACTER SET latin1, d VARCHAR(9) COLLATE utf8mb4_bin",
  "a INT COMMENT 'Straße, it''s (,)', `b ``c` INT, UNIQUE KEY z (a), KEY y (a DESC, `b ``c`), KEY x (`b ``c`) INVISIBLE COMMENT 'hid''den'",
  'a VARCHAR(300), b BLOB, PRIMARY KEY (a(10)), KEY (a(20), b(5)), c VARBINARY(20), d LONGTEXT, e TINYBLOB',
  'a INT, KEY k (a) USING BTREE, UNIQUE KEY j (a) KEY_BLOCK_SIZE=4, b INT COLUMN_FORMAT FIXED STORAGE DISK',
  "a INT | COMMENT='a (table), it''s' ROW_FORMAT=DYNAMIC AUTO_INCREMENT=77 CHARSET=latin1",
  'a INT, b INT, KEY (a), CONSTRAINT f_2 FOREIGN KEY (a) REFERENCES parent (id), CONSTRAINT f_1 FOREIGN KEY (b, a) REFERENCES parent (id, x) ON DELETE CASCADE ON UPDATE SET NULL',
  'a INT, FOREIGN KEY (a) REFERENCES other.far (id) ON DELETE RESTRICT ON UPDATE NO ACTION',
  "a DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) COMMENT 'now', b VARCHAR(20) DEFAULT 'CURRENT_TIMESTAMP', c VARCHAR(4) NOT NULL DEFAULT ''",
] as const;

/** Tables that only SHOW CREATE TABLE shows. */
const special = [
  'a INT, b INT AS (a + 1), c INT AS (a * 2) STORED',
  'a INT DEFAULT (1 + 2), b JSON DEFAULT (JSON_ARRAY())',
  "a BIT(3) DEFAULT b'101', b BINARY(3) DEFAULT 'x', c VARBINARY(3) DEFAULT 0x00ff",
  "a INT COMMENT 'back\\\\slash', b VARCHAR(9) DEFAULT 'new\nline'",
  'a INT, CHECK (a > 0), CHECK (a < 9) NOT ENFORCED',
  'a INT, b VARCHAR(20), KEY k ((a + 1)), FULLTEXT KEY f (b)',
  'a POINT NOT NULL SRID 4326, SPATIAL KEY (a)',
  'a INT INVISIBLE, b INT',
  "a TIMESTAMP DEFAULT '2024-01-01 00:00:00'",
  'a INT | ENGINE=MyISAM',
  'a INT, KEY k (a) USING HASH | ENGINE=MEMORY',
  "a INT | STATS_PERSISTENT=0 COMMENT='x'",
  'a INT | ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4',
  'a INT | PARTITION BY HASH (a) PARTITIONS 3',
  'a INT | TABLESPACE shared',
] as const;

describeWith({ mysql: mysqlMissing }, 'Definitions of tables, read from information_schema', () => {
  let server: MysqlServer;

  beforeAll(async () => {
    server = await startMysql();
    await server.sql(`CREATE DATABASE other; CREATE TABLE other.far (id INT PRIMARY KEY);
      CREATE TABLESPACE shared ADD DATAFILE 'shared.ibd';`);
  });
  afterEach(() => server.sql('DROP DATABASE IF EXISTS d'));
  afterAll(() => server.stop());

  const session = () => ({ ...anySession(), signal: new AbortController().signal });
  const inSession = <T>(work: (session: Session) => Promise<T>, inBulk: boolean): Promise<T> =>
    withSession(server.connection(), session(), (opened) =>
      work({
        ...opened,
        dialect: {
          ...mysqlDialect,
          readTablesInBulk: (from, database, tables) => readTablesInBulk(from, database, tables, inBulk ? 0 : Infinity),
        },
      }),
    );
  const tablesOf = (inBulk: boolean): Promise<ReadonlyMap<string, TableParts>> =>
    inSession(async (session) => {
      const chosen = (await listDatabases(session)).filter(({ name }) => name === 'd');
      return (await readDefinitions(session, await readNames(session, chosen))).get('d')?.tables ?? new Map();
    }, inBulk);
  const hash = async (): Promise<string> => definitionOf((await tablesOf(true)).get('t')?.parts ?? new Map()).hash;
  const create = (bodies: readonly string[], prefix: string) =>
    bodies
      .map((body) => body.split(' | '))
      .map(([inside, options = ''], index) => `CREATE TABLE \`${prefix}-${index}\` (${inside}) ${options};`)
      .join('\n');
  const parent = 'CREATE DATABASE d; USE d; CREATE TABLE parent (id INT, x INT, PRIMARY KEY (id, x), KEY (x));';

  test('are the same as those that SHOW CREATE TABLE shows', async () => {
    await server.sql(
      `SET time_zone = '+05:00', sql_mode = ''; ${parent} ${create(ordinary, 'o')} ${create(special, 's')}`,
    );
    const [inBulk, shown] = [await tablesOf(true), await tablesOf(false)];
    const comparable = (all: ReadonlyMap<string, TableParts>) =>
      Object.fromEntries(
        [...all].sort().map(([name, { parts, options }]) => [name, [...parts, options.get('ENGINE')]]),
      );
    expect(comparable(inBulk)).toEqual(comparable(shown));
    expect(inBulk.size).toBe(ordinary.length + special.length + 1);
    const names = [...inBulk.keys()];
    const read = await inSession((session) => readTablesInBulk(session, 'd', names, 0), true);
    expect([...read.keys()].sort()).toEqual(['parent', ...ordinary.map((_, index) => `o-${index}`)].sort());
  });

  test('are read in bulk by an account with the rights of a backup, and one by one on a server with few tables', async () => {
    await server.sql(`${parent} CREATE USER reader@'%' IDENTIFIED BY 'r'; GRANT SELECT ON d.* TO reader@'%';`);
    const connection = server.connection({ username: 'reader', password: new Secret('r') });
    const read = async (fewest: number) =>
      (await withSession(connection, session(), (opened) => readTablesInBulk(opened, 'd', ['parent'], fewest))).size;
    expect([await read(0), await read(1), await read(2)]).toEqual([1, 1, 0]);
  });

  const base =
    "CREATE TABLE t (a INT NOT NULL DEFAULT 1, b VARCHAR(20) COMMENT 'old', c TIMESTAMP NULL, e INT, KEY k (a), KEY l (b), CONSTRAINT f FOREIGN KEY (e) REFERENCES parent (x))";

  test.each([
    ['the type of a column', 'MODIFY a BIGINT NOT NULL DEFAULT 1'],
    ['the sign of a column', 'MODIFY a INT UNSIGNED NOT NULL DEFAULT 1'],
    ['the length of a column', "MODIFY b VARCHAR(21) COMMENT 'old'"],
    ['the default of a column', 'ALTER a SET DEFAULT 2'],
    ['a default that goes', 'ALTER a DROP DEFAULT'],
    ['an expression as default', 'ALTER a SET DEFAULT (1 + 1)'],
    ['NOT NULL', "MODIFY b VARCHAR(20) NOT NULL COMMENT 'old'"],
    ['the character set of a column', "MODIFY b VARCHAR(20) CHARACTER SET latin1 COMMENT 'old'"],
    ['the collation of a column', "MODIFY b VARCHAR(20) COLLATE utf8mb4_bin COMMENT 'old'"],
    ['the comment of a column', "MODIFY b VARCHAR(20) COMMENT 'new'"],
    ['ON UPDATE', 'MODIFY c TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP'],
    ['an invisible column', 'ALTER COLUMN e SET INVISIBLE'],
    ['AUTO_INCREMENT', 'MODIFY a INT NOT NULL AUTO_INCREMENT'],
    ['the order of columns', 'MODIFY e INT FIRST'],
    ['the name of a column', 'RENAME COLUMN c TO c2'],
    ['a generated column', 'ADD g INT AS (a + 1)'],
    ['a spatial reference system', 'ADD p POINT SRID 4326'],
    ['a primary key', 'ADD PRIMARY KEY (a)'],
    ['a unique index', 'DROP KEY k, ADD UNIQUE KEY k (a)'],
    ['the columns of an index', 'DROP KEY k, ADD KEY k (a, e)'],
    ['the prefix of an index', 'DROP KEY l, ADD KEY l (b(5))'],
    ['the direction of an index', 'DROP KEY k, ADD KEY k (a DESC)'],
    ['the visibility of an index', 'ALTER INDEX k INVISIBLE'],
    ['the comment of an index', "DROP KEY k, ADD KEY k (a) COMMENT 'x'"],
    ['the name of an index', 'RENAME INDEX k TO k2'],
    ['a functional index', 'ADD KEY m ((a + 1))'],
    ['a full-text index', 'DROP KEY l, ADD FULLTEXT KEY l (b)'],
    ['a CHECK', 'ADD CONSTRAINT h CHECK (a > 0)'],
    [
      'the action of a foreign key',
      'DROP FOREIGN KEY f, ADD CONSTRAINT g FOREIGN KEY (e) REFERENCES parent (x) ON DELETE CASCADE',
    ],
    ['the target of a foreign key', 'DROP FOREIGN KEY f, ADD CONSTRAINT g FOREIGN KEY (e) REFERENCES parent (id)'],
    ['the comment of the table', "COMMENT='new'"],
    ['partitions', 'DROP FOREIGN KEY f, PARTITION BY HASH (a) PARTITIONS 2'],
    ['the options of the table', "DROP FOREIGN KEY f, INSERT_METHOD=LAST, CONNECTION='x'"],
  ])('have another hash after a change of %s', async (_what, change) => {
    await server.sql(`${parent} ${base};`);
    const before = await hash();
    // MySQL cannot drop a key and make another of its name as a partitioned table in one statement.
    const [first = '', ...rest] = /PARTITION BY/.test(change) ? change.split(', PARTITION') : [change];
    await server.sql(
      `USE d; ALTER TABLE t ${first}; ${rest.map((each) => `ALTER TABLE t PARTITION${each};`).join(' ')}`,
    );
    expect(await hash()).not.toBe(before);
  });

  test('have another hash when a CHECK is no longer enforced', async () => {
    await server.sql(`${parent} CREATE TABLE t (a INT, CONSTRAINT h CHECK (a > 0));`);
    const before = await hash();
    await server.sql('ALTER TABLE d.t ALTER CHECK h NOT ENFORCED');
    expect(await hash()).not.toBe(before);
  });
});
