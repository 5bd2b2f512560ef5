import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { dumpAll, restoreAll, type DumpedAll } from '../../../test/fixtures/dumpAllParts.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { scanStream } from '../../../test/fixtures/scannedStream.js';
import {
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
} from '../../../test/fixtures/servers/postgresVersions.js';
import { compareInventories } from '../../archive/compareInventories.js';
import { Secret } from '../../secret.js';
import { backupAccount } from './checks/accountStatements.js';
import { archiveScanner, scannedArchive } from './dump/archiveScanner.js';
import { createPostgresqlEngine } from './postgresqlEngine.js';

describeWith(
  { 'postgresql-versions': postgresVersionsMissing },
  'a database of PostgreSQL that tries to mislead',
  () => {
    const engine = createPostgresqlEngine();
    let server: PostgresServer;
    let folder: string;
    const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(60_000) });
    const sql = (statements: string, database = 'shop') => server.sql(database, statements);
    const shop = () => server.connection({ databases: ['shop'] });
    const dropped = 'DROP DATABASE IF EXISTS shop WITH (FORCE)';

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stowage-hostile-'));
      server = await startPostgresServer('15', ['max_prepared_transactions=2']);
      await sql('CREATE ROLE owner; CREATE ROLE reader; CREATE ROLE writer', 'postgres');
    });
    beforeEach(() => sql('CREATE DATABASE shop OWNER owner TEMPLATE template0', 'postgres'));
    afterEach(() => sql(dropped, 'postgres'));
    afterAll(async () => {
      await engine.close();
      await server.stop();
      await rm(folder, { recursive: true });
    });

    async function dumpAndDrop(connection = shop()): Promise<DumpedAll> {
      const dumped = await dumpAll(engine, connection, context());
      await sql(dropped, 'postgres');
      return dumped;
    }
    const restore = (dumped: DumpedAll) => restoreAll(engine, server.connection(), dumped, context());
    const losses = async ({ inventory }: DumpedAll) => {
      const copy = await engine.inventory(shop(), context());
      return compareInventories(inventory, copy).differences.flatMap(
        (each) => engine.judgeDifference(each, { expected: inventory, actual: copy, changesByItself: false }) ?? [],
      );
    };

    test('comes back with all rows of partitions by the hash of an enum, although in other partitions', async () => {
      const labels = (count: number) => Array.from({ length: count }, (_each, index) => `'m${index}'`).join(', ');
      await sql(`CREATE TYPE mood AS ENUM (${labels(20)});
        CREATE SCHEMA "Other"; CREATE TABLE "Other"."All" (k mood, v int) PARTITION BY HASH (k);
        CREATE TABLE "Other"."Part 0" PARTITION OF "Other"."All" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE part_1 PARTITION OF "Other"."All" FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY LIST (k);
        CREATE TABLE part_1_all PARTITION OF part_1 DEFAULT;
        INSERT INTO "Other"."All" SELECT (enum_range(NULL::mood))[1 + i % 20], i FROM generate_series(1, 804) i`);
      const digest = `SELECT count(*), md5(string_agg(k || ':' || v, ',' ORDER BY v)) FROM "Other"."All"`;
      const places = 'SELECT string_agg(DISTINCT k::text, NULL) FROM part_1_all';
      const [before, placesBefore] = [await sql(digest), await sql(places)];
      const dumped = await dumpAndDrop();
      // The numbers of the labels decide about the hashes, so other numbers show another distribution.
      await sql(`CREATE TYPE mood AS ENUM (${labels(13)})`, 'postgres');
      await restore(dumped);
      await sql('DROP TYPE mood', 'postgres');
      expect(await sql(digest)).toBe(before);
      expect(await sql(places)).not.toBe(placesBefore);
      expect(await losses(dumped)).toEqual([]);
      await sql('DELETE FROM "Other"."All" WHERE v = 804');
      const [loss] = await losses(dumped);
      expect(loss?.sentence).toMatch(/ has \d+ of \d+ rows$/);
    });

    test('names each database that is left out', async () => {
      await sql('CREATE TABLE forgotten (id int)', 'postgres');
      await sql('CREATE DATABASE closed ALLOW_CONNECTIONS false', 'postgres');
      await sql('CREATE DATABASE pattern IS_TEMPLATE true', 'postgres');
      const prepared = await engine.prepareDump(server.connection(), { ...context(), steps: [] });
      await prepared.close();
      await sql('ALTER DATABASE pattern IS_TEMPLATE false', 'postgres');
      await sql('DROP TABLE forgotten', 'postgres');
      await sql('DROP DATABASE pattern', 'postgres');
      await sql('DROP DATABASE closed', 'postgres');
      const warnings = prepared.report.warnings.join('\n');
      expect(warnings).toContain("'closed'");
      expect(warnings).toContain("'pattern'");
      expect(warnings).toContain("'postgres'");
    });

    test.each(['zero_damaged_pages', 'ignore_checksum_failure'])(
      'is refused while %s hides damaged pages',
      async (name) => {
        await sql('CREATE TABLE orders (id int)');
        await sql(`ALTER DATABASE shop SET ${name} = on`, 'postgres');
        const refused = await engine.prepareDump(shop(), { ...context(), steps: [] }).catch((error: unknown) => error);
        expect(refused).toMatchObject({ code: 'SERVICE_SETTING' });
        expect(String(refused)).toContain(name);
      },
    );

    test('is restored with the same values whatever settings the account of the target has', async () => {
      await sql(`CREATE TABLE lists (a text[]); INSERT INTO lists VALUES (ARRAY[NULL, 'x']);
      CREATE VIEW nulls AS SELECT (a[1] = NULL) AS is_null FROM lists`);
      const dumped = await dumpAndDrop();
      await sql('ALTER ROLE admin SET array_nulls = off; ALTER ROLE admin SET transform_null_equals = on', 'postgres');
      await restore(dumped);
      await sql('ALTER ROLE admin RESET ALL', 'postgres');
      expect(await sql("SELECT a[1] IS NULL FROM lists; SELECT pg_get_viewdef('nulls')")).toMatch(/^t\n[^]*= NULL/);
      expect(await losses(dumped)).toEqual([]);
    });

    test('stays closed, and shows no value, if its restore fails', async () => {
      await sql(`CREATE TABLE zones (name text); INSERT INTO zones VALUES ('north');
      CREATE FUNCTION known(card text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        IF NOT EXISTS (SELECT FROM public.zones) THEN RAISE EXCEPTION 'the card % is unknown', card; END IF; RETURN true; END $$;
      CREATE TABLE cards (card text CHECK (known(card))); INSERT INTO cards VALUES ('4111111111111111');
      CREATE FUNCTION secrets() RETURNS SETOF zones LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM public.zones';
      REVOKE ALL ON FUNCTION secrets() FROM PUBLIC`);
      const dumped = await dumpAndDrop();
      const failure = await restore(dumped).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'TOOL_FAILED' });
      expect(JSON.stringify([failure, (failure as Error).message])).not.toContain('4111111111111111');
      const opened = await sql("SELECT has_database_privilege('reader', 'shop', 'CONNECT')", 'postgres');
      expect(opened.trim()).toBe('f');
    });

    test('is restored although another role granted its privileges', async () => {
      await sql(
        `GRANT CREATE ON DATABASE shop TO writer WITH GRANT OPTION; SET ROLE writer; GRANT CREATE ON DATABASE shop TO reader`,
      );
      const dumped = await dumpAndDrop();
      await restore(dumped);
      expect(await sql("SELECT has_database_privilege('reader', 'shop', 'CREATE')")).toBe('t\n');
      expect(await losses(dumped)).toEqual([]);
    });

    test('has its own names in another encoding', async () => {
      await sql(dropped, 'postgres');
      await sql("CREATE DATABASE shop TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'", 'postgres');
      await sql(`CREATE TABLE "café" (id int); INSERT INTO "café" VALUES (1), (2)`);
      const dumped = await dumpAndDrop();
      expect(dumped.inventory.databases[0]?.tables).toMatchObject([{ name: 'public.café', rows: 2 }]);
      await restore(dumped);
      expect(await losses(dumped)).toEqual([]);
    });

    test('reports the passwords that the account may not read', async () => {
      await sql(`CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far.example');
      CREATE USER MAPPING FOR reader SERVER far OPTIONS (user 'u', password 'pw');
      CREATE SUBSCRIPTION follows CONNECTION 'host=far.example password=pw' PUBLICATION p WITH (connect = false)`);
      await sql(backupAccount('backup', 15).join(';').replace("'…'", "'secret'"), 'postgres');
      const account = { username: 'backup', password: new Secret('secret') };
      const { report } = await dumpAll(engine, server.connection({ databases: ['shop'], ...account }), context());
      await sql('ALTER SUBSCRIPTION follows SET (slot_name = NONE); DROP SUBSCRIPTION follows');
      const warnings = report.warnings.join('\n');
      expect(warnings).toMatch(/without options and passwords: reader on far/);
      expect(warnings).toMatch(/not in the backup[^\n]*: follows/);
    });

    test('needs no membership in roles that own nothing, and names another version of an extension', async () => {
      await sql(`CREATE EXTENSION pg_trgm VERSION '1.5'; CREATE TABLE t (id int); ALTER TABLE t OWNER TO owner;
      GRANT SELECT ON t TO pg_monitor, reader; CREATE ROLE restorer LOGIN CREATEDB CREATEROLE PASSWORD 'secret'; GRANT owner, admin TO restorer`);
      const dumped = await dumpAndDrop();
      const target = server.connection({ username: 'restorer', password: new Secret('secret') });
      const { warnings } = await engine.restorePreflight(target, { inventory: dumped.inventory }, context());
      expect(warnings).toEqual([expect.stringMatching(/pg_trgm 1\.6 instead of 1\.5/)]);
      await restoreAll(engine, target, dumped, context());
      const memberships = await sql(
        "SELECT pg_has_role('restorer', 'reader', 'MEMBER'), pg_has_role('restorer', 'pg_monitor', 'MEMBER')",
      );
      expect(memberships).toBe('f|f\n');
      expect(await losses(dumped)).toEqual([]);
    });

    test('cannot pass as complete if blocks are missing at its end', async () => {
      await sql('CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)');
      const { parts } = await dumpAndDrop();
      const archive = execFileSync('zstd', ['-d', '-q'], { input: parts.at(-1)?.bytes });
      const isComplete = (bytes: Buffer) => {
        const scanned = scannedArchive('shop');
        scanStream(archiveScanner, bytes, []).found.forEach(scanned.add);
        return scanned.result().isComplete;
      };
      expect(isComplete(archive)).toBe(true);
      const closing = '\\.\n\n\n';
      const cuts: number[] = [];
      // The block ends with a number, which is zero.
      for (let at = archive.indexOf(closing); at >= 0; at = archive.indexOf(closing, at + 1))
        cuts.push(at + closing.length + 5);
      expect(cuts).toHaveLength(2);
      expect(cuts.map((cut) => isComplete(archive.subarray(0, cut)))).toEqual([false, cuts[1] === archive.length]);
      const head = archive.indexOf(closing);
      for (let cut = head - 40; cut < archive.length - 1; cut += 1)
        expect(isComplete(archive.subarray(0, cut))).toBe(false);
    });

    test('is warned of if its rows or objects cannot come back', async () => {
      await sql(`CREATE TABLE parents (id int PRIMARY KEY); CREATE TABLE children (parent int REFERENCES parents);
      ALTER TABLE children DISABLE TRIGGER ALL; INSERT INTO children VALUES (1);
      SET allow_system_table_mods = on; CREATE FUNCTION pg_catalog.of_a_customer() RETURNS int LANGUAGE sql RETURN 1`);
      const { report } = await dumpAll(engine, shop(), context());
      const warnings = report.warnings.join('\n');
      expect(warnings).toContain('public.children');
      expect(warnings).toContain('of_a_customer');
    });
  },
);
