/**
 * Runs schedules through the composition of both roles: an API and a worker with separate stores. There are two
 * installations, one for each store of alarms. Alarms that the alarm clock loses are set again. The services do not
 * answer, so their jobs wait for retries.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { Client } from 'pg';
import { freePorts } from '../../test/fixtures/servers/freePorts.js';
import { GraphqlUser } from '../../test/fixtures/api/graphqlUser.js';
import { mariadbMissing } from '../../test/fixtures/servers/mariadb.js';
import { mongoMissing, startMongo } from '../../test/fixtures/servers/mongo.js';
import { postgresMissing, startPostgres, type TestDatabase } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { until } from '../../test/fixtures/until.js';
import type { ScheduleStore } from '../settingChecks.js';
import { openLog, type Log } from '../log.js';
import { Secret } from '../secret.js';
import { parseAllowedTargets } from '../storage/allowedTargets.js';
import { startApi } from './apiRole.js';
import { Closing } from './closing.js';
import { openShared } from './shared.js';
import { startWorkerRole } from './workerRole.js';

/** The minute between two comparisons, on a busy machine. */
const minuteMs = 60_000;
const limitMs = 3 * minuteMs;
jest.setTimeout(limitMs + minuteMs);

type Alarms = { readonly store: ScheduleStore; drop(): Promise<void>; stop(): Promise<void> };

const needs = { postgresql: await postgresMissing(), mariadb: mariadbMissing, mongodb: await mongoMissing() };

describeWith(needs, 'the schedules of an installation', () => {
  const closing = new Closing(silentLog());
  let installations: readonly Installation[];

  beforeAll(async () => {
    const postgres = await startPostgres();
    closing.add('PostgreSQL', () => postgres.stop());
    const mongo = await mongoAlarms();
    closing.add('MongoDB', () => mongo.stop());
    installations = [
      await startInstallation(await postgres.createDatabase(), mongo, closing),
      await startInstallation(postgres, postgresAlarms(postgres), closing),
    ];
  });
  afterAll(() => closing.close());

  test('are set again within a minute after the whole store was dropped, for every active plan and every retry', async () => {
    await Promise.all(
      installations.map(async ({ alarms, armed, plan, user }) => {
        const [planId, paused] = [await plan(farAway()), await plan(farAway())];
        await user.execute('mutation ($id: ID!) { pauseBackupPlan(id: $id) { id } }', { id: paused });
        await user.execute('mutation ($id: ID!) { startBackup(input: { planId: $id }) { batchId } }', { id: planId });
        await until(async () => (await armed()).length === 2, 'the plan and the retry are armed', limitMs);
        const before = await armed();
        expect(before).toEqual([expect.stringContaining('"JOB_DUE"'), expect.stringContaining(planId)]);

        await alarms.drop();
        expect(await armed()).toEqual([]);
        const isBack = async () => {
          const now = await armed();
          // The retry may have run and failed in the meantime, and the job waits for the next one.
          return now.length === 2 && now[1] === before[1];
        };
        await until(isBack, 'both are armed again', limitMs);
      }),
    );
  });
});

type Installation = Awaited<ReturnType<typeof startInstallation>>;

async function startInstallation(database: TestDatabase, alarms: Alarms, closing: Closing) {
  const log = silentLog();
  const root = await mkdtemp(join(tmpdir(), 'stowage-schedules-'));
  closing.add('folder', () => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, 'backups'));
  const config = {
    databaseUrl: new Secret(database.appUrl),
    migrationDatabaseUrl: new Secret(database.ownerUrl),
    scheduleStore: alarms.store,
    masterKeys: [new Secret(randomBytes(32).toString('base64'))],
    allowedTargets: parseAllowedTargets('default,loopback'),
    filesystemRoot: root,
  };
  const api = await openShared({ ...config, role: 'serve' }, log, closing);
  const adminToken = new Secret('a-token-of-the-installation');
  const listenAt = { host: '127.0.0.1', port: 0, publicUrl: null };
  const url = await startApi(api, { ...config, ...listenAt, adminToken, minIntervalMs: minuteMs }, log, closing);
  const worker = await openShared({ ...config, role: 'worker' }, log, closing);
  await startWorkerRole(
    worker,
    {
      ...{ concurrency: 2, leaseMs: 45_000, graceMs: 1_000, auditIntervalMs: 3_600_000, lockPatienceMs: 30_000 },
      ...{ projectShare: null, maxTimeoutMs: null },
    },
    log,
    closing,
  );
  const user = new GraphqlUser(url, adminToken.reveal());
  closing.add('user', () => user.close());

  const create = async (mutation: string, input: unknown): Promise<string> =>
    (await user.execute<{ made: { id: string } }>(mutation, { input })).made.id;
  const projectId = await create('mutation ($input: String!) { made: createProject(name: $input) { id } }', 'harbour');
  const fileEndpointId = await create(
    'mutation ($input: FileEndpointInput!) { made: createFileEndpoint(input: $input) { id } }',
    { projectId, name: 'backups', settings: { filesystem: { path: 'backups' } } },
  );
  return {
    alarms,
    user,
    armed: async () => (await api.alarmClock.list()).map((alarm) => JSON.stringify(alarm)).sort(),
    /** A plan of a service that does not answer. */
    plan: async (frequency: string): Promise<string> => {
      const address = { engine: 'MARIADB', host: '127.0.0.1', port: await freePorts(1), username: 'u', password: 'p' };
      const serviceId = await create(
        'mutation ($input: ServiceInput!) { made: registerService(input: $input) { id } }',
        {
          ...{ projectId, name: randomUUID() },
          ...address,
        },
      );
      return create('mutation ($input: BackupPlanInput!) { made: createBackupPlan(input: $input) { id } }', {
        ...{ serviceId, name: randomUUID(), fileEndpointIds: [fileEndpointId], frequency },
        retention: { style: 'FILES', period: 7 },
        // With so many attempts, a retry is always pending.
        maxAttempts: 10,
      });
    },
  };
}

function silentLog(): Log {
  return openLog('json', 'error', { write: () => undefined });
}

/** Daily, half a day from now: no tick is due during a test. */
function farAway(): string {
  return `0 0 ${(new Date().getUTCHours() + 12) % 24} * * *`;
}

async function mongoAlarms(): Promise<Alarms> {
  const server = await startMongo();
  const url = server.newDatabaseUrl();
  return {
    store: { kind: 'mongodb', url: new Secret(url) },
    async drop() {
      const client = await new MongoClient(url).connect();
      await client.db().dropDatabase();
      await client.close();
    },
    stop: () => server.stop(),
  };
}

function postgresAlarms({ appUrl }: TestDatabase): Alarms {
  return {
    store: { kind: 'postgres' },
    async drop() {
      const client = new Client({ connectionString: appUrl });
      await client.connect();
      await client.query('DROP TABLE alarms.agenda_jobs');
      await client.end();
    },
    stop: () => Promise.resolve(),
  };
}
