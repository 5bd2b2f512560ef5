import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { dumpAll, restoreAll } from '../../../test/fixtures/dumpAllParts.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import {
  postgresBin,
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
  type PostgresVersion,
} from '../../../test/fixtures/servers/postgresVersions.js';
import { createConversations } from '../conversation/conversations.js';
import { createPostgresqlEngine } from './postgresqlEngine.js';
import { openSession, postgresqlDriver } from './session/session.js';

const versions: readonly PostgresVersion[] = ['15', '18'];

/** Each is set on the server, for the role, for the database and for the role in it, and would end or change a job. */
const hostile: Readonly<Record<string, string>> = {
  statement_timeout: '100ms',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
  default_transaction_read_only: 'on',
  row_security: 'on',
  search_path: 'pg_temp',
  extra_float_digits: '-15',
  DateStyle: 'German',
  IntervalStyle: 'sql_standard',
  bytea_output: 'escape',
  xmloption: 'document',
  array_nulls: 'off',
};

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'settings of a role', () => {
  describe.each(versions)('of PostgreSQL %s', (version) => {
    const engine = createPostgresqlEngine({ tools: { folders: [postgresBin('18')] } });
    const all = {
      ...hostile,
      idle_session_timeout: '5s',
      ...(version === '18' ? { transaction_timeout: '700ms' } : {}),
    };
    let server: PostgresServer;
    let folder: string;
    const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(60_000) });
    const statements = (subject: string) =>
      Object.entries(all)
        .map(([name, value]) => `ALTER ${subject} SET ${name} = '${value}';`)
        .join('\n');
    /** psql sets nothing by itself. */
    const ours = 'SET statement_timeout = 0; SET default_transaction_read_only = off; SET idle_session_timeout = 0;';

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stowage-settings-'));
      server = await startPostgresServer(version);
      await server.sql('postgres', 'CREATE DATABASE shop');
      await server.sql(
        'shop',
        `CREATE TABLE waits (t text); INSERT INTO waits VALUES ('x');
         CREATE FUNCTION slow(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_sleep(1); RETURN $1; END $$;
         CREATE INDEX by_slow ON waits (slow(t));
         CREATE TABLE values_of (f float8, d date, i interval, b bytea, x xml, a text[], note interval DEFAULT '-1 day 2 hours');
         INSERT INTO values_of VALUES (0.1 + 0.2, '2026-02-01', '-1 mon +2 days -03:00:01', '\\x00ff5c', NULL, ARRAY[NULL, 'x']),
           (5e-324, '2026-12-31', '1 year -1 day', '', NULL, '{}');
         CREATE TABLE parts (d date) PARTITION BY RANGE (d); CREATE TABLE part PARTITION OF parts FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
         INSERT INTO parts VALUES ('2026-02-03')`,
      );
    });
    afterAll(async () => {
      await engine.close();
      await server.stop();
      await rm(folder, { recursive: true });
    });

    test('end no dump and no restore, and change no value', async () => {
      const contents = `${ours} SET DateStyle = ISO; SET IntervalStyle = postgres; SET extra_float_digits = 3; SET bytea_output = hex; SET search_path = public;
        SELECT f, d, i, b, a, (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef) FROM values_of ORDER BY 1; SELECT * FROM part; SELECT count(*) FROM waits`;
      const before = await server.sql('shop', contents);
      await server.sql(
        'postgres',
        `${statements('ROLE admin')} ${statements('DATABASE shop')} ${statements('ROLE admin IN DATABASE shop')} ${statements('DATABASE postgres')}`,
      );
      const dumped = await dumpAll(engine, server.connection({ databases: ['shop'] }), context());
      await server.sql('postgres', `${ours} DROP DATABASE shop WITH (FORCE)`);
      await restoreAll(engine, server.connection(), dumped, context());
      expect(await server.sql('shop', contents)).toBe(before);
    });

    test('have no effect in our own sessions', async () => {
      const conversations = createConversations(postgresqlDriver, { keepsSpare: false, tools: { folders: [] } });
      const options = { conversations, signal: AbortSignal.timeout(20_000), allowAddress: () => true };
      const session = await openSession(server.connection(), options, 'shop');
      const rows = await session.query('SELECT lower(name) AS name, setting FROM pg_settings WHERE name = ANY ($1)', [
        Object.keys(all),
      ]);
      session.close();
      await conversations.close();
      const found = Object.fromEntries(rows.map((row) => [row['name'] ?? '', row['setting']]));
      const limits = ['statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout'];
      for (const name of [...limits, ...('transaction_timeout' in all ? ['transaction_timeout'] : [])])
        expect([name, found[name]]).toEqual([name, '0']);
      expect(found).toMatchObject({
        default_transaction_read_only: 'off',
        row_security: 'off',
        search_path: '""',
        intervalstyle: 'postgres',
        bytea_output: 'hex',
      });
    });
  });
});
