import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { dumpAll, restoreAll } from '../../../../test/fixtures/dumpAllParts.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import {
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
} from '../../../../test/fixtures/servers/postgresVersions.js';
import { Secret } from '../../../secret.js';
import { createPostgresqlEngine } from '../postgresqlEngine.js';

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'what only a superuser may create', () => {
  const engine = createPostgresqlEngine();
  let server: PostgresServer;
  let folder: string;
  const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(60_000) });
  const restorer = () => server.connection({ username: 'restorer', password: new Secret('secret') });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-superuser-'));
    server = await startPostgresServer('15', ['wal_level=logical']);
    await server.sql(
      'postgres',
      "CREATE ROLE restorer LOGIN CREATEDB CREATEROLE PASSWORD 'secret'; CREATE ROLE owner; GRANT owner, admin TO restorer",
    );
  });
  afterAll(async () => {
    await engine.close();
    await server.stop();
    await rm(folder, { recursive: true });
  });

  async function inventoryOf(statements: string) {
    await server.sql('postgres', 'CREATE DATABASE shop');
    await server.sql('shop', statements);
    const dumped = await dumpAll(engine, server.connection({ databases: ['shop'] }), context());
    if (statements.includes('SUBSCRIPTION'))
      await server.sql('shop', 'ALTER SUBSCRIPTION follows SET (slot_name = NONE); DROP SUBSCRIPTION follows');
    await server.sql('postgres', 'DROP DATABASE shop WITH (FORCE)');
    return dumped;
  }

  test('is refused for another account before anything is sent, and named', async () => {
    const { inventory } = await inventoryOf(
      `CREATE EXTENSION postgres_fdw; CREATE EXTENSION pg_trgm; CREATE PUBLICATION everything FOR ALL TABLES;
       CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
       CREATE EVENT TRIGGER "Guard" ON ddl_command_end EXECUTE FUNCTION guard();
       CREATE FOREIGN DATA WRAPPER own_wrapper; CREATE OPERATOR FAMILY family USING btree;
       CREATE FUNCTION sealed() RETURNS int LANGUAGE sql LEAKPROOF RETURN 1;
       CREATE FUNCTION in_c(int) RETURNS int LANGUAGE internal AS 'int4abs';
       CREATE TYPE pair AS (a int, b int); CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE TYPE mood AS ENUM ('a');
       CREATE SUBSCRIPTION follows CONNECTION 'host=far.example password=hidden' PUBLICATION p WITH (connect = false)`,
    );
    const refused = await engine
      .restorePreflight(restorer(), { inventory }, context())
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'SERVICE_PRIVILEGE',
      message:
        'Only a superuser of the target may create what the backup has: extension postgres_fdw, event trigger "Guard", ' +
        'foreign data wrapper own_wrapper, function public.in_c, function public.sealed, operator family public.family, ' +
        'publication everything of all tables, subscription follows.',
    });
    expect(JSON.stringify(inventory)).not.toContain('hidden');
    await engine.restorePreflight(server.connection(), { inventory }, context());
  });

  test('is all that such an account may not restore', async () => {
    const dumped = await inventoryOf(
      `CREATE EXTENSION pg_trgm; CREATE TYPE pair AS (a int, b int); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
       CREATE TYPE mood AS ENUM ('a'); CREATE TYPE span AS RANGE (subtype = numeric); CREATE TABLE t (p pair, m mood);
       CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1; CREATE CAST (pair AS text) WITH INOUT;
       CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq); CREATE PUBLICATION published FOR TABLE t;
       CREATE AGGREGATE product(float8) (SFUNC = float8mul, STYPE = float8, INITCOND = '1')`,
    );
    await engine.restorePreflight(restorer(), { inventory: dumped.inventory }, context());
    await restoreAll(engine, restorer(), dumped, context());
    await server.sql('postgres', 'DROP DATABASE shop WITH (FORCE)');
  });
});
