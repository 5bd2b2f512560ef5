import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Client as PgClient } from 'pg';
import type { Client } from 'graphql-ws';
import { mutationCases, type Known } from '../fixtures/api/badInputs.js';
import { operationDocument } from '../fixtures/api/operationDocument.js';
import { errorsOver, startSettledApi, type SettledApi } from '../fixtures/api/settledApi.js';
import type { WholeApi } from '../fixtures/api/wholeApi.js';
import { describeWith } from '../fixtures/requirements.js';
import {
  postgresMissing,
  startPostgres,
  startTestServer,
  type TestPostgres,
  type TestServer,
} from '../fixtures/servers/postgres.js';
import { until } from '../fixtures/until.js';

const shortPatienceMs = 1_500;

describeWith({ postgresql: await postgresMissing() }, 'while PostgreSQL does not answer', () => {
  let server: TestServer;
  let postgres: TestPostgres;
  let api: WholeApi;
  let settled: SettledApi;
  let known: Known;
  let socket: Client;
  let filesystemRoot: string;
  let patienceMs = shortPatienceMs;

  beforeAll(async () => {
    server = await startTestServer(['max_connections=40']);
    postgres = await startPostgres(server);
    filesystemRoot = await mkdtemp(join(tmpdir(), 'stowage-away-'));
    settled = await startSettledApi(
      {
        database: postgres,
        masterKeys: [Buffer.alloc(32, 1).toString('base64')],
        filesystemRoot,
      },
      { patienceMs: () => patienceMs },
    );
    ({ api, known, socket } = settled);
  });
  afterAll(async () => {
    await settled.stop();
    await postgres.stop();
    await rm(filesystemRoot, { recursive: true });
  });
  beforeEach(() =>
    until(async () => (await api.post('{ projects { totalCount } }')).errors.length === 0, 'PostgreSQL answers'),
  );

  const requests = () => {
    const { serviceId, planId, storedJobId, projectId, fileEndpointId, restoreJobId } = known.own;
    const queries = [
      ['{ projects { nodes { id name } totalCount } }', {}],
      ['query ($id: ID!) { service(id: $id) { id plans { nodes { id } } } }', { id: serviceId }],
      ['query ($id: ID!) { services(projectId: $id) { nodes { id protection { status } } } }', { id: projectId }],
      ['query ($id: ID!) { backupPlan(id: $id) { id nextRunAt } }', { id: planId }],
      ['query ($id: ID!) { backupJob(id: $id) { id expectedDeletionAt } }', { id: storedJobId }],
      ['query ($id: ID!) { fileEndpoint(id: $id) { id location } }', { id: fileEndpointId }],
      ['query ($id: ID!) { restoreJob(id: $id) { id } }', { id: restoreJobId }],
      ['query ($id: ID!) { events(streamId: $id) { nodes { summary } } }', { id: serviceId }],
      ['query ($id: ID!) { node(id: $id) { id } }', { id: serviceId }],
      ['{ backupJobs { nodes { id } } }', {}],
      ['{ workers { id } }', {}],
    ] as const;
    const mutations = Object.values(api.schema.getMutationType()?.getFields() ?? {}).flatMap((operation) => {
      const cases = mutationCases[operation.name];
      if (cases === undefined || cases.notYet === true) return [];
      return [[operationDocument('mutation', operation), cases.good(known)] as const];
    });
    const subscriptions = [
      ['subscription ($id: ID!) { backupJob(id: $id) { id } }', { id: known.own.queuedJobId }],
      ['subscription { backupJobChanges { kind } }', {}],
      ['subscription { events(after: "0") { id } }', {}],
      ['subscription { workerChanges { kind } }', {}],
    ] as const;
    return { queries, mutations, subscriptions };
  };

  /** The codes of all answers that are not UNAVAILABLE, by document. */
  async function othersThanUnavailable(): Promise<object[]> {
    const { queries, mutations, subscriptions } = requests();
    const overHttp = [...queries, ...mutations].map(async ([query, variables]) => {
      const { status, errors } = await api.post(query, variables);
      return { query, status, codes: errors.map(({ extensions }) => extensions.code) };
    });
    const overSocket = [...queries.slice(0, 4), ...mutations.slice(0, 4), ...subscriptions].map(
      async ([query, variables]) => {
        const errors = await errorsOver(socket, { query, variables });
        return { query, status: 200, codes: errors.map(({ extensions }) => extensions.code) };
      },
    );
    const answers = await Promise.all([...overHttp, ...overSocket]);
    return answers.filter(({ status, codes }) => status >= 500 || codes.length === 0 || codes.some(isAnother));
  }

  const isAnother = (code: string) => code !== 'UNAVAILABLE';
  const defects = () => api.logged.filter((line) => line.includes('defect'));

  test('because all its processes are stopped, every operation is UNAVAILABLE within the limit', async () => {
    await server.pause();
    const others = await othersThanUnavailable();
    await server.resume();
    expect(others).toEqual([]);
    expect(defects()).toEqual([]);
  });

  test('after kill -9, every operation is UNAVAILABLE until it is started again', async () => {
    await server.crash();
    const others = await othersThanUnavailable();
    await server.startAgain();
    expect(others).toEqual([]);
    expect(defects()).toEqual([]);
  });

  test('because it accepts no more connections, every operation is UNAVAILABLE', async () => {
    const admin = new PgClient({ connectionString: server.adminUrl });
    await admin.connect();
    // The next test kills the server, which runs without synchronous commits.
    await admin.query('SET synchronous_commit = on');
    await admin.query('ALTER ROLE stowage_app CONNECTION LIMIT 0');
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'stowage_app'");
    const others = await othersThanUnavailable();
    await admin.query('ALTER ROLE stowage_app CONNECTION LIMIT -1');
    await admin.end();
    expect(others).toEqual([]);
    expect(defects()).toEqual([]);
  });

  test('for less than the time limit, a query and a mutation wait for it and succeed', async () => {
    patienceMs = 120_000;
    await server.crash();
    const reading = api.post('{ projects { totalCount } }');
    const writing = api.post('mutation ($name: String!) { createProject(name: $name) { id } }', { name: randomUUID() });
    await server.startAgain();
    expect((await reading).errors).toEqual([]);
    expect((await writing).errors).toEqual([]);
    patienceMs = shortPatienceMs;
  });
});
