import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preflightOf, restoreDump, takeDump } from '../../../../test/fixtures/dumpAndRestore.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb } from '../../../../test/fixtures/servers/mariadb.js';
import { mysqlHome, mysqlMissing, startMysql } from '../../../../test/fixtures/servers/mysql.js';
import type { FamilyServer } from '../../../../test/fixtures/servers/familyServer.js';
import type { EngineContext } from '../../engineContext.js';
import type { Engine } from '../../engine.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';
import { createMysqlEngine } from '../../mysql/mysqlEngine.js';

jest.setTimeout(120_000);

const columns: readonly (readonly [what: string, column: string, rows: string])[] = [
  ['members of an ENUM', "ENUM('ä', '😀', 'a?', '🐬''\\\\')", "('ä'), ('😀'), ('a?'), ('🐬''\\\\'), (NULL)"],
  [
    'members of an ENUM that are shown alike',
    "ENUM('😀', '🐬') COLLATE utf8mb4_bin NOT NULL COMMENT 'a '' DEFAULT ''?'",
    "('🐬'), ('😀')",
  ],
  ['members of a SET', "SET('😀', 'b', '🐬') COLLATE utf8mb4_bin", "('b,🐬'), ('😀,🐬'), ('')"],
  ['members in UTF-16', "ENUM('a', '😀') CHARACTER SET utf16 COLLATE utf16_bin", "('😀'), ('a')"],
];

type Kind = {
  readonly missing: string | undefined;
  readonly start: () => Promise<FamilyServer>;
  readonly engine: () => Engine;
};
const kinds: Readonly<Record<string, Kind>> = {
  MariaDB: { missing: mariadbMissing, start: () => startMariadb(), engine: () => createMariadbEngine() },
  MySQL: {
    missing: mysqlMissing,
    start: () => startMysql(),
    engine: () => createMysqlEngine({ tools: { folders: [join(mysqlHome, 'bin')] } }),
  },
};

