import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preflightOf, restoreDump, takeDump } from '../../../test/fixtures/dumpAndRestore.js';
import { fingerprint } from '../../../test/fixtures/mariadbFingerprint.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { Secret } from '../../secret.js';
import type { EngineContext } from '../engineContext.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { createMariadbEngine } from './mariadbEngine.js';
import { mariadbSettings } from './mariadbSettings.js';

/** Settings with which a dump is refused. */
const refusedAtSource: readonly (readonly [name: string, value: string])[] = [
  ['sql_select_limit', '2'],
  ['sql_select_limit', '0'],
  ['max_join_size', '5'],
  ['max_session_mem_used', '1048576'],
  ['tmp_disk_table_size', '1024'],
  ['sql_quote_show_create', '0'],
  ['system_versioning_asof', "'2020-01-01 00:00:00'"],
];

/**
 * Settings without a visible effect on a dump or a restore. This holds for source and target, and for settings of the
 * server and of init_connect.
 */
const harmless: readonly (readonly [name: string, value: string])[] = [
  ['sql_mode', "'ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ZERO_DATE'"],
  ['sql_auto_is_null', '1'],
  ['time_zone', "'+05:30'"],
  ['lc_time_names', "'de_DE'"],
  ['lc_messages', "'de_DE'"],
  ['group_concat_max_len', '4'],
  ['max_sort_length', '64'],
  ['tx_isolation', "'READ-UNCOMMITTED'"],
  ['max_statement_time', '0.001'],
  ['sql_big_selects', '0'],
  ['wait_timeout', '5'],
  ['net_read_timeout', '5'],
  ['net_write_timeout', '5'],
  ['idle_transaction_timeout', '5'],
  ['idle_readonly_transaction_timeout', '5'],
  ['idle_write_transaction_timeout', '5'],
  ['completion_type', '2'],
  ['autocommit', '0'],
  ['tx_read_only', '1'],
  ['sql_safe_updates', '1'],
  ['check_constraint_checks', '1'],
  ['innodb_strict_mode', '1'],
  ['innodb_compression_default', '1'],
  ['innodb_default_encryption_key_id', '2'],
  ['explicit_defaults_for_timestamp', '0'],
  ['sql_if_exists', '1'],
  ['old_mode', "''"],
  ['max_heap_table_size', '16384'],
];

/** Settings that have an effect only at the target. */
const harmlessAtTarget: readonly (readonly [name: string, value: string])[] = [
  ...harmless,
  // The source has views that this setting refuses, so it is switched off there.
  ['standard_compliant_cte', '1'],
  // A restore does not change a value that was computed with the source's own setting.
  ['div_precision_increment', '9'],
  ['default_regex_flags', "'DOTALL'"],
  ...refusedAtSource.filter(([name]) => name !== 'max_session_mem_used' && name !== 'tmp_disk_table_size'),
];

/** These variables are tested below, or in a server of another version. */
const triedElsewhere = [
  'character_set_client',
  'character_set_collations',
  'timestamp',
  'enforce_storage_engine',
  'innodb_default_row_format',
];

