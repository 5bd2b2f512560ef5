import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import {
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
} from '../../../../test/fixtures/servers/postgresVersions.js';
import { createConversations } from '../../conversation/conversations.js';
import { openSession, postgresqlDriver } from '../session/session.js';
import { readDefinitions } from './readDefinitions.js';

describeWith({ 'postgresql-versions': postgresVersionsMissing }, 'the definitions of PostgreSQL', () => {
  describe.each(['15', '18'] as const)('of version %s', (version) => {
    const conversations = createConversations(postgresqlDriver, { keepsSpare: false, tools: { folders: [] } });
    let server: PostgresServer;
    beforeAll(async () => {
      server = await startPostgresServer(version);
    });
    afterAll(async () => {
      await conversations.close();
      await server.stop();
    });

    const read = async () => {
      const options = { conversations, signal: AbortSignal.timeout(20_000), allowAddress: () => true };
      const session = await openSession(server.connection(), options);
      try {
        return await readDefinitions(session);
      } finally {
        session.close();
      }
    };

    test('have parts for a table, and change with it', async () => {
      await server.sql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, "a ""b" text DEFAULT $$x$$)');
      const before = (await read()).get('tables')?.get('public.t');
      expect(before?.parts).toMatchObject({
        'column id': 'integer not null',
        'column a "b': "text default 'x'::text",
        'index t_pkey': 'CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)',
        owner: 'admin',
      });
      await server.sql('postgres', 'ALTER TABLE t ADD CHECK (id > 0)');
      const after = (await read()).get('tables')?.get('public.t');
      expect(after?.hash).not.toBe(before?.hash);
      expect(after?.parts?.['constraint t_id_check']).toBe('CHECK ((id > 0))');
    });
  });
});
