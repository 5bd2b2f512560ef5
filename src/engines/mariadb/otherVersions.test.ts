import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { preflightOf } from '../../../test/fixtures/dumpAndRestore.js';
import { archiveBench, type ArchiveBench } from '../../../test/fixtures/archive.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { mariadbHome, mariadbVersionsMissing } from '../../../test/fixtures/servers/mariadbVersions.js';
import type { RestoredBackup, TakenBackup } from '../../archive/archive.js';
import { restoreBackup } from '../../archive/restoreBackup.js';
import { takeBackup } from '../../archive/takeBackup.js';
import { Secret } from '../../secret.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { createMariadbEngine } from './mariadbEngine.js';

const engine = createMariadbEngine();
const missing = { mariadb: mariadbMissing, 'mariadb-versions': mariadbVersionsMissing };

describeWith(missing, 'A target', () => {
  let old: MariadbServer;
  let recent: MariadbServer;
  let bench: ArchiveBench;

  beforeAll(async () => {
    const logging = ['--log-bin=log', '--server-id=1'];
    [old, recent, bench] = await Promise.all([
      startMariadb(logging, mariadbHome('10.2.11')),
      startMariadb(logging, mariadbHome('11.4.5')),
      archiveBench(),
    ]);
  });
  afterEach(() => Promise.all([old, recent].map((server) => server.sql('DROP DATABASE IF EXISTS d'))));
  afterAll(async () => {
    await Promise.all([old.stop(), recent.stop(), bench.remove()]);
  });

  async function backup(from: MariadbServer, statements: string): Promise<TakenBackup> {
    await from.sql(`CREATE DATABASE d; USE d; ${statements}`);
    const taken = await takeBackup(await bench.backup(engine, from.connection({ databases: ['d'] })));
    await from.sql('DROP DATABASE d');
    return taken;
  }

  test('A source of an old version shows other characters in CHECKs and default expressions, which a warning names', async () => {
    const { warnings } = await backup(
      old,
      `SET NAMES utf8mb4; CREATE TABLE t (v VARCHAR(9) DEFAULT concat('😀', 'a') COMMENT '?', w VARCHAR(9) DEFAULT '?' CHECK (w <> '🐬'),
         CONSTRAINT no_face CHECK (v <> '😀')) CHARACTER SET utf8mb4`,
    );
    expect(warnings.filter((warning) => /CHECKs and default expressions/.test(warning))).toEqual([
      expect.stringMatching(/: column v of d\.t, column w of d\.t, check no_face of d\.t\.$/),
    ]);
  });

  async function restore(taken: TakenBackup, target: ServiceConnection): Promise<RestoredBackup> {
    return restoreBackup({
      ...{ restoreId: 'this restore', engine, target, storage: bench.storage, backup: taken },
      ...{ workFolder: await bench.workFolder(), signal: new AbortController().signal, stallTimeoutMs: 60_000 },
      onPhase: () => Promise.resolve(),
      onProgress: () => undefined,
      onToolStarting: () => Promise.resolve(),
    });
  }

  test.each([
    [
      'a column type',
      'CREATE TABLE t (a UUID)',
      /the column type uuid\. MariaDB has supported this since 10\.7.*'d\.t\.a'/,
    ],
    ['another column type', 'CREATE TABLE t (a INET6)', /the column type inet6.*'d\.t\.a'/],
    [
      'a collation',
      'CREATE TABLE t (a TEXT) COLLATE utf8mb4_uca1400_ai_ci',
      /collation 'utf8mb4_uca1400_ai_ci'.*'d\.t\.a'/,
    ],
    ['sequences', 'CREATE SEQUENCE s', /sequences\. MariaDB has supported this since 10\.3.*'d\.s'/],
    ['system versioning', 'CREATE TABLE t (a INT) WITH SYSTEM VERSIONING', /system versioning.*'d\.t'/],
    ['invisible columns', 'CREATE TABLE t (a INT, b INT INVISIBLE)', /invisible columns.*'d\.t\.b'/],
    ['compressed columns', 'CREATE TABLE t (a TEXT COMPRESSED)', /compressed columns.*'d\.t\.a'/],
    ['periods', 'CREATE TABLE t (a DATE, b DATE, PERIOD FOR p (a, b))', /periods.*'d\.t'/],
    ['ignored indexes', 'CREATE TABLE t (a INT, KEY (a) IGNORED)', /ignored indexes.*'d\.t'/],
    ['unique keys of any length', 'CREATE TABLE t (a TEXT, UNIQUE (a))', /unique keys of any length.*'d\.t'/],
    [
      'long unique keys',
      'CREATE TABLE t (a VARCHAR(769) CHARACTER SET utf8mb4, UNIQUE (a))',
      /unique keys of any length.*'d\.t'/,
    ],
  ])('is refused if it does not support %s', async (_what, statement, names) => {
    await recent.sql(`CREATE DATABASE d; USE d; ${statement};`);
    const context = { workFolder: '/nowhere', signal: new AbortController().signal };
    const { inventory } = await preflightOf(engine, recent.connection({ databases: ['d'] }), context);
    await expect(engine.restorePreflight(old.connection(), { inventory }, context)).rejects.toMatchObject({
      ...{ code: 'TARGET_UNFIT', message: expect.stringMatching(names) },
      help: expect.stringMatching(/Restore into a server/),
    });
  });

  test.each([
    [
      'Aria',
      'CREATE TABLE t (a VARCHAR(1001) CHARACTER SET latin1, UNIQUE KEY k (a)) ENGINE=Aria',
      /at most 1000 bytes/,
    ],
    ['InnoDB', 'CREATE TABLE t (a VARCHAR(192) CHARACTER SET utf8mb4, UNIQUE KEY k (a))', /innodb_large_prefix is OFF/],
  ])(
    'is refused if its keys of the engine %s are shorter than those of the backup',
    async (engineName, statement, why) => {
      const taken = await backup(recent, statement);
      await old.sql('SET GLOBAL innodb_large_prefix=OFF');
      try {
        const refused = (await restore(taken, old.connection()).catch((error: unknown) => error)) as { help: string };
        expect(refused).toMatchObject({ code: 'TARGET_UNFIT', message: expect.stringMatching(why) });
        expect(refused).toMatchObject({ message: expect.stringMatching(/\(error 1071\): 'd\.t\.k'\.$/) });
        if (engineName !== 'InnoDB') return;
        await old.sql((refused.help.match(/SET GLOBAL [^;]*;/g) ?? []).join(''));
        expect((await restore(taken, old.connection())).warnings.join()).toContain('compared by names');
        expect(await old.sql('SHOW CREATE TABLE d.t')).toContain('UNIQUE KEY `k` (`a`)\\n');
      } finally {
        await old.sql('SET GLOBAL innodb_large_prefix=ON');
      }
    },
  );

  const plain = `CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20) CHARACTER SET utf8 NOT NULL DEFAULT 'x',
      d DECIMAL(9,2) CHECK (d > 0), KEY (name)) DEFAULT CHARSET=utf8mb4;
    INSERT INTO t (name, d) VALUES ('ä', 1.5); CREATE VIEW v AS SELECT name FROM t;
    CREATE PROCEDURE p(IN a INT, OUT b VARCHAR(9)) SET b = a; CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1;`;

  test.each([
    ['10.2', '11.4', () => [old, recent] as const],
    ['11.4', '10.2', () => [recent, old] as const],
  ] as const)(
    'accepts plain objects from %s into %s, and a warning states that only column names were compared',
    async (from, to, servers) => {
      const [source, target] = servers();
      const { differences, warnings } = await restore(await backup(source, plain), target.connection());
      const relevant = differences.filter(
        ({ path }) => !/^d\.(characterSet|collation|comment)$|\.collation$/.test(path),
      );
      expect(relevant).toEqual([]);
      expect(warnings).toContainEqual(
        `The definitions were compared by names of columns alone: the backup is of a server of ${from}, and the target of ${to}.`,
      );
    },
  );

  test.each([
    ['10.2', () => old],
    ['11.4', () => recent],
  ] as const)(
    'of %s is compared in full with a backup of the same release, and nothing differs',
    async (_release, server) => {
      const parts = `${plain} CREATE TABLE parts (id INT, day DATE, PRIMARY KEY (id, day)) PARTITION BY RANGE (YEAR(day)) (
      PARTITION old VALUES LESS THAN (2000), PARTITION recent VALUES LESS THAN MAXVALUE);
      CREATE TABLE child (id INT, doubled INT AS (id * 2) STORED, FOREIGN KEY (id) REFERENCES t (id) ON DELETE CASCADE) COMMENT 'c';
      CREATE TABLE squeezed (a VARBINARY(20)) ROW_FORMAT=COMPRESSED; CREATE VIEW zero AS SELECT -0e0 AS z, ' -0' AS t;
      CREATE TABLE hashed (a INT, b VARCHAR(20), UNIQUE KEY (a, b) USING HASH, KEY (b) USING HASH) ENGINE=MEMORY;
      CREATE TABLE not_hashed (a INT, b TEXT, UNIQUE KEY (a, b(20)) USING HASH, KEY (a) USING HASH);`;
      const { differences, warnings } = await restore(await backup(server(), parts), server().connection());
      expect(differences).toEqual([]);
      expect(warnings.join()).not.toMatch(/compared/);
    },
  );

  test.each([
    ['10.2', () => old],
    ['11.4', () => recent],
  ] as const)(
    'of %s that writes a binary log accepts functions after the user follows the hint',
    async (_release, server) => {
      const taken = await backup(
        server(),
        'CREATE FUNCTION dice() RETURNS INT RETURN 1 + 6 * RAND();'.replace(
          'CREATE',
          'SET GLOBAL log_bin_trust_function_creators=1; CREATE',
        ),
      );
      await server().sql('SET GLOBAL log_bin_trust_function_creators=0');
      const refused = (await restore(taken, server().connection()).catch((error: unknown) => error)) as {
        help: string;
      };
      expect(refused).toMatchObject({ code: 'TARGET_UNFIT', message: expect.stringContaining('1418') });
      await server().sql(/SET GLOBAL [^;]*;/.exec(refused.help)?.[0] ?? '');
      expect((await restore(taken, server().connection())).differences).toEqual([]);
      await server().sql('SET GLOBAL log_bin_trust_function_creators=0');
    },
  );

  test.each([
    ['10.2', 'nothing', '', 'SUPER', () => old],
    ['11.4', 'SUPER, which no longer includes it', 'GRANT SUPER ON *.* TO plain@`%`;', 'SET USER', () => recent],
  ] as const)(
    'of %s names the privilege for objects of other definers for a user with %s',
    async (_release, _held, grant, needed, server) => {
      const taken = await backup(server(), 'CREATE DEFINER=root@localhost VIEW v AS SELECT 1 AS a;');
      await server().sql(
        `DROP USER IF EXISTS plain@'%'; CREATE USER plain@'%' IDENTIFIED BY 'p'; GRANT ALL ON d.* TO plain@'%'; ${grant}`,
      );
      const connection = server().connection({ username: 'plain', password: new Secret('p') });
      const refused = (await restore(taken, connection).catch((error: unknown) => error)) as { help: string };
      expect(refused).toMatchObject({
        code: 'SERVICE_PRIVILEGE',
        help: `Run on the server: GRANT ${needed} ON *.* TO 'plain'@'%';`,
      });
      await server().sql(refused.help.replace('Run on the server: ', ''));
      expect((await restore(taken, connection)).differences).toEqual([]);
    },
  );
});