for (const [product, { missing, start, engine: create }] of Object.entries(kinds)) {
  describeWith({ [product.toLowerCase()]: missing }, `Characters that ${product} shows as '?' are restored`, () => {
    const engine = create();
    let folder: string;
    let server: FamilyServer;
    const context = (): EngineContext => ({ workFolder: folder, signal: new AbortController().signal });
    const connection = () => server.connection({ databases: ['wide'] });
    const sql = (statements: string) =>
      server.sql(
        `SET NAMES utf8mb4; CREATE DATABASE IF NOT EXISTS wide CHARACTER SET utf8mb4; USE wide; ${statements}`,
      );
    const restored = async () => {
      const taken = await takeDump(engine, connection(), context());
      expect(taken.failure).toBeNull();
      await server.sql('DROP DATABASE wide');
      await restoreDump(engine, connection(), taken, context());
      return taken.report.warnings;
    };

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stowage-wide-'));
      server = await start();
    });
    afterAll(async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    });

    test.each(columns)('in %s', async (_what, column, rows) => {
      await sql(`DROP DATABASE wide; CREATE DATABASE wide CHARACTER SET utf8mb4; USE wide;
        CREATE TABLE t (v ${column}); INSERT INTO t VALUES ${rows};`);
      const values = () => sql('SELECT v, HEX(v), v + 0 FROM t');
      const before = await values();
      const warnings = await restored();
      expect(await values()).toBe(before);
      expect(warnings.filter((warning) => warning.includes('wide.t'))).toEqual([]);
    });

    test('in defaults, also of a table without rows', async () => {
      await sql(`DROP DATABASE wide; CREATE DATABASE wide CHARACTER SET utf8mb4; USE wide;
        CREATE TABLE t (id INT, a VARCHAR(9) DEFAULT '😀''', b CHAR(3) CHARACTER SET utf16 DEFAULT '?🐬', c VARCHAR(3) DEFAULT '?');
        CREATE TABLE n (id INT, v VARCHAR(9) NOT NULL DEFAULT '😀' COMMENT 'a''?'); INSERT INTO n () VALUES ();`);
      await restored();
      await sql('INSERT INTO t (id) VALUES (1); INSERT INTO n () VALUES ()');
      expect(await sql('SELECT v FROM n')).toBe('😀\n😀\n');
      expect(await sql('SELECT a, CONVERT(b USING utf8mb4), c FROM t')).toBe("😀'\t?🐬\t?\n");
    });

    test('but not in a member that no row has: a warning names its column', async () => {
      await sql(`DROP DATABASE wide; CREATE DATABASE wide CHARACTER SET utf8mb4; USE wide;
        CREATE TABLE t (v ENUM('a', '😀'), w ENUM('b', '?'), x ENUM('a', '?') CHARACTER SET latin1); INSERT INTO t (w) VALUES ('?');
        CREATE TABLE n (v VARCHAR(9) NOT NULL DEFAULT '😀');`);
      const { warnings } = await preflightOf(engine, connection(), context());
      expect(warnings.filter((warning) => warning.includes('wide.t'))).toEqual([
        expect.stringMatching(/shows a character .* as '\?'.*: wide\.t\.v\.$/),
      ]);
      // MySQL shows the bytes of such a default.
      const ofDefault = warnings.filter((warning) => warning.endsWith(': wide.n.v.'));
      expect(ofDefault).toHaveLength(product === 'MySQL' ? 0 : 1);
    });

    test('but not in a CHECK: a warning names it on a server that shows another one', async () => {
      await sql(`DROP DATABASE wide; CREATE DATABASE wide CHARACTER SET utf8mb4; USE wide;
        CREATE TABLE t (v VARCHAR(9) COMMENT '?', CONSTRAINT no_face CHECK (v <> '😀'), CONSTRAINT no_a CHECK (v <> 'a'));
        CREATE TABLE narrow (v VARCHAR(9) CHARACTER SET latin1, CONSTRAINT no_mark CHECK (v <> '?'));`);
      const { warnings } = await preflightOf(engine, connection(), context());
      const named = warnings.filter((warning) => /CHECKs and default expressions/.test(warning));
      expect(named).toEqual(product === 'MySQL' ? [expect.stringMatching(/: check no_face of wide\.t\.$/)] : []);
    });

    test('but not in the expression of a generated column: a warning names the column if the server shows another one', async () => {
      await sql(`DROP DATABASE wide; CREATE DATABASE wide CHARACTER SET utf8mb4; USE wide;
        CREATE TABLE t (a INT, v VARCHAR(9) AS (CONCAT('😀', a)) STORED, w VARCHAR(9) AS (CONCAT('?', a)));
        INSERT INTO t (a) VALUES (1);`);
      const { warnings } = await preflightOf(engine, connection(), context());
      const named = warnings.filter((warning) => /generated columns/.test(warning));
      expect(named).toEqual(product === 'MySQL' ? [expect.stringMatching(/: wide\.t\.v\.$/)] : []);
    });
  });
}

