import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { bytesOf, preflightOf, startDump, startRestore } from '../../../../test/fixtures/dumpAndRestore.js';
import { everyCharacter } from '../../../../test/fixtures/everyCharacter.js';
import { fingerprint } from '../../../../test/fixtures/mariadbFingerprint.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mariadbHome, mariadbVersionsMissing } from '../../../../test/fixtures/servers/mariadbVersions.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import type { Engine } from '../../engine.js';
import type { Inventory } from '../../inventory.js';
import type { PartSpec } from '../../preflightReport.js';
import type { DumpedTable, DumpEnd } from '../../runningDump.js';
import { restoreByHand } from '../../../archive/restoreByHand.js';
import { usualSteps } from '../../pipeline/storedSteps.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';

/** A dump as it would be stored, and the report of the engine about it. */
type Dumped = Omit<DumpEnd, 'tables'> & {
  readonly tables: readonly DumpedTable[];
  readonly bytes: Buffer;
  readonly part: PartSpec;
  readonly inventory: Inventory;
};

describeWith({ mariadb: mariadbMissing }, 'Every byte comes back', () => {
  const engine = createMariadbEngine();
  let source: MariadbServer;
  let target: MariadbServer;
  let folder: string;
  let restores = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-bytes-'));
    [source, target] = await Promise.all([startMariadb(), startMariadb()]);
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  const context = () => ({ workFolder: folder, signal: new AbortController().signal });

  async function dump(databases: readonly string[], by: Engine = engine): Promise<Dumped> {
    const connection = source.connection({ databases });
    const { report, part, ...running } = await startDump(by, connection, context());
    const bytes = await bytesOf(running.stored);
    const ended = await running.ended;
    expect(ended.failure).toBeNull();
    return { ...ended, tables: ended.tables ?? [], bytes, part, inventory: report.inventory };
  }

  async function restore({ bytes, part, inventory }: Dumped): Promise<void> {
    const running = await startRestore(
      engine,
      target.connection(),
      part,
      { restoreId: String(restores++), inventory },
      context(),
    );
    running.stored.end(bytes);
    expect((await running.ended).failure).toBeNull();
  }

  async function expectSame(databases: readonly string[]): Promise<void> {
    const [was, is] = [await fingerprint(source, databases), await fingerprint(target, databases)];
    expect(Object.keys(was).length).toBeGreaterThan(databases.length);
    expect(is).toEqual(was);
  }

  test.each(['utf8mb4', 'latin1'])(
    'in programs of a %s client whose sql_mode reads quotes in another way',
    async (client) => {
      const database = `modes_${client}`;
      const text = `'x\\ it''s "q" ö\n;'`;
      const programs = (name: string) => `
      CREATE EVENT ${name} ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' COMMENT ${text} DO SELECT '\\', 'ö';
      CREATE PROCEDURE ${name}(a ENUM('\\', 'b'), b INT) COMMENT ${text} SELECT '\\', 'ö';
      CREATE FUNCTION ${name}() RETURNS ENUM('\\', 'ö') DETERMINISTIC COMMENT ${text} RETURN '\\';`;
      const statements = `CREATE DATABASE ${database}; USE ${database}; SET NAMES ${client};
      SET sql_mode = 'NO_BACKSLASH_ESCAPES'; ${programs('plain')}
      SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'; ${programs('"both ""ö"')}
      SET sql_mode = 'ANSI_QUOTES'; CREATE PROCEDURE "the ö"() COMMENT 'ö' SELECT 'ö';`;
      await source.sql(Buffer.from(statements, client === 'latin1' ? 'latin1' : 'utf8'));
      await restore(await dump([database]));
      await expectSame([database]);
    },
  );

  test.each(['utf8mb4', 'latin1'])('in programs that a %s client wrote in the language of Oracle', async (client) => {
    const database = `oracle_${client}`;
    const statements = `CREATE DATABASE ${database}; USE ${database}; SET NAMES ${client}; SET sql_mode = 'ORACLE';
      CREATE TABLE t (a VARCHAR(20));
      CREATE DEFINER="wäx"@"%" EVENT "e ö" ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' COMMENT 'ö' DO SELECT 'ö';
DELIMITER //
CREATE DEFINER="wäx"@"%" PROCEDURE "p ""ö"(a IN VARCHAR2(9)) COMMENT 'ö ''x' AS b VARCHAR2(9) := 'ö'; BEGIN SELECT 'ö', a, "t"."a" FROM "t"; END//
CREATE DEFINER="wäx"@"%" FUNCTION "f ö"(a VARCHAR2) RETURN VARCHAR2 COMMENT 'ö' AS BEGIN RETURN 'ö'; END//
CREATE DEFINER="wäx"@"%" PACKAGE "k ö" COMMENT 'ö' AS PROCEDURE x(a VARCHAR2); END//
CREATE DEFINER="wäx"@"%" PACKAGE BODY "k ö" COMMENT 'ö' AS PROCEDURE x(a VARCHAR2) AS BEGIN SELECT 'ö', a; END; END//
CREATE DEFINER="wäx"@"%" TRIGGER "g ö" BEFORE INSERT ON t FOR EACH ROW BEGIN :NEW.a := 'ö'; END//
DELIMITER ;`;
    await source.sql(Buffer.from(statements, client === 'latin1' ? 'latin1' : 'utf8'));
    await restore(await dump([database]));
    await expectSame([database]);
  });

  test('in sequences, including how often each has restarted', async () => {
    await source.sql(`CREATE DATABASE counting; USE counting; CREATE SEQUENCE plain; CREATE SEQUENCE s MAXVALUE 3 NOCACHE CYCLE;
      CREATE SEQUENCE \`dö\`\`wn\` START 0 INCREMENT -1 MINVALUE -2 MAXVALUE 0 CACHE 2 CYCLE; DO NEXTVAL(plain);
      ${'DO NEXTVAL(s); DO NEXTVAL(`dö``wn`);'.repeat(8)}`);
    const all = 'USE counting; SELECT * FROM plain; SELECT * FROM s; SELECT * FROM `dö``wn`;';
    const before = await source.sql(all);
    expect(before).toMatch(/\t2\n.*\t2\n$/s);
    await restore(await dump(['counting']));
    expect(await target.sql(all)).toBe(before);
    await expectSame(['counting']);
  });

  test('in every character of every character set', async () => {
    await source.sql(`CREATE DATABASE characters; USE characters; SET sql_mode = ''; ${everyCharacter}`);
    const dumped = await dump(['characters']);
    await restore(dumped);
    await expectSame(['characters']);
    expect(dumped.part.characterSet).toBe('binary');
    // The scanner counts the same rows as the server.
    const counted = await source.sql(
      dumped.tables.map(({ name }) => `SELECT '${name}', COUNT(*) FROM characters.${name};`).join('\n'),
    );
    expect(dumped.tables.map(({ name, rows }) => `${name}\t${rows}\n`).join('')).toBe(counted);
    expect(dumped.tables.length).toBeGreaterThan(35);
  });

  test('in definitions, dates that do not exist, generated columns, and rows that violate a CHECK', async () => {
    await source.sql(await readFile('test/fixtures/everyByte.sql', 'utf8'));
    await restore(await dump(['definitions', 'contents']));
    await expectSame(['definitions', 'contents']);
  });

  test('in UUID, INET4 and INET6 columns, beside columns with any text', async () => {
    await source.sql(await readFile('test/fixtures/typedColumns.sql', 'utf8'));
    const dumped = await dump(['typed']);
    await restore(dumped);
    await expectSame(['typed']);
    const rows = Object.fromEntries(dumped.tables.map((table) => [table.name, table.rows]));
    expect(rows).toMatchObject({ alone: 2, mixed: 3, generated: 2, remembered: 2, unicode: 3 });
  });

  test('in views and stored programs that clients of other character sets created', async () => {
    const statements = Object.entries(characters).map(([set, text]) => programs(set, text));
    await source.sql(Buffer.concat([Buffer.from('CREATE DATABASE clients; USE clients;\n'), ...statements]));
    await restore(await dump(['clients']));
    await expectSame(['clients']);

    // The comment has a character that the character set of the client lacks.
    await source.sql("ALTER PROCEDURE clients.`p_nä_latin1` COMMENT 'Ж'");
    const { warnings } = await preflightOf(engine, source.connection({ databases: ['clients'] }), context());
    expect(warnings).toContainEqual(
      expect.stringMatching(/changes characters in names.*: routine clients\.p_nä_latin1\.$/),
    );
  });

  /**
   * Folders in which the client is searched for first. If the oldest supported version is installed, it is one of them.
   */
  const clients = ['/usr/bin', ...(mariadbVersionsMissing === undefined ? [join(mariadbHome('10.2.11'), 'bin')] : [])];

  test.each(clients)(
    'in a restore by hand, which uses only the printed command and the client in %s',
    async (client) => {
      await target.sql('DROP DATABASE IF EXISTS definitions; DROP DATABASE IF EXISTS contents;');
      await source.sql(`CREATE OR REPLACE DATABASE wide; USE wide; SET SESSION innodb_strict_mode = 0;
      CREATE TABLE t (${Array.from({ length: 60 }, (_, n) => `c${n} VARCHAR(200) CHARACTER SET latin1`).join()}) ROW_FORMAT=COMPACT;`);
      await target.sql('DROP DATABASE IF EXISTS wide; SET GLOBAL innodb_strict_mode = 1;');
      const { bytes, part } = await dump(['definitions', 'contents', 'wide']);
      const line = restoreByHand(engine, part, usualSteps, 'cat');
      const shell = spawn('sh', ['-c', `${line} --user=root --socket=${join(target.folder, 's')}`], {
        stdio: 'pipe',
        env: { PATH: `${client}:/usr/bin:/bin` },
      });
      const complaints = buffer(shell.stderr);
      shell.stdin.end(bytes);
      expect((await complaints).toString()).toBe('');
      await expectSame(['definitions', 'contents', 'wide']);
      expect(engine.restoreByHandNeeds).toMatch(/MariaDB 10\.2/);
    },
  );

  test('except in FLOAT, which the dump writes with six digits: a key whose values become equal is refused', async () => {
    await source.sql(`CREATE DATABASE floats; USE floats;
      CREATE TABLE k (a INT, f FLOAT, UNIQUE (a, f)); INSERT INTO k VALUES (1, 16777216), (2, 16777217), (1, NULL), (1, NULL);`);
    const preflight = () => preflightOf(engine, source.connection({ databases: ['floats'] }), context());
    expect((await preflight()).warnings).toContainEqual(expect.stringMatching(/^FLOAT values.*: floats\.k\.f\.$/));
    await source.sql('INSERT INTO floats.k VALUES (1, 16777200)');
    await expect(preflight()).rejects.toMatchObject({
      ...{ code: 'TOOL_FAILED', message: expect.stringMatching(/^A dump of floats\.k cannot be restored.*\(a, f\)/) },
      help: expect.stringContaining('ALTER TABLE `floats`.`k` MODIFY `f` DOUBLE'),
    });
  });

  test('in a dump in utf8mb4 if a table is partitioned by UUID values; the warning names the columns that may lose characters', async () => {
    await source.sql(`CREATE DATABASE partitioned CHARACTER SET utf8mb4; USE partitioned;
      CREATE TABLE p (id UUID, t VARCHAR(9), c VARCHAR(9) CHARACTER SET cp1251) PARTITION BY RANGE COLUMNS (id)
        (PARTITION p1 VALUES LESS THAN ('80000000-0000-0000-0000-000000000000'), PARTITION p2 VALUES LESS THAN (MAXVALUE));
      INSERT INTO p VALUES (UUID(), 'ü🐬', 'Ж'); FLUSH TABLES;`);
    const dumped = await dump(['partitioned']);
    await restore(dumped);
    await expectSame(['partitioned']);
    expect(dumped.part.characterSet).toBe('utf8mb4');
    const { warnings } = await preflightOf(engine, source.connection({ databases: ['partitioned'] }), context());
    expect(warnings).toContainEqual(expect.stringMatching(/^Because partitioned\.p is .*: partitioned\.p\.c\.$/));
  });

  test('in a part without a recorded character set, which older versions dumped in utf8mb4', async () => {
    await source.sql(
      `CREATE DATABASE older CHARACTER SET utf8mb4; USE older; CREATE TABLE t (a VARCHAR(9), b BLOB, l VARCHAR(9) CHARACTER SET latin1);
       INSERT INTO t VALUES ('ü🐬', x'00ff27', 'äß');`,
    );
    const { inventory } = await preflightOf(engine, source.connection({ databases: ['older'] }), context());
    const options = ['--no-defaults', '--user=root', `--socket=${join(source.folder, 's')}`, '--skip-add-locks'];
    const asBefore = ['--default-character-set=utf8mb4', '--hex-blob', '--databases', 'older'];
    const command = `mariadb-dump ${[...options, ...asBefore].join(' ')} | zstd -c`;
    const { stdout } = await promisify(execFile)('sh', ['-c', command], { encoding: 'buffer' });
    const running = await startRestore(
      engine,
      ...([target.connection(), { name: 'databases', extension: 'sql' }] as const),
      ...([{ restoreId: 'older', inventory }, context()] as const),
    );
    running.stored.end(stdout);
    expect((await running.ended).failure).toBeNull();
    await expectSame(['older']);
  });
});

