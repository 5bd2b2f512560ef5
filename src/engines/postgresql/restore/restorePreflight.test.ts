import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { dumpAll, restoreAll } from '../../../../test/fixtures/dumpAllParts.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import {
  postgresBin,
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
} from '../../../../test/fixtures/servers/postgresVersions.js';
import { compareInventories } from '../../../archive/compareInventories.js';
import { Secret } from '../../../secret.js';
import { createPostgresqlEngine } from '../postgresqlEngine.js';
import { restoreAccount } from '../checks/accountStatements.js';

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'before a restore of PostgreSQL', () => {
  const engine = createPostgresqlEngine({ tools: { folders: [postgresBin('18')] } });
  let source: PostgresServer;
  let newer: PostgresServer;
  let small: PostgresServer;
  let folder: string;
  const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(60_000) });
  const cleared = 'DROP DATABASE IF EXISTS shop WITH (FORCE)';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-preflight-'));
    [source, newer, small] = await Promise.all([
      startPostgresServer('15'),
      startPostgresServer('18'),
      startPostgresServer('15', ['max_locks_per_transaction=10', 'max_connections=20']),
    ]);
    await source.sql('postgres', 'CREATE ROLE owner; CREATE ROLE app; CREATE ROLE other');
    const [created = ''] = restoreAccount('restorer');
    for (const each of [newer, small]) await each.sql('postgres', created.replace('…', 'secret word'));
  });
  afterEach(async () => {
    for (const each of [source, newer, small]) await each.sql('postgres', cleared);
  });
  afterAll(async () => {
    await engine.close();
    await Promise.all([source.stop(), newer.stop(), small.stop()]);
    await rm(folder, { recursive: true });
  });

  async function dumped(statements: string, options = 'OWNER owner') {
    await source.sql('postgres', `CREATE DATABASE shop ${options}`);
    await source.sql('shop', statements);
    return dumpAll(engine, source.connection({ databases: ['shop'] }), context());
  }
  const preflight = async (
    target: PostgresServer,
    of: { inventory: Awaited<ReturnType<typeof dumped>>['inventory'] },
  ) => engine.restorePreflight(target.connection(), { inventory: of.inventory }, context());
  const asRestorer = (target: PostgresServer) =>
    target.connection({ username: 'restorer', password: new Secret('secret word') });

  test('a target without ICU is refused with both versions, and another collation version is named', async () => {
    const icu = `TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' LC_COLLATE 'C.utf8' LC_CTYPE 'C.utf8'`;
    const backup = await dumped('CREATE TABLE t (a text)', icu);
    const refused = await preflight(newer, backup).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'TARGET_UNFIT',
      message: expect.stringMatching(
        /^The database 'shop' of PostgreSQL 15\.\d+.* ICU locale 'de-u-co-phonebk', and the target PostgreSQL 18\.\d+ was built without ICU\.$/,
      ),
    });
    expect((await preflight(small, backup)).warnings).toEqual([]);
    await source.sql('postgres', `UPDATE pg_database SET datcollversion = '1.0' WHERE datname = 'shop'`);
    const changed = await dumpAll(engine, source.connection({ databases: ['shop'] }), context());
    expect(changed.report.warnings).toContainEqual(
      expect.stringMatching(/another version[^\n]* the database: 1\.0 instead of \d/),
    );
    expect((await preflight(small, changed)).warnings).toEqual([
      expect.stringContaining('version 1.0 of its collation'),
    ]);
  });

  test('a target without the locale is refused with both versions', async () => {
    const { inventory } = await dumped('CREATE TABLE t (a text)');
    const [shop] = inventory.databases;
    if (shop === undefined) throw new Error('The backup has no database.');
    const german = {
      ...inventory,
      databases: [{ ...shop, properties: { ...shop.properties, collate: 'xx_XX.utf8' } }],
    };
    await expect(preflight(small, { inventory: german })).rejects.toMatchObject({
      code: 'TARGET_UNFIT',
      message: expect.stringMatching(
        /PostgreSQL 15.* uses the locale 'xx_XX\.utf8', which the target PostgreSQL 15.* does not have/,
      ),
    });
  });

  test('a target with too few locks for the partitions of a table is named', async () => {
    const backup =
      await dumped(`CREATE TABLE o (id int PRIMARY KEY); CREATE TABLE p (a int PRIMARY KEY, o int REFERENCES o) PARTITION BY LIST (a);
      DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE TABLE p%s PARTITION OF p FOR VALUES IN (%s)', i, i); END LOOP; END $$`);
    expect((await preflight(small, backup)).warnings).toContainEqual(
      expect.stringMatching(/may need about 900 locks, and the target has room for about 200 .*_transaction = 68 on/),
    );
    expect((await preflight(newer, backup)).warnings).not.toContainEqual(expect.stringContaining('locks'));
  });

  test('an account without superuser rights is refused if it cannot restore an object or a privilege', async () => {
    const grants =
      'CREATE TABLE t (a int); GRANT SELECT ON t TO app WITH GRANT OPTION; SET ROLE app; GRANT SELECT ON t TO other';
    const granted = await dumped(`SET ROLE owner; ${grants}`);
    const refusal = (of: typeof granted) =>
      engine.restorePreflight(asRestorer(newer), { inventory: of.inventory }, context());
    await expect(refusal(granted)).rejects.toMatchObject({
      code: 'SERVICE_PRIVILEGE',
      details: { objects: ['privileges that app granted on public.t'] },
    });
    const others = JSON.stringify(granted.inventory).replaceAll('privileges that app ', 'privileges that restorer ');
    await engine.restorePreflight(
      asRestorer(newer),
      { inventory: JSON.parse(others) as typeof granted.inventory },
      context(),
    );
    await source.sql('postgres', cleared);
    const owned = await dumped('GRANT CREATE ON SCHEMA public TO app; SET ROLE app; CREATE TABLE t (a int)');
    await expect(refusal(owned)).rejects.toMatchObject({
      code: 'SERVICE_PRIVILEGE',
      message: expect.stringContaining('objects of app in the schema public of owner.'),
    });
    await newer.sql('postgres', 'CREATE ROLE owner; CREATE ROLE app; GRANT owner, app TO restorer');
    for (const each of [granted, owned]) {
      const restored = restoreAll(engine, asRestorer(newer), each, context());
      await expect(restored).rejects.toThrow(/permission denied/);
      await newer.sql('postgres', cleared);
    }
    await newer.sql('postgres', 'GRANT owner TO app');
    await refusal(owned);
    await restoreAll(engine, asRestorer(newer), owned, context());
    expect(await newer.sql('shop', 'SELECT tableowner FROM pg_tables WHERE tablename = $$t$$')).toBe('app\n');
  });

  test('a setting that the target does not know is named and left out', async () => {
    const backup = await dumped(
      `CREATE TABLE t (a int); ALTER DATABASE shop SET force_parallel_mode = on; ALTER DATABASE shop SET work_mem = '5MB'`,
    );
    const { warnings } = await preflight(newer, backup);
    expect(warnings).toContainEqual(expect.stringContaining('leaves them out: force_parallel_mode.'));
    await restoreAll(engine, newer.connection(), backup, context());
    expect(await newer.sql('shop', 'SHOW work_mem')).toBe('5MB\n');
    const actual = await engine.inventory(newer.connection({ databases: ['shop'] }), context());
    const { differences } = compareInventories(backup.inventory, actual);
    expect(differences.map(({ path }) => path)).toContain('shop.settings');
    const judge = (each: (typeof differences)[number]) =>
      engine.judgeDifference(each, { expected: backup.inventory, actual, changesByItself: false });
    expect(differences.map(judge).filter((each) => each !== null)).toEqual([]);
  });

  test('materialized views and providers of security labels are named', async () => {
    const backup = await dumped(`CREATE TABLE t (a int); CREATE MATERIALIZED VIEW copy AS SELECT a FROM t;
      SET allow_system_table_mods = on; INSERT INTO pg_seclabel VALUES ('t'::regclass, 'pg_class'::regclass, 0, 'guard', 'x')`);
    const { warnings } = await preflight(small, backup);
    expect(warnings).toContainEqual(expect.stringMatching(/materialized views .* public\.copy\.$/));
    expect(warnings).toContainEqual(expect.stringContaining('has not loaded: guard.'));
    await expect(restoreAll(engine, small.connection(), backup, context())).rejects.toMatchObject({
      code: 'TARGET_UNFIT',
      message: expect.stringContaining('security label provider "guard" is not loaded'),
    });
  });

  test('refuses a library that the target lacks, and settings that the account may not set', async () => {
    const backup = await dumped(
      "CREATE TABLE t (a int); ALTER DATABASE shop SET session_preload_libraries = 'pgcrypto'",
    );
    await expect(preflight(newer, backup)).rejects.toMatchObject({
      code: 'TARGET_UNFIT',
      message: expect.stringContaining("cannot load the library 'pgcrypto'"),
    });
    await preflight(small, backup);
    const restore = () => engine.restorePreflight(asRestorer(small), { inventory: backup.inventory }, context());
    await small.sql(
      'postgres',
      'DO $$ BEGIN CREATE ROLE owner; EXCEPTION WHEN duplicate_object THEN END $$; GRANT owner TO restorer',
    );
    await expect(restore()).rejects.toMatchObject({
      code: 'SERVICE_PRIVILEGE',
      message: expect.stringContaining('may not set: session_preload_libraries.'),
      help: 'Run on the target: GRANT SET ON PARAMETER "session_preload_libraries" TO restorer;',
    });
    await small.sql('postgres', 'GRANT SET ON PARAMETER session_preload_libraries TO restorer');
    await restore();
    await small.sql('postgres', 'REVOKE SET ON PARAMETER session_preload_libraries FROM restorer');
  });

  test('loads no file but plugins for the setting that anybody may set', async () => {
    const backup = await dumped(
      "CREATE TABLE t (a int); ALTER DATABASE shop SET session_preload_libraries = 'pgcrypto'",
    );
    const planted = (library: string) => {
      const text = JSON.stringify(backup.inventory).replaceAll('session_preload', 'local_preload');
      const inventory = JSON.parse(text.replaceAll('pgcrypto', library)) as typeof backup.inventory;
      return engine.restorePreflight(newer.connection(), { inventory }, context());
    };
    await planted('/tmp/missing');
    await planted('$libdir/plugins/../missing');
    await expect(planted('missing')).rejects.toMatchObject({ code: 'TARGET_UNFIT' });
  });

  test('a materialized view whose query fails now is named, and the hint states what to do', async () => {
    const backup = await dumped(`CREATE TABLE t (a int); INSERT INTO t VALUES (1);
      CREATE MATERIALIZED VIEW "Shares" AS SELECT 1 / a AS share FROM t; UPDATE t SET a = 0`);
    expect((await preflight(small, backup)).warnings.join()).toMatch(/fails if a query fails now.*public\.Shares\.$/);
    const failed = await restoreAll(engine, small.connection(), backup, context()).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      message: expect.stringMatching(/at MATERIALIZED VIEW DATA Shares .*division by zero/),
      help: expect.stringContaining('REFRESH MATERIALIZED VIEW'),
    });
  });

  test('a login event trigger that refuses the account is named', async () => {
    await newer.sql('postgres', 'CREATE DATABASE shop');
    await newer.sql(
      'shop',
      `CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
         $$ BEGIN IF current_setting('application_name') LIKE 'stowage%' THEN RAISE 'not for you, Ada'; END IF; END $$;
       CREATE EVENT TRIGGER "Doorkeeper" ON login EXECUTE FUNCTION refuse()`,
    );
    const refused = dumpAll(engine, newer.connection({ databases: ['shop'] }), context());
    await expect(refused).rejects.toMatchObject({
      code: 'SERVICE_AUTH',
      message: expect.stringMatching(/^A login event trigger of the database 'shop' refused the login\.(?!.*Ada)/),
      help: expect.stringContaining('ALTER EVENT TRIGGER'),
    });
  });

  describe('an existing database', () => {
    test.each(['ALLOW_CONNECTIONS false', 'IS_TEMPLATE true'])('with %s is found', async (option) => {
      const backup = await dumped('CREATE TABLE t (a int)');
      await small.sql('postgres', `CREATE DATABASE shop ${option}`);
      await expect(preflight(small, backup)).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
      await small.sql('postgres', 'ALTER DATABASE shop IS_TEMPLATE false');
    });
  });

  test('a backup names values that a restore computes again or may refuse', async () => {
    const { report } = await dumped(`CREATE TABLE other (id int);
      CREATE FUNCTION of_zone(t timestamptz) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = public AS $$ SELECT to_char(t, 'HH24') $$;
      CREATE FUNCTION known(i int) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM public.other WHERE id = i) $$;
      CREATE TABLE t (d timestamptz CONSTRAINT fresh CHECK (d > now()), g text GENERATED ALWAYS AS (of_zone(d)) STORED,
        i int CONSTRAINT "Known" CHECK (known(i)), plain int CHECK (plain > 0), place regclass);
      SET allow_system_table_mods = on;
      INSERT INTO pg_shseclabel SELECT oid, 'pg_database'::regclass, 'guard', 'x' FROM pg_database WHERE datname = 'shop'`);
    const warnings = report.warnings.join('\n');
    expect(warnings).toContain('stored generated columns: public.t.g. ');
    expect(warnings).toContain('depend on the time: fresh of public.t. ');
    expect(warnings).toContain('call functions that read tables: "Known" of public.t. ');
    expect(warnings).toContain('refer to objects of the server by name: public.t.place. ');
    expect(warnings).toContain('security labels, of these providers: guard. ');
    await source.sql('postgres', 'SET allow_system_table_mods = on; DELETE FROM pg_shseclabel');
  });

  test('a database with another encoding and a name that is not ASCII is restored', async () => {
    await source.sql(
      'postgres',
      `CREATE DATABASE "é" TEMPLATE template0 ENCODING LATIN1; ALTER DATABASE "é" SET work_mem = '5MB'`,
    );
    await source.sql('é', 'CREATE TABLE "ä" ("ö" text); INSERT INTO "ä" VALUES (\'ü\')');
    const backup = await dumpAll(engine, source.connection({ databases: ['é'] }), context());
    await restoreAll(engine, small.connection(), backup, context());
    expect(await small.sql('é', 'SHOW work_mem; SELECT "ö" FROM "ä"')).toBe('5MB\nü\n');
  });
});
