import { createPostgresqlEngine } from '../../../src/engines/postgresql/postgresqlEngine.js';
import { postgresFingerprint } from '../../fixtures/postgresFingerprint.js';
import { postgresBin, startPostgresServer } from '../../fixtures/servers/postgresVersions.js';
import type { EngineServers } from './engineGround.js';

const account = 'stowage';
const password = "own 'quoted'";

export async function postgresqlServers(): Promise<EngineServers> {
  const [source, target] = await Promise.all([startPostgresServer('15'), startPostgresServer('15')]);
  const servers = { source, target };
  const setPassword = async (of: 'source' | 'target', to: string) => {
    await servers[of].sql('postgres', `ALTER ROLE ${account} PASSWORD '${to.replaceAll("'", "''")}'`);
  };
  for (const each of ['source', 'target'] as const) {
    await servers[each].sql('postgres', `CREATE ROLE ${account} LOGIN SUPERUSER`);
    await setPassword(each, password);
  }
  await source.sql('postgres', 'CREATE DATABASE shop');
  await source.sql('shop', sample);
  return {
    ...{ dumpTool: 'pg_dump', restoreTool: 'pg_restore', toolFolder: postgresBin('15') },
    besideTool: ['pg_dump', 'pg_dumpall', 'pg_restore'],
    login: { username: account, password },
    settings: {},
    ports: { source: source.port, target: target.port },
    createEngine: (tools) => createPostgresqlEngine({ tools }),
    async contents(of) {
      const found = await servers[of].sql('postgres', "SELECT 1 FROM pg_database WHERE datname = 'shop'");
      return found === '' ? undefined : postgresFingerprint(servers[of], 'shop', '15');
    },
    clearTarget: () => target.sql('postgres', 'DROP DATABASE IF EXISTS shop WITH (FORCE)').then(() => undefined),
    async endSessions(of) {
      await servers[of].sql(
        'postgres',
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${account}'`,
      );
    },
    setPassword: (of, which) => setPassword(of, which === 'OTHER' ? 'other' : password),
    dropLastTable: () => source.sql('shop', 'DROP TABLE words CASCADE').then(() => undefined),
    createLastTable: () => source.sql('shop', words).then(() => undefined),
    stop: () => Promise.all([source.stop(), target.stop()]).then(() => undefined),
  };
}

const words = `SET client_min_messages = warning;
DROP TABLE IF EXISTS words CASCADE; CREATE TABLE words (id int PRIMARY KEY, note text NOT NULL);
INSERT INTO words SELECT n, format('Ladung %s für Kai 🚢 %s', encode(sha256(n::text::bytea), 'hex'), n % 17)
  FROM generate_series(1, 15000) n;
CREATE VIEW latest AS SELECT id, note FROM words WHERE id > 14900;`;

/** Half of the data is noise, which does not compress. */
const sample = `CREATE TABLE noise (id int PRIMARY KEY, b bytea NOT NULL);
INSERT INTO noise SELECT n, (SELECT string_agg(sha512((n * 100 + k)::text::bytea), ''::bytea) FROM generate_series(1, 16) k)
  FROM generate_series(1, 4000) n;
CREATE TABLE empty (id int PRIMARY KEY);
SET check_function_bodies = off;
CREATE FUNCTION count_words() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.words';
${words}`;