/**
 * Some text in each character set, as bytes. If possible, the second byte of a character is also an ASCII byte, because a
 * reader with the wrong character set takes it for a backslash or a backtick.
 */
const characters = {
  latin1: 'e4',
  cp1251: 'c6',
  greek: 'e1',
  gbk: '815c8160',
  big5: 'a15ca160',
  sjis: '835c8360',
  cp932: '835c8360',
  ujis: 'a4a2',
  euckr: 'b0a1',
  utf8mb3: 'c3a4',
  utf8mb4: 'f09f90ac',
};

/**
 * Creates one stored program of each kind as a client of that character set. The text is in strings, in names and at the
 * end of the program.
 */
function programs(set: string, text: string): Buffer {
  const x = Buffer.from(text, 'hex').toString('latin1');
  // A name cannot contain a character outside of Unicode's first plane. If a character contains the byte of a back
  // tick, servers read it as the end of the name.
  const name = set === 'utf8mb4' ? 'n' : `n${x.endsWith('`') ? x.slice(0, 2) : x}`;
  return Buffer.from(
    `\\C ${set}
CREATE TABLE t_${set} (a VARCHAR(20) CHARACTER SET ${set});
CREATE VIEW v_${set} AS SELECT '${x}' AS \`${name}\`, '\\'' AS b;
CREATE DEFINER=\`u${name}\`@localhost TRIGGER tr_${set} BEFORE INSERT ON t_${set} FOR EACH ROW SET NEW.a = '${x}', @x = '\\'', @\`${name}\` = 1;
CREATE DEFINER=\`u${name}\`@localhost PROCEDURE \`p_${name}_${set}\`(a ENUM('${name}', ')')) SQL SECURITY INVOKER COMMENT '''${name}\\\\x' SELECT '${x}', '\\'' AS \`${name}\`, 1 AS ${set === 'utf8mb4' ? 'n' : name};
CREATE FUNCTION f_${set}(a VARCHAR(9)) RETURNS ENUM('${name}', 'b') CHARACTER SET ${set} DETERMINISTIC COMMENT '${name}' RETURN '${x}';
CREATE DEFINER=\`u${name}\`@localhost EVENT \`e_${name}_${set}\` ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DISABLE COMMENT '${name} DO ''' DO SELECT '${x}', '\\'' AS \`${name}\`;
`,
    'latin1',
  );
}