const sample = `
  SET NAMES utf8mb4; SET SESSION sql_mode = '', innodb_strict_mode = 0, check_constraint_checks = 0;
  CREATE DATABASE plain CHARACTER SET utf8mb4; USE plain;
  CREATE TABLE a (id INT PRIMARY KEY, c CHAR(20), d DATE, s VARCHAR(50)) COMMENT 'ü';
  INSERT INTO a SELECT seq, CONCAT('x', seq), '0000-00-00', 'back\\\\slash "quoted"' FROM seq_1_to_100;
  CREATE TABLE computed (a INT, q DECIMAL(30,15) AS (a / 7) STORED, f INT AS (CONCAT('x\\n', a) REGEXP 'x.') STORED); INSERT INTO computed (a) VALUES (1);
  CREATE TABLE at_times (id INT PRIMARY KEY, t TIMESTAMP NOT NULL, u TIMESTAMP NOT NULL);
  INSERT INTO at_times VALUES (1, '2020-06-01', '2020-06-02');
  CREATE TABLE \`check\` (a INT CHECK (a > 0)); INSERT INTO \`check\` VALUES (-1);
  CREATE TABLE in_memory (a VARCHAR(1000)) ENGINE=MEMORY; INSERT INTO in_memory SELECT REPEAT('x', 1000) FROM seq_1_to_50;
  CREATE TABLE compressed (a INT PRIMARY KEY) ROW_FORMAT=COMPRESSED;
  CREATE TABLE in_files (a INT) ENGINE=MyISAM; INSERT INTO in_files VALUES (1), (2), (3);
  CREATE TABLE wide (${Array.from({ length: 60 }, (_, column) => `c${column} CHAR(200) CHARACTER SET latin1`).join()}) ROW_FORMAT=COMPACT;
  CREATE DEFINER=backup@'%' VIEW v AS SELECT DISTINCT id, c FROM a WHERE c <> 'ß';
  SET GLOBAL standard_compliant_cte = 0; SET SESSION standard_compliant_cte = 0;
  CREATE DEFINER=backup@'%' VIEW recurring AS
    WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT COUNT(*) FROM r) SELECT * FROM r;
  CREATE DEFINER=backup@'%' TRIGGER changing BEFORE INSERT ON in_files FOR EACH ROW SET NEW.a = NEW.a + 1;
  CREATE TABLE z_last (id INT PRIMARY KEY); INSERT INTO z_last VALUES (0), (1), (2), (3);
  CREATE DATABASE z_rows; CREATE TABLE z_rows.t (id INT PRIMARY KEY); INSERT INTO z_rows.t VALUES (1), (2), (3);
  CREATE DATABASE \`ümlaut\` CHARACTER SET utf8mb4; USE \`ümlaut\`;
  CREATE TABLE \`tä\` (\`cö\` INT); INSERT INTO \`tä\` VALUES (1), (2), (3);
  CREATE DEFINER=backup@'%' VIEW \`vü\` AS SELECT \`cö\` FROM \`tä\`;
  CREATE DATABASE history; CREATE TABLE history.t (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING;
  INSERT INTO history.t VALUES (1, 1), (2, 2), (3, 3); DELETE FROM history.t WHERE id = 2;`;

