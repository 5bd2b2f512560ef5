import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { dumpAll, restoreAll } from '../../../../test/fixtures/dumpAllParts.js';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import {
  postgresBin,
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
  type PostgresVersion,
} from '../../../../test/fixtures/servers/postgresVersions.js';
import { createPostgresqlEngine } from '../postgresqlEngine.js';

const versions: readonly PostgresVersion[] = ['15', '18'];

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'event triggers of a backup', () => {
  describe.each(versions)('of PostgreSQL %s', (version) => {
    const engine = createPostgresqlEngine({ tools: { folders: [postgresBin(version)] } });
    let server: PostgresServer;
    let folder: string;
    const context = () => ({ workFolder: folder, signal: AbortSignal.timeout(60_000) });

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stowage-event-triggers-'));
      server = await startPostgresServer(version);
    });
    afterAll(async () => {
      await engine.close();
      await server.stop();
      await rm(folder, { recursive: true });
    });

    test('neither end its restore nor write rows, and are enabled afterwards', async () => {
      await server.sql('postgres', 'CREATE DATABASE shop');
      await server.sql(
        'shop',
        `CREATE TABLE log (what text); CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (1);
         CREATE TABLE children (parent int REFERENCES parents); INSERT INTO children VALUES (1);
         CREATE MATERIALIZED VIEW copy AS SELECT id FROM parents; CREATE MATERIALIZED VIEW again AS SELECT id FROM copy;
         CREATE FUNCTION write_down() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (tg_tag); END $$;
         CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE EVENT TRIGGER a ON ddl_command_end EXECUTE FUNCTION write_down();
         CREATE EVENT TRIGGER b ON ddl_command_start EXECUTE FUNCTION refuse();`,
      );
      const dumped = await dumpAll(engine, server.connection({ databases: ['shop'] }), context());
      await server.sql('postgres', 'DROP DATABASE shop WITH (FORCE)');
      await restoreAll(engine, server.connection(), dumped, context());
      expect(await server.sql('shop', 'SELECT count(*) FROM log; SELECT id FROM again')).toBe('0\n1\n');
      await expect(server.sql('shop', 'CREATE TABLE more ()')).rejects.toThrow('no');
      await expect(server.sql('shop', 'INSERT INTO children VALUES (2)')).rejects.toThrow('violates foreign key');
    });
  });
});
