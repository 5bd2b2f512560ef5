import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { chownSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { archiveBench, type ArchiveBench } from '../../../../test/fixtures/archive.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import type { RestoredBackup, TakenBackup } from '../../../archive/archive.js';
import { restoreBackup } from '../../../archive/restoreBackup.js';
import { takeBackup } from '../../../archive/takeBackup.js';
import { Secret } from '../../../secret.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';

const engine = createMariadbEngine();

describeWith({ mariadb: mariadbMissing }, 'A target that cannot hold all objects of the backup', () => {
  let source: MariadbServer;
  let folding: MariadbServer;
  let target: MariadbServer;
  let bench: ArchiveBench;

  beforeAll(async () => {
    [source, folding, target, bench] = await Promise.all([
      startMariadb(['--plugin-load-add=ha_archive', '--plugin-load-add=ha_blackhole']),
      startMariadb(['--lower-case-table-names=1']),
      startMariadb(['--log-bin=log', '--server-id=1']),
      archiveBench(),
    ]);
  });

  afterEach(async () => {
    for (const server of [source, folding, target]) {
      const names = (await server.sql('SHOW DATABASES')).split('\n').filter(Boolean);
      const own = names.filter((name) => !/^(mysql|sys|information_schema|performance_schema)$/.test(name));
      await server.sql(own.map((name) => `DROP DATABASE \`${name.replaceAll('`', '``')}\`;`).join(' '));
    }
  });
  afterAll(async () => {
    await Promise.all([source.stop(), folding.stop(), target.stop(), bench.remove()]);
  });

  async function backup(statements: string, from: MariadbServer = source, databases: readonly string[] | null = null) {
    await from.sql(statements);
    return takeBackup(await bench.backup(engine, from.connection({ databases })));
  }

  async function restore(taken: TakenBackup, to: ServiceConnection): Promise<RestoredBackup> {
    const tool = { started: false };
    try {
      const restored = await restoreBackup({
        ...{ restoreId: 'this restore', engine, target: to, storage: bench.storage, backup: taken },
        ...{ workFolder: await bench.workFolder(), signal: new AbortController().signal, stallTimeoutMs: 60_000 },
        onPhase: () => Promise.resolve(),
        onProgress: () => undefined,
        onToolStarting: () => {
          tool.started = true;
          return Promise.resolve();
        },
      });
      return restored;
    } catch (error) {
      if (tool.started)
        throw new Error(`It was refused only after the tool had started: ${String(error)}`, { cause: error });
      throw error;
    }
  }

  /** Runs the statements of a hint, as a person would copy them. */
  async function follow(error: unknown, on: MariadbServer): Promise<void> {
    const { help } = error as { help: string };
    const statements = help.match(/\b(?:SET GLOBAL|GRANT|CREATE USER|INSTALL SONAME) [^;]*;/g) ?? [];
    expect(statements).not.toEqual([]);
    await on.sql(statements.join('\n'));
  }

  const unfit = (message: RegExp, help: RegExp) => ({
    ...{ code: 'TARGET_UNFIT', retriable: false },
    ...{ message: expect.stringMatching(message), help: expect.stringMatching(help) },
  });

  test.each([
    ['tables', 'CREATE DATABASE d; CREATE TABLE d.T (a INT); CREATE TABLE d.t (a INT);', /d\.T and d\.t/],
    [
      'a table and a view',
      'CREATE DATABASE d; CREATE TABLE d.T (a INT); CREATE VIEW d.t AS SELECT 1 AS a;',
      /d\.T and d\.t/,
    ],
    ['a table and a sequence', 'CREATE DATABASE d; CREATE TABLE d.T (a INT); CREATE SEQUENCE d.t;', /d\.T and d\.t/],
    [
      'databases',
      'CREATE DATABASE C03c; CREATE DATABASE c03c; CREATE TABLE C03c.a (a INT);',
      /C03c and c03c|c03c and C03c/,
    ],
    [
      'tables with umlauts',
      'CREATE DATABASE d; CREATE TABLE d.`Ö` (a INT); CREATE TABLE d.`ö` (a INT);',
      /d\.Ö and d\.ö/,
    ],
    [
      'triggers',
      `CREATE DATABASE d; CREATE TABLE d.a (a INT); CREATE TRIGGER d.G BEFORE INSERT ON d.a FOR EACH ROW SET @x = 1;
       CREATE TRIGGER d.g AFTER INSERT ON d.a FOR EACH ROW SET @x = 1;`,
      /d\.G and d\.g/,
    ],
  ])('is refused if it treats %s as one name', async (_what, statements, names) => {
    const taken = await backup(statements);
    await expect(restore(taken, folding.connection())).rejects.toMatchObject(
      unfit(names, /lower_case_table_names=0.*rename one name of each pair/),
    );
    const left = await folding.sql("SHOW DATABASES LIKE '%d'; SHOW DATABASES LIKE 'c03c';");
    expect(left).toBe('');
  });

  test('is refused if its pages are too small for the keys of the backup', async () => {
    const small = await startMariadb(['--innodb-page-size=4096']);
    try {
      const fitting =
        await backup(`CREATE DATABASE d; USE d; CREATE TABLE fits (a VARCHAR(192), KEY k (a)) CHARACTER SET utf8mb4;
          CREATE TABLE p (a VARCHAR(300) CHARACTER SET utf8mb4, KEY k (a(192)), FULLTEXT KEY f (a));`);
      expect((await restore(fitting, small.connection())).differences).toEqual([]);
      const taken = await backup(
        'USE d; CREATE TABLE t (a VARCHAR(150), b VARCHAR(60) CHARACTER SET latin1, c VARCHAR(109) CHARACTER SET latin1, UNIQUE KEY k (a, b, c)) CHARACTER SET utf8mb4;',
      );
      await small.sql('DROP DATABASE d');
      await expect(restore(taken, small.connection())).rejects.toMatchObject(
        unfit(
          /at most 768 bytes \(innodb_page_size is 4096\).* up to 769 bytes \(error 1071\): 'd\.t\.k'\./,
          /innodb_page_size of 16384/,
        ),
      );
    } finally {
      await small.stop();
    }
  });

  test('is accepted if names differ in more than their letter case, and the restore is compared in full', async () => {
    const taken = await backup(
      `CREATE DATABASE Dock; USE Dock; CREATE TABLE Ships (Id INT PRIMARY KEY); CREATE SEQUENCE Numbers;
       CREATE TABLE Berths (Ship INT, n INT DEFAULT NEXTVAL(Numbers), CONSTRAINT Moored FOREIGN KEY (Ship) REFERENCES Ships (Id));
       CREATE VIEW Moorings AS SELECT B.Ship AS s FROM Berths B; CREATE TRIGGER T BEFORE INSERT ON Berths FOR EACH ROW SET NEW.n = 1;`,
    );
    const { differences, warnings } = await restore(taken, folding.connection());
    expect(differences).toEqual([]);
    expect(warnings.join()).not.toMatch(/not compared/);
  });

  test('is refused if it distinguishes letter case and a trigger of the backup spells its table in another case', async () => {
    const statements = `CREATE DATABASE d; USE d; CREATE TABLE T (a INT); CREATE PROCEDURE p() SELECT * FROM T;
      CREATE PROCEDURE fine() SELECT 'T' AS t FROM t;`;
    const routines = await backup(statements, folding);
    const { warnings } = await restore(routines, source.connection());
    expect(warnings).toContainEqual(expect.stringMatching(/fail when they are used.*'d\.p'\.$/));
    await source.sql('DROP DATABASE d');

    const triggers = await backup('USE d; CREATE TRIGGER g BEFORE INSERT ON T FOR EACH ROW SET NEW.a = 1;', folding);
    await expect(restore(triggers, source.connection())).rejects.toMatchObject(
      unfit(/'d\.g'/, /name of the table in lower case/),
    );
    await folding.sql('USE d; DROP TRIGGER g; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1;');
    expect((await restore(await backup('', folding), source.connection())).differences).toEqual([]);
  });

  test.each(['ARCHIVE', 'BLACKHOLE'])(
    'is refused if it lacks the engine %s, and is accepted after the user follows the hint',
    async (name) => {
      const taken = await backup(
        `CREATE DATABASE d; CREATE TABLE d.t (a INT) ENGINE=${name}; CREATE TABLE d.u (a INT);`,
      );
      const refused: unknown = await restore(taken, target.connection()).catch((error: unknown) => error);
      expect(refused).toMatchObject(unfit(new RegExp(`${name}.*'d\\.t'`), /INSTALL SONAME/));
      await follow(refused, target);
      await restore(taken, target.connection());
      expect(
        await target.sql("SELECT engine FROM information_schema.tables WHERE table_schema = 'd' AND table_name = 't'"),
      ).toBe(`${name}\n`);
      await target.sql(`DROP DATABASE d; UNINSTALL SONAME 'ha_${name.toLowerCase()}';`);
    },
  );

  test.each([
    [
      'wants a primary key',
      'innodb_force_primary_key=ON',
      'innodb_force_primary_key=OFF',
      'CREATE DATABASE d; CREATE TABLE d.t (a INT);',
    ],
  ])(
    'is refused if it %s, and is accepted after the user follows the hint',
    async (_what, setting, undone, statements) => {
      const taken = await backup(statements);
      await target.sql(`SET GLOBAL ${setting}`);
      try {
        const refused: unknown = await restore(taken, target.connection()).catch((error: unknown) => error);
        expect(refused).toMatchObject(unfit(/'d\.t'/, /SET GLOBAL/));
        await follow(refused, target);
        expect((await restore(taken, target.connection())).differences).toEqual([]);
      } finally {
        await target.sql(`SET GLOBAL ${undone}`);
      }
    },
  );

  test('is refused if its binary log forbids a function of the backup, and is accepted after the user follows the hint', async () => {
    const taken = await backup(
      `CREATE DATABASE d; CREATE FUNCTION d.dice() RETURNS INT RETURN 1 + 6 * RAND();
       CREATE FUNCTION d.six() RETURNS INT DETERMINISTIC RETURN 6;`,
    );
    const refused: unknown = await restore(taken, target.connection()).catch((error: unknown) => error);
    expect(refused).toMatchObject(unfit(/1418.*: 'd\.dice'\.$/, /log_bin_trust_function_creators=1/));
    await follow(refused, target);
    expect((await restore(taken, target.connection())).differences).toEqual([]);
    await target.sql('SET GLOBAL log_bin_trust_function_creators=0');
  });

  test.each([
    ['a trigger', 'CREATE TRIGGER d.g BEFORE INSERT ON d.t FOR EACH ROW SET NEW.a = 1;', /SUPER on \*\.\*/],
    ['a deterministic function', 'CREATE FUNCTION d.f() RETURNS INT DETERMINISTIC RETURN 6;', /SUPER on \*\.\*/],
    ['an object of another definer', 'CREATE DEFINER=stowage@`%` VIEW d.v AS SELECT 1 AS a;', /SET USER on \*\.\*/],
  ])(
    'is refused if the user lacks the privilege for %s, and is accepted after it is granted',
    async (_what, statement, lacking) => {
      const taken = await backup(
        `CREATE DATABASE d; CREATE TABLE d.t (a INT); ${statement.replace('CREATE TRIGGER', 'CREATE DEFINER=plain@`%` TRIGGER').replace('CREATE FUNCTION', 'CREATE DEFINER=plain@`%` FUNCTION')}`,
      );
      await target.sql("CREATE OR REPLACE USER plain@'%' IDENTIFIED BY 'p'; GRANT ALL ON d.* TO plain@'%';");
      const plain = target.connection({ username: 'plain', password: new Secret('p') });
      const refused: unknown = await restore(taken, plain).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'SERVICE_PRIVILEGE', message: expect.stringMatching(lacking) });
      await follow(refused, target);
      expect((await restore(taken, plain)).differences).toEqual([]);
    },
  );

  test('is refused if a view cannot be created because a definer is missing, and is accepted after the user follows the hint', async () => {
    const taken = await backup(
      `CREATE DATABASE d; CREATE TABLE d.t (a INT); CREATE OR REPLACE USER 'de''finer'@'%'; GRANT SELECT ON d.* TO 'de''finer'@'%';
       CREATE DEFINER='de''finer'@'%' VIEW d.v1 AS SELECT a FROM d.t; CREATE VIEW d.v2 AS SELECT a FROM d.v1;`,
    );
    const refused: unknown = await restore(taken, target.connection()).catch((error: unknown) => error);
    expect(refused).toMatchObject(
      unfit(/1449.*'d\.v2'.*Missing: 'de'finer@%'/, /CREATE USER 'de''finer'@'%' ACCOUNT LOCK;/),
    );
    // The target is still refused when only half of the hint was followed.
    await target.sql("CREATE USER 'de''finer'@'%'");
    await expect(restore(taken, target.connection())).rejects.toMatchObject(
      unfit(/1356.*'d\.v2'/, /^Run on the target: GRANT SELECT, EXECUTE ON `d`\.\* TO 'de''finer'@'%';$/),
    );
    await target.sql("DROP USER 'de''finer'@'%'");
    await follow(refused, target);
    expect((await restore(taken, target.connection())).differences).toEqual([]);
    await target.sql("DROP USER 'de''finer'@'%'");
  });

  test('is accepted with a warning if a definer is missing but everything can be created', async () => {
    const taken = await backup(
      `CREATE DATABASE d; CREATE TABLE d.t (a INT); CREATE OR REPLACE USER gone@'%'; GRANT SELECT ON d.* TO gone@'%';
       CREATE DEFINER=gone@'%' VIEW d.v2 AS SELECT a FROM d.t; CREATE VIEW d.v1 AS SELECT a FROM d.v2;
       CREATE DEFINER=gone@'%' SQL SECURITY INVOKER VIEW d.v0 AS SELECT a FROM d.t;`,
    );
    const { warnings } = await restore(taken, target.connection());
    expect(warnings).toContainEqual(expect.stringMatching(/^Definers that do not exist on the target: gone@%/));
  });

  test.each([
    [
      'views read',
      'CREATE DATABASE far; CREATE DATABASE near; CREATE TABLE far.t (a INT); CREATE VIEW near.v AS SELECT a FROM far.t;',
      'CREATE DATABASE far; CREATE TABLE far.t (a INT);',
      /'near\.v'\. Missing: 'far'/,
    ],
    [
      'defaults of columns use a sequence of',
      'CREATE DATABASE far; CREATE DATABASE near; CREATE SEQUENCE far.s; CREATE TABLE near.t (a INT DEFAULT NEXTVAL(far.s));',
      'CREATE DATABASE far; CREATE SEQUENCE far.s;',
      /sequence 'far\.s'.*'near\.t'/,
    ],
  ])(
    'is refused if %s a database that exists neither there nor in the backup',
    async (_what, statements, there, names) => {
      const taken = await backup(statements, source, ['near']);
      expect(taken.warnings).toContainEqual(expect.stringMatching(/near\.[vt]\b/));
      await expect(restore(taken, target.connection())).rejects.toMatchObject(
        unfit(names, /back up all of them together/),
      );
      await target.sql(there);
      expect((await restore(taken, target.connection())).differences).toEqual([]);
    },
  );

  test('is refused if it accepts no statement of that length, and is accepted after the user follows the hint', async () => {
    const taken = await backup(
      "CREATE DATABASE d; CREATE TABLE d.t (a LONGTEXT); INSERT INTO d.t VALUES (REPEAT('x', 3000000));",
    );
    await target.sql('SET GLOBAL max_allowed_packet=2097152');
    try {
      const refused: unknown = await restore(taken, target.connection()).catch((error: unknown) => error);
      expect(refused).toMatchObject(
        unfit(/has 30000\d\d bytes, and the target accepts at most 2097152/, /^Run on the target: /),
      );
      await follow(refused, target);
      expect((await restore(taken, target.connection())).differences).toEqual([]);
    } finally {
      await target.sql('SET GLOBAL max_allowed_packet=67108864');
    }
  });

  test('is compared in full with views that a server stores in another form than it shows', async () => {
    const taken = await backup(
      `CREATE DATABASE d; USE d; CREATE TABLE t (a INT, j JSON); CREATE TABLE u (a INT);
       CREATE VIEW commas AS SELECT t.a FROM t, u WHERE t.a = u.a AND (t.a = 1 OR u.a = 2);
       CREATE VIEW of_json AS SELECT x.y FROM t, JSON_TABLE(t.j, '$[*]' COLUMNS (y INT PATH '$')) x;`,
    );
    const { differences, warnings } = await restore(taken, target.connection());
    expect(differences).toEqual([]);
    expect(warnings.join()).not.toMatch(/compared/);
  });

  test('accepts tables with options that their storage engine ignores; a warning of the backup names them', async () => {
    const taken = await backup(
      `CREATE DATABASE d; USE d; CREATE TABLE p (a INT) PAGE_COMPRESSED=1; ALTER TABLE p ENGINE=MyISAM;
       SET sql_mode = 'IGNORE_BAD_TABLE_OPTIONS'; CREATE TABLE t (a INT x='1', KEY k (a) y='it''s') z=5;`,
    );
    expect(taken.warnings).toContainEqual(expect.stringMatching(/storage engine ignores them: d\.p, d\.t\.$/));
    expect((await restore(taken, target.connection())).differences).toEqual([]);
  });

  test('that lacks the folder of a DATA DIRECTORY gets a warning, and the failure states what to do', async () => {
    const folder = join(source.folder, 'elsewhere');
    const make = (owner: MariadbServer) => {
      mkdirSync(folder);
      const { uid, gid } = statSync(join(owner.folder, 'data'));
      chownSync(folder, uid, gid);
    };
    make(source);
    const taken = await backup(
      `CREATE DATABASE d; CREATE TABLE d.t (a INT) ENGINE=MyISAM DATA DIRECTORY='${folder}'; INSERT INTO d.t VALUES (1);`,
      source,
      ['d'],
    );
    expect(taken.warnings.join()).toContain(`d.t (${folder}`);
    await source.sql('DROP DATABASE d');
    rmSync(folder, { recursive: true });
    const input = {
      restoreId: 'this restore',
      engine,
      target: target.connection(),
      storage: bench.storage,
      backup: taken,
    };
    const attempt = async () =>
      restoreBackup({
        ...{
          ...input,
          workFolder: await bench.workFolder(),
          signal: new AbortController().signal,
          stallTimeoutMs: 60_000,
        },
        ...{ onPhase: () => Promise.resolve(), onProgress: () => undefined, onToolStarting: () => Promise.resolve() },
      });
    await expect(attempt()).rejects.toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining(folder),
      help: expect.stringMatching(/create that folder on the target, and make it writable/),
    });
    await target.sql('DROP DATABASE IF EXISTS d');
    make(target);
    expect((await attempt()).differences).toEqual([]);
    await target.sql('DROP DATABASE d');
    rmSync(folder, { recursive: true });
  });

  describe('that gets 90 MB of BLOBs', () => {
    /** Ten rows of 9 MB and one row of 1 byte, in a table of more than 64 MiB. */
    const blobs = (kilobyte: string) => `CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB);
      INSERT INTO d.t SELECT seq, REPEAT(${kilobyte}, 9000) FROM seq_1_to_10; INSERT INTO d.t VALUES (11, 'x');`;
    const digest = (server: MariadbServer) =>
      server.sql('SELECT id, LENGTH(b), SHA2(b, 256) FROM d.t ORDER BY id; SELECT COUNT(*) FROM d.t;');
    const sixteenMebibytes = 'SET GLOBAL max_allowed_packet=16777216';
    afterEach(async () => {
      for (const server of [source, target]) await server.sql('SET GLOBAL max_allowed_packet=67108864');
    });

    test('accepts each of them if its packets are larger, and holds every byte', async () => {
      const taken = await backup(blobs('RANDOM_BYTES(1000)'));
      await target.sql(sixteenMebibytes);
      expect((await restore(taken, target.connection())).differences).toEqual([]);
      expect(await digest(target)).toBe(await digest(source));
    });

    test('is refused if the escaped bytes are larger than its packets, and accepts them after the user follows the hint', async () => {
      const taken = await backup(blobs('REPEAT("\'", 1000)'));
      await target.sql(sixteenMebibytes);
      const refused: unknown = await restore(taken, target.connection()).catch((error: unknown) => error);
      expect(refused).toMatchObject(
        unfit(/has 180000\d\d bytes, and the target accepts at most 16777216/, /^Run on the target: SET GLOBAL/),
      );
      await follow(refused, target);
      expect((await restore(taken, target.connection())).differences).toEqual([]);
      expect(await digest(target)).toBe(await digest(source));
    });

    test('holds every byte of a source whose packets have become smaller than a row', async () => {
      await source.sql(blobs('RANDOM_BYTES(1000)'));
      await source.sql('SET GLOBAL max_allowed_packet=1048576');
      const taken = await backup('DO 0');
      expect((await restore(taken, target.connection())).differences).toEqual([]);
      await source.sql('SET GLOBAL max_allowed_packet=67108864');
      expect(await digest(target)).toBe(await digest(source));
    });
  });

  test('accepts a table whose rows are larger than innodb_strict_mode allows', async () => {
    const columns = Array.from({ length: 110 }, (_, index) => `c${index} VARCHAR(100)`).join(', ');
    const taken = await backup(
      `CREATE DATABASE d; SET innodb_strict_mode=OFF; CREATE TABLE d.t (${columns}) CHARACTER SET utf8mb4 ROW_FORMAT=DYNAMIC;
       INSERT INTO d.t (c0) VALUES ('x');`,
    );
    await target.sql('SET GLOBAL innodb_strict_mode=ON');
    expect((await restore(taken, target.connection())).differences).toEqual([]);
  });

  test('gets another message than a target that was altered while it was restored', async () => {
    const taken = await backup('CREATE DATABASE d; CREATE TABLE d.t (a INT DEFAULT 7, b INT);');
    const [database] = taken.inventory.databases;
    const [table] = database!.tables;
    const definition = {
      hash: 'b'.repeat(64),
      parts: { ...table!.definition?.parts, 'column a': 'int(11) DEFAULT 8' },
    };
    const inventory = { ...taken.inventory, databases: [{ ...database!, tables: [{ ...table!, definition }] }] };
    const failure: unknown = await restore({ ...taken, inventory }, target.connection()).catch(
      (error: unknown) => (error as Error).cause,
    );
    expect(failure).toMatchObject({
      message: expect.stringContaining(
        "the column 'a' of the table 'd.t' is int(11) DEFAULT 7 instead of int(11) DEFAULT 8",
      ),
      differences: [{ path: 'd.tables.t.column a', expected: 'int(11) DEFAULT 8', actual: 'int(11) DEFAULT 7' }],
    });
  });
});
