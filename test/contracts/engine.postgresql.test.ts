import { readFile } from 'node:fs/promises';
import { describe } from '@jest/globals';
import { createPostgresqlEngine } from '../../src/engines/postgresql/postgresqlEngine.js';
import { postgresFingerprint } from '../fixtures/postgresFingerprint.js';
import { describeWith } from '../fixtures/requirements.js';
import {
  postgresBin,
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresVersion,
} from '../fixtures/servers/postgresVersions.js';
import { engineContract } from './engine.contract.js';

/** The version of the source, and that of the target. */
const pairs: readonly (readonly [PostgresVersion, PostgresVersion])[] = [
  ['15', '15'],
  ['15', '18'],
  ['18', '18'],
];

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'PostgreSQL', () => {
  describe.each(pairs)('from %s to %s', (from, to) => {
    engineContract(`PostgreSQL from ${from} to ${to}`, async () => {
      const [source, target] = await Promise.all([startPostgresServer(from), startPostgresServer(to)]);
      await source.sql('postgres', await readFile('scripts/quickstart-sample-postgresql.sql', 'utf8'));
      const connection = source.connection({ databases: ['harbour'] });
      const login = `host=127.0.0.1 port=${target.port} user=${target.username} dbname=postgres`;
      const password = target.password.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
      return {
        engine: createPostgresqlEngine({ tools: { folders: [postgresBin(to)] } }),
        source: connection,
        target: target.connection(),
        nowhere: { ...connection, port: 1 },
        clearTarget: () => target.sql('postgres', 'DROP DATABASE IF EXISTS harbour WITH (FORCE)').then(() => undefined),
        contents: ({ port }) => postgresFingerprint(port === target.port ? target : source, 'harbour', to),
        byHandTarget: `--dbname="${`${login} password='${password}'`.replaceAll('\\', '\\\\')}"`,
        byHandFolder: postgresBin(to),
        stop: () => Promise.all([source.stop(), target.stop()]).then(() => undefined),
      };
    });
  });
});
