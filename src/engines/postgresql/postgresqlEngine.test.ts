import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { dumpAll, restoreAll } from '../../../test/fixtures/dumpAllParts.js';
import { postgresFingerprint } from '../../../test/fixtures/postgresFingerprint.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import {
  postgresBin,
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
} from '../../../test/fixtures/servers/postgresVersions.js';
import { checkOf } from '../../check.js';
import { Secret } from '../../secret.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { backupAccount, restoreAccount } from './checks/accountStatements.js';
import { createPostgresqlEngine } from './postgresqlEngine.js';

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'the engine for PostgreSQL', () => {
  const engine = createPostgresqlEngine();
  let [source, target]: PostgresServer[] = [];
  let folder: string;
  const of = (server: PostgresServer | undefined): PostgresServer => {
    if (server === undefined) throw new Error('The server was not started.');
    return server;
  };
  const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(60_000) });
  const sql = (statements: string, database = 'shop') => of(source).sql(database, statements);
  const shop = (overrides: Partial<ServiceConnection> = {}) =>
    of(source).connection({ databases: ['shop'], ...overrides });
  const account = (username: string) => ({ username, password: new Secret('secret') });
  const steps = async (connection: ServiceConnection) =>
    checkOf(await engine.check(connection, { signal: AbortSignal.timeout(60_000), timeoutMs: 60_000 }), new Date())
      .steps;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-postgresql-'));
    [source, target] = await Promise.all([startPostgresServer('15'), startPostgresServer('15')]);
    await sql('CREATE ROLE owner; CREATE DATABASE shop OWNER owner', 'postgres');
    await sql(`CREATE SCHEMA inner_part AUTHORIZATION owner; CREATE TABLE inner_part.orders (id int PRIMARY KEY, note text);
      ALTER TABLE inner_part.orders OWNER TO owner; INSERT INTO inner_part.orders SELECT i, 'n' || i FROM generate_series(1, 100) i;
      CREATE SEQUENCE inner_part.numbers; CREATE TABLE private (secret text); INSERT INTO private VALUES ('x');
      ALTER TABLE private ENABLE ROW LEVEL SECURITY; CREATE EXTENSION hstore; COMMENT ON EXTENSION hstore IS 'pairs';
      REVOKE ALL ON inner_part.orders FROM PUBLIC; SELECT lo_from_bytea(77, 'abc');
      ALTER LARGE OBJECT 77 OWNER TO owner; GRANT SELECT ON LARGE OBJECT 77 TO PUBLIC`);
  });
  afterEach(async () => {
    await of(target).sql('postgres', 'DROP DATABASE IF EXISTS shop WITH (FORCE); DROP ROLE IF EXISTS owner');
  });
  afterAll(async () => {
    await engine.close();
    await Promise.all([source?.stop(), target?.stop()]);
    await rm(folder, { recursive: true });
  });

  const created = (statements: readonly string[]) =>
    statements.map((each) => each.replace("'…'", "'secret'")).join(';\n');

  describe('with the accounts that it names', () => {
    beforeAll(async () => {
      await sql(created(backupAccount('backup', 15)), 'postgres');
      await of(target).sql('postgres', created(restoreAccount('restorer')));
    });

    test('backs up and restores everything', async () => {
      const dumped = await dumpAll(engine, shop(account('backup')), context());
      const to = of(target).connection(account('restorer'));
      await engine.restorePreflight(to, { inventory: dumped.inventory }, context());
      // Objects of the superuser stay with the superuser, so the account has to be a member of that role.
      await of(target).sql('postgres', 'GRANT admin TO restorer');
      await restoreAll(engine, to, dumped, context());
      const copy = await postgresFingerprint(of(target), 'shop', '15');
      expect(copy).toBe(await postgresFingerprint(of(source), 'shop', '15'));
    });

    test.each([
      [
        'reading',
        'REVOKE pg_read_all_data FROM backup',
        'GRANT pg_read_all_data TO backup',
        /GRANT pg_read_all_data TO "backup"/,
      ],
      [
        'seeing all rows',
        'ALTER ROLE backup NOBYPASSRLS',
        'ALTER ROLE backup BYPASSRLS',
        /ALTER ROLE "backup" BYPASSRLS/,
      ],
    ])('names the right for %s that was revoked', async (_what, revoke, grant, expected) => {
      await sql(revoke, 'postgres');
      const failed = (await steps(shop(account('backup')))).find(({ status }) => status === 'FAILED');
      expect(failed).toMatchObject({
        name: 'PRIVILEGES',
        code: 'SERVICE_PRIVILEGE',
        hint: expect.stringMatching(expected),
      });
      await expect(dumpAll(engine, shop(account('backup')), context())).rejects.toMatchObject({
        code: 'SERVICE_PRIVILEGE',
      });
      await sql(grant, 'postgres');
    });

    test.each([
      ['databases', 'NOCREATEDB', 'CREATEDB', /ALTER ROLE restorer CREATEDB/],
      ['roles', 'NOCREATEROLE', 'CREATEROLE', /CREATE ROLE "owner" NOLOGIN;/],
    ])('names the right for creating %s at the target', async (_what, revoke, grant, expected) => {
      await of(target).sql('postgres', `ALTER ROLE restorer ${revoke}`);
      const { inventory } = await dumpAll(engine, shop(), context());
      const preflight = engine.restorePreflight(of(target).connection(account('restorer')), { inventory }, context());
      await expect(preflight).rejects.toMatchObject({
        code: 'SERVICE_PRIVILEGE',
        help: expect.stringMatching(expected),
      });
      await of(target).sql('postgres', `ALTER ROLE restorer ${grant}`);
    });
  });

  test('prints the statements for an account that may only back up', async () => {
    const step = (await steps(shop())).find(({ name }) => name === 'PRIVILEGES');
    expect(step?.message).toContain(backupAccount('stowage', 15).join('; '));
  });

  test('reports that row-level security may hide rows from an owner too', async () => {
    await sql(
      "ALTER TABLE private FORCE ROW LEVEL SECURITY; CREATE ROLE plain LOGIN PASSWORD 'secret' IN ROLE pg_read_all_data",
    );
    const dump = dumpAll(engine, shop(account('plain')), context());
    await expect(dump).rejects.toMatchObject({
      code: 'SERVICE_PRIVILEGE',
      message: expect.stringContaining('public.private'),
    });
  });

  test('never grants more on the copy than on its source, even if a role is missing', async () => {
    await sql(
      'CREATE ROLE gone; CREATE TABLE closed (); CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1; REVOKE ALL ON FUNCTION f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION f() TO gone',
    );
    const dumped = await dumpAll(engine, shop(), context());
    const { warnings } = await engine.restorePreflight(
      of(target).connection(),
      { inventory: dumped.inventory },
      context(),
    );
    expect(warnings).toEqual([expect.stringContaining('gone, owner.')]);
    await restoreAll(engine, of(target).connection(), dumped, context());
    const acl = await of(target).sql(
      'shop',
      "SELECT proacl FROM pg_proc WHERE proname = 'f'; SELECT rolcanlogin FROM pg_roles WHERE rolname = 'gone'",
    );
    expect(acl).toBe('{admin=X/admin,gone=X/admin}\nf\n');
    await sql('DROP FUNCTION f(); DROP TABLE closed; DROP ROLE gone');
    await of(target).sql('postgres', 'DROP DATABASE shop; DROP ROLE gone');
  });

  test('restores with a newer pg_restore, although the server does not know a setting that it sends', async () => {
    const newer = createPostgresqlEngine({ tools: { folders: [postgresBin('18')] } });
    const dumped = await dumpAll(newer, shop(), context());
    expect(dumped.parts.map(({ part }) => part.tool?.version)).toEqual([
      expect.stringMatching(/^15\./),
      expect.stringMatching(/^15\./),
    ]);
    // An archive of a newer pg_dump can be read only by a newer pg_restore.
    const parts = dumped.parts.map((each) => ({
      ...each,
      part: { ...each.part, tool: { name: 'pg_dump', version: '18.0' } },
    }));
    await restoreAll(newer, of(target).connection(), { ...dumped, parts }, context());
    expect(await postgresFingerprint(of(target), 'shop', '15')).toBe(
      await postgresFingerprint(of(source), 'shop', '15'),
    );
    await newer.close();
  });

  test('refuses a backup of a newer server, naming both versions', async () => {
    const { inventory } = await dumpAll(engine, shop(), context());
    const newer = { ...inventory, serverVersion: '18.6' };
    await expect(
      engine.restorePreflight(of(target).connection(), { inventory: newer }, context()),
    ).rejects.toMatchObject({
      code: 'TARGET_UNFIT',
      message: expect.stringMatching(/PostgreSQL 18\.6, and the target is the older PostgreSQL 15/),
    });
  });

  test('names an extension that the target lacks', async () => {
    const { inventory } = await dumpAll(engine, shop(), context());
    const needs = { 'extension no_such_extension': ['shop'] };
    const strange = { ...inventory, databases: inventory.databases.map((each) => ({ ...each, needs })) };
    const preflight = engine.restorePreflight(of(target).connection(), { inventory: strange }, context());
    await expect(preflight).rejects.toMatchObject({
      code: 'TARGET_UNFIT',
      message: expect.stringContaining('no_such_extension'),
    });
  });

  test('gives way to a session that waits for it, and names the session and the table', async () => {
    const prepared = await engine.prepareDump(shop(), { ...context(), steps: [] });
    const part = prepared.report.parts.find((each) => each.replay !== false);
    if (part === undefined) throw new Error('There is no part.');
    await sql("INSERT INTO inner_part.orders SELECT i, repeat('x', 1000) FROM generate_series(1000, 30000) i");
    // Nobody reads the dump, so it holds its locks until it gives way.
    const running = await prepared.dump(part, { ...context(), lockPatienceMs: 1_000 });
    while (
      (
        await sql(
          "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'stowage-dump-%' AND query LIKE 'COPY inner_part.orders%'",
        )
      ).trim() !== '1'
    );
    const altering = sql('ALTER TABLE inner_part.orders ADD COLUMN more int');
    const { failure } = await running.ended;
    running.stored.destroy();
    expect(failure).toMatchObject({
      code: 'SERVICE_BUSY',
      message: expect.stringMatching(
        /admin from 127\.0\.0\.1 \(process \d+\) waited \d+ s for table inner_part\.orders, to run ALTER TABLE/,
      ),
    });
    await altering;
    await sql('DELETE FROM inner_part.orders WHERE id >= 1000; ALTER TABLE inner_part.orders DROP COLUMN more');
    await prepared.close();
  });

  test('waits for a lock only for a while, and names the session that holds it', async () => {
    const prepared = await engine.prepareDump(shop(), { ...context(), steps: [] });
    const part = prepared.report.parts.find((each) => each.replay !== false);
    if (part === undefined) throw new Error('There is no part.');
    const holder = sql('BEGIN; LOCK TABLE inner_part.orders; SELECT pg_sleep(60)').catch(() => undefined);
    const isHeld =
      "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'inner_part.orders'::regclass AND granted";
    while ((await sql(isHeld)).trim() !== '1');
    const running = await prepared.dump(part, { ...context(), lockWaitMs: 3_000 });
    running.stored.destroy();
    const { failure } = await running.ended;
    expect(failure).toMatchObject({
      code: 'SERVICE_BUSY',
      message: expect.stringMatching(
        /waited \d+ s for table inner_part\.orders, which admin from 127\.0\.0\.1 \(process \d+\) holds/,
      ),
    });
    await sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()",
    );
    await holder;
    await prepared.close();
  });

  test('warns of functions that rely on the search_path, and of invalid indexes', async () => {
    await sql(`CREATE TABLE public.rates (r int); CREATE FUNCTION rate() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT max(r) FROM rates';
      CREATE TABLE used (n int, CHECK (n > rate())); CREATE INDEX broken ON used (n); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass`);
    const prepared = await engine.prepareDump(shop(), { ...context(), steps: [], includeUsers: 'WITHOUT_PASSWORDS' });
    await prepared.close();
    expect(prepared.report.warnings).toEqual([
      expect.stringMatching(/name objects without their schema: public\.rate\./),
      expect.stringMatching(/indexes are invalid: public\.broken\./),
      expect.stringMatching(/checks call functions that read tables: used_n_check of public\.used\./),
    ]);
    await sql('DROP TABLE used; DROP FUNCTION rate(); DROP TABLE rates');
  });

  test('shows no value of a row that the target refuses, and names the section and the object', async () => {
    await sql(`CREATE TABLE twins (a int); INSERT INTO twins VALUES (4711), (4711); CREATE UNIQUE INDEX one ON twins (a) WHERE a <> 4711;
      UPDATE pg_index SET indpred = NULL WHERE indexrelid = 'one'::regclass`);
    const dumped = await dumpAll(engine, shop(), context());
    const failure: unknown = await restoreAll(engine, of(target).connection(), dumped, context()).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringMatching(
        /pg_restore failed in the section post-data, at INDEX one admin: .*could not create unique index "one"/,
      ),
    });
    expect(JSON.stringify([failure, String(failure)])).not.toContain('4711');
    await sql('DROP TABLE twins');
  });
});