describeWith({ mariadb: mariadbMissing }, 'Settings of the server', () => {
  const engine = createMariadbEngine();
  const all = ['history', 'plain', 'z_rows', 'ümlaut'];
  let folder: string;
  let source: MariadbServer;
  let target: MariadbServer;
  const context = (): EngineContext => ({ workFolder: folder, signal: new AbortController().signal });
  /** An account for which init_connect runs. */
  const of = (server: MariadbServer, databases: readonly string[] = all): ServiceConnection =>
    server.connection({ username: 'backup', password: new Secret('b'), databases });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-settings-'));
    [source, target] = await Promise.all([startMariadb(), startMariadb()]);
    for (const server of [source, target]) {
      await server.sql(`CREATE USER backup@'%' IDENTIFIED BY 'b'; GRANT ALL ON *.* TO backup@'%';
        REVOKE SUPER, READ_ONLY ADMIN, CONNECTION ADMIN ON *.* FROM backup@'%';`);
    }
    await source.sql(sample);
  });
  afterEach(async () => {
    for (const server of [source, target]) {
      await server.sql(`SET SESSION max_statement_time = 0; SET GLOBAL max_statement_time = 0, init_connect = '';
        ${[...harmlessAtTarget, ...refusedAtSource, ['read_only'], ['net_write_timeout'], ['innodb_force_primary_key'], ['innodb_default_row_format'], ['innodb_read_only_compressed'], ['innodb_file_per_table']].map(([name]) => `SET GLOBAL ${name} = DEFAULT;`).join('')}
        SET GLOBAL sql_big_selects = 1, enforce_storage_engine = NULL, standard_compliant_cte = 0;`);
    }
    await target.sql(all.map((name) => `DROP DATABASE IF EXISTS \`${name}\`;`).join(''));
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  const setGlobally = (server: MariadbServer, settings: typeof harmless) =>
    server.sql(settings.map(([name, value]) => `SET GLOBAL ${name} = ${value};`).join(''));
  const setByInitConnect = (server: MariadbServer, statements: string) =>
    server.sql(`SET GLOBAL init_connect = '${statements.replaceAll("'", "''")}';`);
  const assignments = (settings: typeof harmless) => settings.map(([name, value]) => `${name}=${value}`).join();

  /** Resets the servers first, because a fingerprint is read through sessions that use the server's settings. */
  const expectSame = async (reset: () => Promise<unknown>, databases = all) => {
    await reset();
    expect(await fingerprint(target, databases)).toEqual(await fingerprint(source, databases));
  };
  const asTheyWere = async () => {
    for (const server of [source, target]) {
      await server.sql(`SET SESSION max_statement_time = 0; SET GLOBAL init_connect = '';
        ${harmlessAtTarget.map(([name]) => `SET GLOBAL ${name} = DEFAULT;`).join('')} SET GLOBAL sql_big_selects = 1, standard_compliant_cte = 0;`);
    }
  };

  test('each variable of the table is tested here', () => {
    const tried = [...harmlessAtTarget, ...refusedAtSource].map(([name]) => name);
    const settingNames = mariadbSettings.map(({ name }) => name);
    expect(settingNames.filter((name) => !tried.includes(name) && !triedElsewhere.includes(name))).toEqual([]);
  });

  test('change no dump if they are harmless', async () => {
    await setGlobally(source, harmless);
    const dump = await takeDump(engine, of(source), context());
    expect(dump.failure).toBeNull();
    await asTheyWere();
    await restoreDump(engine, of(target), dump, context());
    await expectSame(asTheyWere);
  });

  test('change no dump if init_connect sets them', async () => {
    await setByInitConnect(source, `SET ${assignments(harmless)}, NAMES latin1, timestamp=1; START TRANSACTION`);
    const ascii = ['history', 'plain', 'z_rows'];
    const dump = await takeDump(engine, of(source, ascii), context());
    expect(dump.failure).toBeNull();
    await asTheyWere();
    await restoreDump(engine, of(target), dump, context());
    await expectSame(asTheyWere, ascii);
  });

  test('change no restore', async () => {
    const dump = await takeDump(engine, of(source), context());
    await setGlobally(target, harmlessAtTarget);
    await restoreDump(engine, of(target), dump, context());
    await expectSame(asTheyWere);
  });

  test('change no restore if init_connect sets them', async () => {
    const dump = await takeDump(engine, of(source), context());
    await setByInitConnect(
      target,
      `SET ${assignments(harmlessAtTarget)}, NAMES latin1, timestamp=1; START TRANSACTION`,
    );
    await restoreDump(engine, of(target), dump, context());
    await expectSame(asTheyWere);
  });

  const settingsStep = async (connection: ServiceConnection) =>
    (await engine.check(connection, { ...context(), timeoutMs: 60_000 })).find(({ status }) => status === 'FAILED');

  test.each(refusedAtSource)(
    'refuse a dump while %s is %s, and the error names the statement that helps',
    async (name, value) => {
      await setGlobally(source, [[name, value]]);
      const refusal = await preflightOf(engine, of(source), context()).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'SERVICE_SETTING', message: expect.stringContaining(`${name} is `) });
      const { message, help } = refusal as { message: string; help: string };
      expect(await settingsStep(of(source))).toMatchObject({ name: 'SETTINGS', message, hint: help });
      const statement = /SET GLOBAL [^;]+;/.exec(help)?.[0] ?? '';
      expect(statement).toContain(name);
      await source.sql(statement);
      expect(await preflightOf(engine, of(source), context())).toMatchObject({
        inventory: { databases: { length: 4 } },
      });
    },
  );

  test.each(refusedAtSource)('refuse a dump while init_connect sets %s to %s', async (name, value) => {
    await setByInitConnect(source, `SET ${name}=${value}`);
    await expect(preflightOf(engine, of(source), context())).rejects.toMatchObject({
      code: 'SERVICE_SETTING',
      message: expect.stringContaining(`${name} is `),
      help: expect.stringMatching(/^init_connect of the server sets .*CONNECTION ADMIN/),
    });
    await source.sql("GRANT CONNECTION ADMIN ON *.* TO backup@'%'");
    await preflightOf(engine, of(source), context());
    await source.sql("REVOKE CONNECTION ADMIN ON *.* FROM backup@'%'");
  });

  test('refuse only a dump that they would change: a database without versioned tables, or with names in ASCII, is accepted', async () => {
    await setGlobally(source, [['system_versioning_asof', "'2020-01-01 00:00:00'"]]);
    await setByInitConnect(source, 'SET NAMES latin1');
    expect((await takeDump(engine, of(source, ['plain']), context())).failure).toBeNull();
  });

  test('that change how names are read do not change what our sessions read, and refuse the dump', async () => {
    const names = async () =>
      (await engine.inventory(of(source), context())).databases.map((one) => [
        one.name,
        one.tables[0]?.name,
        one.objects['views'],
      ]);
    const expected = await names();
    await setByInitConnect(source, 'SET NAMES latin1');
    expect(await names()).toEqual(expected);
    await expect(preflightOf(engine, of(source), context())).rejects.toMatchObject({
      code: 'SERVICE_SETTING',
      message: expect.stringContaining('character_set_client is latin1'),
      help: expect.stringContaining('init_connect of the server sets character_set_client'),
    });
  });

  test('that change after the preflight are detected at the end of the dump', async () => {
    const change = () => setGlobally(source, [['sql_select_limit', '2']]);
    const { failure } = await takeDump(engine, of(source), context(), change);
    expect(failure).toMatchObject({
      code: 'SERVICE_SETTING',
      message: expect.stringContaining('sql_select_limit is 2'),
    });
  });

  test.each([
    ['read_only', '1', 'SET GLOBAL read_only = OFF;'],
    ['enforce_storage_engine', 'InnoDB', 'SET GLOBAL enforce_storage_engine = NULL;'],
  ])('refuse a restore while %s is %s', async (name, value, statement) => {
    const dump = await takeDump(engine, of(source), context());
    await setGlobally(target, [[name, value]]);
    await expect(restoreDump(engine, of(target), dump, context())).rejects.toMatchObject({
      code: 'SERVICE_SETTING',
      message: expect.stringContaining(`${name} is `),
      help: expect.stringContaining(statement),
    });
    await target.sql(statement);
    await restoreDump(engine, of(target), dump, context());
  });

  test.each([
    ['innodb_default_row_format', "'compact'", 'SET GLOBAL innodb_default_row_format = dynamic;'],
    ['innodb_read_only_compressed', '1', 'SET GLOBAL innodb_read_only_compressed = OFF;'],
    ['innodb_file_per_table', '0', 'SET GLOBAL innodb_file_per_table = ON;'],
  ])('refuse a restore of tables whose row format is not allowed by %s = %s', async (name, value, statement) => {
    const { inventory } = await preflightOf(engine, of(source), context());
    const databases = inventory.databases.map((database) => ({
      ...database,
      tables: database.tables.map((table) => ({
        ...table,
        rowFormat: table.name === 'compressed' ? 'Compressed' : 'Dynamic',
      })),
    }));
    await setGlobally(target, [[name, value]]);
    await expect(
      engine.restorePreflight(of(target), { inventory: { ...inventory, databases } }, context()),
    ).rejects.toMatchObject({ code: 'SERVICE_SETTING', help: expect.stringContaining(statement) });
  });

  test('let a restore create tables of an older row format in a newer row format, which accepts the same rows', async () => {
    await setGlobally(source, [['innodb_default_row_format', "'redundant'"]]);
    await source.sql('CREATE TABLE plain.older (a INT); INSERT INTO plain.older VALUES (1);');
    try {
      const dump = await takeDump(engine, of(source, ['plain']), context());
      await restoreDump(engine, of(target), dump, context());
      expect(await target.sql('SELECT a FROM plain.older')).toBe('1\n');
    } finally {
      await source.sql('DROP TABLE plain.older');
    }
  });

  test('warn if a target requires a primary key in every table and an older backup does not record the tables without one', async () => {
    const { report } = await takeDump(engine, of(source), context());
    await setGlobally(target, [['innodb_force_primary_key', '1']]);
    const databases = report.inventory.databases.map(({ needs: _, ...database }) => database);
    const older = { inventory: { ...report.inventory, databases } };
    const { warnings } = await engine.restorePreflight(of(target), older, context());
    expect(warnings).toContainEqual(expect.stringMatching(/^innodb_force_primary_key of the target is ON/));
  });

  test('let a restore by a user with SUPER use every engine', async () => {
    const dump = await takeDump(engine, of(source), context());
    await setGlobally(target, [['enforce_storage_engine', 'InnoDB']]);
    await restoreDump(engine, target.connection(), dump, context());
    await expectSame(() => target.sql('SET GLOBAL enforce_storage_engine = NULL'));
  });

  test('warn of a server that ends sessions which wait for the storage', async () => {
    await setGlobally(source, [
      ['wait_timeout', '20'],
      ['idle_transaction_timeout', '30'],
      ['net_write_timeout', '40'],
    ]);
    const { warnings } = await preflightOf(engine, of(source), context());
    for (const named of [/^wait_timeout.* 20 s/, /^idle_transaction_timeout.* 30 s/, /^net_write_timeout.* 40 s/]) {
      expect(warnings).toContainEqual(expect.stringMatching(named));
    }
  });

  test('warn of a server that ignores the character set of its clients, and of a server that keeps no history', async () => {
    const stubborn = await startMariadb([
      '--skip-character-set-client-handshake',
      '--character-set-server=latin1',
      '--secure-timestamp=YES',
      '--standard-compliant-cte=0',
    ]);
    try {
      await stubborn.sql(
        `SET NAMES utf8mb4; CREATE DATABASE \`ü\`; CREATE VIEW \`ü\`.\`vä\` AS SELECT 1; CREATE DATABASE plainer;`,
      );
      const connection = (databases: readonly string[] | null) => stubborn.connection({ databases });
      await expect(preflightOf(engine, connection(null), context())).rejects.toMatchObject({
        code: 'SERVICE_SETTING',
        message: expect.stringContaining('character_set_client is latin1'),
        help: expect.stringMatching(/skip-character-set-client-handshake/),
      });
      await preflightOf(engine, connection(['plainer']), context());
      const dump = await takeDump(engine, of(source), context());
      await expect(restoreDump(engine, stubborn.connection(), dump, context())).rejects.toMatchObject({
        code: 'SERVICE_SETTING',
        message: expect.stringContaining('secure_timestamp is YES'),
      });
      const plain = await takeDump(engine, of(source, ['ümlaut', 'plain']), context());
      await restoreDump(engine, stubborn.connection(), plain, context());
      await stubborn.sql('SET GLOBAL character_set_client = utf8mb4');
      const databases = ['plain', 'ümlaut'];
      expect(await fingerprint(stubborn, databases)).toEqual(await fingerprint(source, databases));
      await preflightOf(engine, connection(null), context());
    } finally {
      await stubborn.stop();
    }
  });
});
