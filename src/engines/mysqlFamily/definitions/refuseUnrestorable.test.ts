import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preflightOf, restoreDump, takeDump } from '../../../../test/fixtures/dumpAndRestore.js';
import { anySession } from '../../../../test/fixtures/mariadbSession.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import type { PreflightReport } from '../../preflightReport.js';
import { readNames } from '../catalog/catalog.js';
import { listDatabases } from '../catalog/selection.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';
import { withSession } from '../session/session.js';
import { readDefinitions } from './readDefinitions.js';
import { refuseUnrestorable } from './refuseUnrestorable.js';

describeWith(
  { mariadb: mariadbMissing },
  'A backup is refused, and the error names the object and what to do, for',
  () => {
    const engine = createMariadbEngine();
    let distinct: MariadbServer;
    let folding: MariadbServer;
    let folder: string;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stowage-unrestorable-'));
      [distinct, folding] = await Promise.all([startMariadb(), startMariadb(['--lower-case-table-names=1'])]);
    });
    afterEach(async () => {
      for (const server of [distinct, folding]) {
        const names = (await server.sql('SHOW DATABASES')).split('\n').filter(Boolean);
        const own = names.filter((name) => !/^(mysql|sys|information_schema|performance_schema)$/.test(name));
        await server.sql(own.map((name) => `DROP DATABASE \`${name}\`;`).join(' '));
      }
    });
    afterAll(async () => {
      await Promise.all([distinct.stop(), folding.stop()]);
      await rm(folder, { recursive: true, force: true });
    });

    const context = () => ({ workFolder: folder, signal: new AbortController().signal });
    const preflight = (server: MariadbServer, databases: readonly string[] | null = null): Promise<PreflightReport> =>
      preflightOf(engine, server.connection({ databases }), context());

    const parent =
      'CREATE DATABASE d; USE d; CREATE TABLE a (`x y` VARCHAR(9), z INT, KEY k (`x y`, z)) CHARACTER SET latin1;';
    const child =
      'CREATE TABLE c (b VARCHAR(20), i INT, CONSTRAINT `f``1` FOREIGN KEY (b, i) REFERENCES a (`x y`, z)) CHARACTER SET latin1;';
    const table = 'CREATE DATABASE d; USE d; CREATE TABLE t (a INT, `the b` INT, c INT);';

    test.each<[what: string, statements: string, message: RegExp, help: RegExp, repair: string]>([
      [
        "a trigger with a text with '*/' after a comment",
        `${table} \nDELIMITER $\nCREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN /* c */ SET @a = '*/'; END $\nDELIMITER ;\n`,
        /trigger d\.g: its body has a comment and later a text with '\*\/'/,
        /CONCAT\('\*', '\/'\)/,
        'DROP TRIGGER `d`.`g`;',
      ],
      [
        "an event with a text with '*/' after a comment",
        `${table} \nDELIMITER $\nCREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO BEGIN /* c */ SET @a = '/* d */'; END $\nDELIMITER ;\n`,
        /event d\.e: its body has a comment and later a text with '\*\/'/,
        /CONCAT\('\*', '\/'\)/,
        'DROP EVENT `d`.`e`;',
      ],
      [
        'a trigger whose column is gone',
        `${table} CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET new.a = NEW.c; ALTER TABLE t DROP COLUMN c;`,
        /trigger d\.g: its table 't' has no column 'c'.*1054/,
        /DROP TRIGGER `d`\.`g`;/,
        'DROP TRIGGER `d`.`g`;',
      ],
      [
        'a trigger whose quoted column is gone, in another sql mode',
        `${table} SET sql_mode = 'ANSI_QUOTES';
DELIMITER ;;
CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW
  BEGIN /* NEW.x */ SET @x = 'OLD.y'; SET NEW."a" = OLD . "the b"; END;;
DELIMITER ;
ALTER TABLE t DROP COLUMN "the b";`,
        /trigger d\.g: its table 't' has no column 'the b'/,
        /DROP TRIGGER `d`\.`g`;/,
        'DROP TRIGGER `d`.`g`;',
      ],
      [
        'an event that makes the dump tool run for ever',
        "CREATE DATABASE d; USE d; CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT ';;';",
        /event d\.e: .*two semicolons side by side/,
        /Write the event `d`\.`e` without them/,
        "ALTER EVENT d.e DO SELECT ';' ';';",
      ],
      [
        'a default whose sequence is in a database that is dumped later',
        'CREATE DATABASE z; CREATE SEQUENCE z.s; CREATE DATABASE d; CREATE TABLE d.t (a INT DEFAULT NEXTVAL(z.s));',
        /table d\.t: .*sequence 'z\.s'.*dumped after it.*1146/,
        /Create the sequence in the database of the table/,
        'CREATE SEQUENCE d.s; ALTER TABLE d.t ALTER a SET DEFAULT (NEXTVAL(d.s));',
      ],
      [
        'a view WITH CHECK OPTION on a view that is made after it',
        `${table} CREATE VIEW z AS SELECT a FROM t WHERE a > 0; CREATE VIEW v AS SELECT a FROM z WHERE a < 9 WITH CHECK OPTION;`,
        /view d\.v: .*'z'.*1368/,
        /a name that sorts after 'z'/,
        'RENAME TABLE d.v TO d.zz;',
      ],
      [
        'an event in a database whose name has a quote',
        "CREATE DATABASE `it's`; CREATE EVENT `it's`.e ON SCHEDULE EVERY 1 DAY DO SELECT 1;",
        /event it's\.e: the dump tool cannot dump events of a database whose name has a quote/,
        /DROP EVENT `it's`\.`e`;/,
        "DROP EVENT `it's`.`e`;",
      ],
      [
        'a foreign key whose referenced columns lost their index',
        `${parent} ${child} SET foreign_key_checks = 0; ALTER TABLE a DROP KEY k;`,
        /foreign key 'f`1' of the table d\.c: no index of d\.a begins with the columns that it refers to.*1005/,
        /ALTER TABLE `d`\.`a` ADD INDEX \(`x y`, `z`\); .*ALTER TABLE `d`\.`c` DROP FOREIGN KEY `f``1`;/,
        'ALTER TABLE d.a ADD INDEX (`x y`, z);',
      ],
      [
        'a foreign key of which only the beginning of a column is still indexed',
        `${parent} ${child} SET foreign_key_checks = 0; ALTER TABLE a DROP KEY k, ADD KEY k (\`x y\`(3), z);`,
        /foreign key 'f`1' .*no index of d\.a/,
        /ADD INDEX/,
        'ALTER TABLE d.c DROP FOREIGN KEY `f``1`;',
      ],
      [
        'a foreign key into its own table without an index',
        `CREATE DATABASE d; USE d; CREATE TABLE c (id INT, of INT, KEY k (id), CONSTRAINT f FOREIGN KEY (of) REFERENCES c (id));
         SET foreign_key_checks = 0; ALTER TABLE c DROP KEY k;`,
        /foreign key 'f' of the table d\.c: no index of d\.c/,
        /ADD INDEX \(`id`\)/,
        'ALTER TABLE d.c ADD INDEX (id);',
      ],
      [
        'a foreign key to a table that was created anew with another collation',
        `${parent} ${child} SET foreign_key_checks = 0; DROP TABLE a;
         CREATE TABLE a (\`x y\` VARCHAR(9) COLLATE latin1_bin, z INT, KEY k (\`x y\`, z)) CHARACTER SET latin1;`,
        /the column 'b' is text in latin1_swedish_ci, and the column that it refers to is text in latin1_bin/,
        /the same type and collation/,
        'ALTER TABLE d.c DROP FOREIGN KEY `f``1`;',
      ],
      [
        'a foreign key to a column that is gone',
        `${parent} ${child} SET foreign_key_checks = 0; DROP TABLE a; CREATE TABLE a (z INT PRIMARY KEY);`,
        /foreign key 'f`1' of the table d\.c: it refers to the column 'x y', which d\.a no longer has/,
        /^Drop the foreign key: ALTER TABLE `d`\.`c` DROP FOREIGN KEY `f``1`; Then/,
        'ALTER TABLE d.c DROP FOREIGN KEY `f``1`;',
      ],
      [
        'a foreign key to a table of an earlier database that was created anew with another type',
        `CREATE DATABASE b; CREATE TABLE b.z (id INT PRIMARY KEY); CREATE DATABASE d; USE d;
         CREATE TABLE a (of INT, CONSTRAINT f FOREIGN KEY (of) REFERENCES b.z (id));
         SET foreign_key_checks = 0; DROP TABLE b.z; CREATE TABLE b.z (id INT UNSIGNED PRIMARY KEY);`,
        /the column 'of' is int, and the column that it refers to is int unsigned/,
        /DROP FOREIGN KEY `f`/,
        'ALTER TABLE d.a DROP FOREIGN KEY f;',
      ],
      [
        'partitions that only a session with another sql_mode can open',
        `CREATE DATABASE d; USE d; SET sql_mode = 'NO_UNSIGNED_SUBTRACTION'; CREATE TABLE t (a INT UNSIGNED)
         PARTITION BY RANGE (a - 10) (PARTITION p VALUES LESS THAN (-5), PARTITION q VALUES LESS THAN MAXVALUE); INSERT INTO t VALUES (1);`,
        /table d\.t: its partitions subtract.*1563/,
        /Make the column of the partitions signed/,
        'ALTER TABLE d.t REMOVE PARTITIONING;',
      ],
    ])('%s', async (_what, statements, message, help, repair) => {
      await distinct.sql(statements);
      await expect(preflight(distinct)).rejects.toMatchObject({
        ...{ code: 'TOOL_FAILED', retriable: false },
        ...{ message: expect.stringMatching(message), help: expect.stringMatching(help) },
      });
      await distinct.sql(repair);
      await expect(preflight(distinct)).resolves.toMatchObject({ parts: [{ name: 'databases' }] });
    });

    test('triggers that a server which folds names shows as one trigger', async () => {
      await folding.sql(`${table} CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1;
      CREATE TRIGGER G AFTER INSERT ON t FOR EACH ROW SET @x = 1;`);
      await expect(preflight(folding)).rejects.toMatchObject({
        message: expect.stringMatching(/trigger d\.G: another trigger/i),
      });
    });

    test('A backup accepts objects that can be restored: rows and names in quotes, comments and other letter case', async () => {
      await distinct.sql(`${table} CREATE DATABASE new; CREATE TABLE new.x (y INT);
DELIMITER ;;
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN -- NEW.gone
  SET NEW.A = (SELECT COUNT(x.y) FROM d.t JOIN new.x), @y = "NEW.gone", NEW.\`the b\` = 2 # NEW.gone
  ; END;;
CREATE TRIGGER h AFTER INSERT ON t FOR EACH ROW SET @z = 'it''s \\' NEW.gone';;
CREATE TABLE v (a INT) WITH SYSTEM VERSIONING;;
CREATE TRIGGER i BEFORE UPDATE ON v FOR EACH ROW SET @since = OLD.row_start, @until = OLD.ROW_END;;`);
      const { inventory } = await preflight(distinct);
      expect(inventory.databases[0]?.objects['triggers']).toEqual(['g', 'h', 'i']);
    });

    test('A backup accepts foreign keys that a restore can create: to later tables, other engines, partitions and part of an index', async () => {
      await distinct.sql(`${table} SET foreign_key_checks = 0;
        CREATE TABLE a (id INT PRIMARY KEY, x INT, y VARCHAR(9) COLLATE utf8mb4_bin, KEY (x)) CHARACTER SET utf8mb4;
        CREATE TABLE b (x INT, id INT, y VARCHAR(99) COLLATE utf8mb4_bin, z VARCHAR(9)) CHARACTER SET utf8mb4;
        ALTER TABLE a ADD KEY (y, x); ALTER TABLE b ADD FOREIGN KEY (x, id) REFERENCES a (x, id), ADD FOREIGN KEY (Y) REFERENCES a (Y);
        CREATE TABLE z (id INT, KEY k (id)); CREATE TABLE c (id INT, FOREIGN KEY (id) REFERENCES z (id)); ALTER TABLE z DROP KEY k;
        CREATE TABLE e (id INT PRIMARY KEY); CREATE TABLE f (id INT, FOREIGN KEY (id) REFERENCES e (id)); DROP TABLE e; CREATE TABLE e (x INT) ENGINE=MyISAM;
        CREATE TABLE g (id INT PRIMARY KEY); CREATE TABLE h (id INT, FOREIGN KEY (id) REFERENCES g (id)); DROP TABLE g; CREATE TABLE g (id BIGINT) PARTITION BY HASH (id);
        CREATE TABLE i (id INT, FOREIGN KEY (id) REFERENCES nowhere (id));`);
      const taken = await takeDump(engine, distinct.connection({ databases: ['d'] }), context());
      expect(taken.failure).toBeNull();
      await expect(restoreDump(engine, folding.connection(), taken, context())).resolves.toMatchObject({
        databases: [{ name: 'd' }],
      });
    });

    test('A backup accepts an object that was changed between two queries of the preflight', async () => {
      await distinct.sql(`${table} CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = NEW.c;`);
      const context = { signal: new AbortController().signal, ...anySession() };
      await withSession(distinct.connection(), context, async (session) => {
        const read = async () => {
          const catalog = await readNames(session, await listDatabases(session));
          return { catalog, definitions: await readDefinitions(session, catalog) };
        };
        const before = await read();
        await distinct.sql(
          'USE d; DROP TRIGGER g; ALTER TABLE t DROP c; CREATE SEQUENCE s; ALTER TABLE t ALTER a SET DEFAULT NEXTVAL(s)',
        );
        const after = await read();
        const [own, altered] = [before.definitions.get('d'), after.definitions.get('d')];
        if (own === undefined || altered === undefined) throw new Error('The database d was not read.');
        // The triggers and sequences as they were before the change, and the tables as they are after it.
        const mixed = { catalog: before.catalog, definitions: new Map([['d', { ...own, tables: altered.tables }]]) };
        const { inventory } = await preflight(distinct);
        const circumstances = { ...inventory, escapesDatabases: false, product: 'MariaDB' as const };
        await expect(refuseUnrestorable(mixed, circumstances, () => Promise.resolve(mixed))).rejects.toThrow(
          /trigger d\.g: .*table d\.t: .*'d\.s', which does not exist/,
        );
        await expect(refuseUnrestorable(mixed, circumstances, read)).resolves.toBeUndefined();
      });
    });
  },
);
