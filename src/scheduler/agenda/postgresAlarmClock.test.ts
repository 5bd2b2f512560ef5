import { PostgresJobRepository } from '@agendajs/postgres-backend';
import { Agenda } from 'agenda';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, escapeIdentifier, Pool } from 'pg';
import { alarmClockContract, type AlarmClockSubject } from '../../../test/contracts/alarmClock.contract.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { Secret } from '../../secret.js';
import { openPostgresAlarmClock } from './postgresAlarmClock.js';
import { defaultSchema, tableName } from './postgresAlarmTable.js';

const onError = () => undefined;

describeWith({ postgresql: await postgresMissing() }, 'alarm clock in PostgreSQL', () => {
  alarmClockContract(start);

  describe('for a role that may create nothing', () => {
    let server: TestPostgres;
    beforeAll(async () => {
      server = await startPostgres();
    });
    afterAll(() => server.stop());

    test('reports what to do, and works once its role may create the schema', async () => {
      const { ownerUrl, appUrl } = await server.createEmptyDatabase();
      const connectionString = new Secret(appUrl);
      await expect(openPostgresAlarmClock({ connectionString, onError })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        retriable: false,
        message: expect.stringContaining('grant CREATE'),
      });
      const owner = await server.connect(ownerUrl);
      const database = escapeIdentifier(new URL(ownerUrl).pathname.slice(1));
      await owner.query(`GRANT CREATE ON DATABASE ${database} TO ${new URL(appUrl).username}`);
      const clock = await openPostgresAlarmClock({ connectionString, onError });
      let called: (jobId: string) => void;
      const call = new Promise<string>((resolve) => (called = resolve));
      await clock.start({
        planTick: () => Promise.resolve(),
        jobDue: ({ jobId }) => {
          called(jobId);
          return Promise.resolve();
        },
      });
      await clock.set({ kind: 'JOB_DUE', jobId: 'granted', at: new Date() });
      expect(await call).toBe('granted');
      await clock.stop();
    });

    test('may be opened by many replicas at the same moment, in a schema of any plain name', async () => {
      const { ownerUrl } = await server.createEmptyDatabase();
      const connectionString = new Secret(ownerUrl);
      const schema = 'my_alarms';
      const clocks = await Promise.all(
        Array.from({ length: 8 }, () => openPostgresAlarmClock({ connectionString, schema, onError })),
      );
      await Promise.all(clocks.map((clock) => clock.stop()));
      await expect(openPostgresAlarmClock({ connectionString, schema: 'a;b', onError })).rejects.toMatchObject({
        code: 'BAD_INPUT',
      });
    });
  });
});

async function start(): Promise<AlarmClockSubject> {
  const server = await startPostgres();
  return {
    kind: 'postgres',
    stop: () => server.stop(),
    async newStore() {
      const { ownerUrl: url } = await server.createEmptyDatabase();
      const pool = new Pool({ connectionString: url, options: `-c search_path=${defaultSchema}` });
      pool.on('error', () => undefined);
      return {
        url,
        open: (options, through = url) => openPostgresAlarmClock({ connectionString: new Secret(through), ...options }),
        async documents() {
          const { rows } = await pool.query<Record<string, unknown>>(`SELECT * FROM ${tableName}`);
          return rows.map(({ id: _id, created_at: _created, updated_at: _updated, ...row }) => row);
        },
        async saveByAgenda(name, nextRunAt, data) {
          const repository = new PostgresJobRepository({ pool, tableName, ensureSchema: false });
          const nothing = () => Promise.resolve();
          const agenda = new Agenda({ backend: { name: 'bare', repository, connect: nothing, disconnect: nothing } });
          await agenda.schedule(nextRunAt, name, data);
        },
        async drop() {
          await pool.query(`DROP SCHEMA ${defaultSchema} CASCADE`);
        },
        async interrupt() {
          const database = new URL(url).pathname.slice(1);
          await allowConnections(server.adminUrl, database, false);
          return () => allowConnections(server.adminUrl, database, true);
        },
        close: () => pool.end(),
      };
    },
  };
}

async function allowConnections(adminUrl: string, database: string, allow: boolean): Promise<void> {
  const admin = new Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS ${String(allow)}`);
  if (!allow)
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [database]);
  await admin.end();
}