describeWith({ mysql: mysqlMissing }, 'The default of an ENUM that MySQL shows as bytes', () => {
  test('is refused, and the backup succeeds after the user follows the hint', async () => {
    const server = await startMysql();
    const folder = await mkdtemp(join(tmpdir(), 'stowage-wide-'));
    try {
      const engine = createMysqlEngine({ tools: { folders: [join(mysqlHome, 'bin')] } });
      const context = (): EngineContext => ({ workFolder: folder, signal: new AbortController().signal });
      const connection = server.connection({ databases: ['wide'] });
      await server.sql(`SET NAMES utf8mb4; CREATE DATABASE wide CHARACTER SET utf8mb4; USE wide;
        CREATE TABLE t (id INT, v ENUM('a', '😀') DEFAULT '😀'); INSERT INTO t (id) VALUES (1);`);
      const refused = await preflightOf(engine, connection, context()).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'TOOL_FAILED', message: expect.stringMatching(/wide\.t.*'v'/) });
      await server.sql('ALTER TABLE `wide`.`t` ALTER `v` DROP DEFAULT;');
      const taken = await takeDump(engine, connection, context());
      await server.sql('DROP DATABASE wide');
      await restoreDump(engine, connection, taken, context());
      expect(await server.sql('SELECT v FROM wide.t')).toBe('😀\n');
    } finally {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describeWith({ mariadb: mariadbMissing }, 'Characters that MariaDB shows as "?" in other tables', () => {
  test('are refused in a column of a foreign key, and restored in every other kind of table', async () => {
    const server = await startMariadb();
    const folder = await mkdtemp(join(tmpdir(), 'stowage-wide-'));
    try {
      const engine = createMariadbEngine();
      const context = (): EngineContext => ({ workFolder: folder, signal: new AbortController().signal });
      const connection = server.connection({ databases: ['wide'] });
      const tables = ['k', 'x', 'm', "`we'ird ``☃`"];
      await server.sql(`SET NAMES utf8mb4; CREATE DATABASE wide CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; USE wide;
        CREATE TABLE p (e ENUM('a', '😀') NOT NULL PRIMARY KEY); INSERT INTO p VALUES ('😀');
        CREATE TABLE c (e ENUM('a', '😀'), KEY (e), FOREIGN KEY (e) REFERENCES p (e)); INSERT INTO c VALUES ('😀');
        CREATE TABLE k (f ENUM('a', '😀', '🐬'), n INT, PRIMARY KEY (f, n)) PARTITION BY KEY (f) PARTITIONS 3;
        INSERT INTO k VALUES ('😀', 1), ('🐬', 2), ('a', 3);
        CREATE TABLE x (id INT, f ENUM('a', '😀') DEFAULT '😀' COMMENT 'it''s DEFAULT ''?''' CHECK (f <> 'b'), g VARCHAR(9) AS (CONCAT(f, 'x')) STORED,
          v ENUM('a', '😀') AS (f) VIRTUAL, i SET('😀', 'q') INVISIBLE DEFAULT '😀', UNIQUE KEY (f, id));
        INSERT INTO x (id, i) VALUES (1, 'q'), (2, DEFAULT);
        CREATE TABLE m (f ENUM('a', '😀')) ENGINE=MyISAM; INSERT INTO m VALUES ('😀');
        CREATE TABLE \`we'ird \`\`☃\` (\`f?\` ENUM('?', '😀', 'ok?')); INSERT INTO \`we'ird \`\`☃\` VALUES ('?'), ('😀'), ('ok?');`);
      const refused = await preflightOf(engine, connection, context()).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'TOOL_FAILED', message: expect.stringMatching(/wide\.[cp] .*'e'.*1832/) });
      await server.sql('DROP TABLE wide.c, wide.p');
      const all = () =>
        server.sql(`USE wide; ${tables.map((table) => `SELECT * FROM ${table};`).join(' ')} SELECT id, i FROM x`);
      const before = await all();
      const taken = await takeDump(engine, connection, context());
      await server.sql('DROP DATABASE wide');
      await restoreDump(engine, connection, taken, context());
      expect(await all()).toBe(before);
    } finally {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('are restored in a table with history, and in the default of an ENUM', async () => {
    const server = await startMariadb();
    const folder = await mkdtemp(join(tmpdir(), 'stowage-wide-'));
    try {
      const context = (): EngineContext => ({ workFolder: folder, signal: new AbortController().signal });
      const connection = server.connection({ databases: ['wide'] });
      await server.sql(`SET NAMES utf8mb4; CREATE DATABASE wide CHARACTER SET utf8mb4; USE wide;
        CREATE TABLE t (id INT, v ENUM('a', '😀', '🐬') COLLATE utf8mb4_bin DEFAULT '🐬', w VARCHAR(9) DEFAULT '😀') WITH SYSTEM VERSIONING;
        INSERT INTO t VALUES (1, '😀', 'x'); UPDATE t SET v = 'a';`);
      const all = () => server.sql('SELECT id, v, v + 0, w FROM wide.t FOR SYSTEM_TIME ALL ORDER BY v');
      const before = await all();
      const engine = createMariadbEngine();
      const taken = await takeDump(engine, connection, context());
      await server.sql('DROP DATABASE wide');
      await restoreDump(engine, connection, taken, context());
      expect(await all()).toBe(before);
      await server.sql('INSERT INTO wide.t (id) VALUES (2)');
      expect(await server.sql('SELECT v, w FROM wide.t WHERE id = 2')).toBe('🐬\t😀\n');
    } finally {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
