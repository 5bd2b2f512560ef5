/**
 * What a monitoring dashboard asks of a million backup jobs: `backupStats` and pages of `backupJobs` as `stowage serve`
 * composes them, beside the same question as SQL by hand with the best index. `our SQL` are the statements that the
 * resolvers send, sent again over the same connection pool in turns with those by hand: the promise is at most 1.5 times
 * their median. `resolvers` executes the whole operation in this process, `HTTP` from the client and back: GraphQL costs
 * some milliseconds, whatever the database does.
 *
 *   node --import @swc-node/register/esm-register bench/stats.ts [jobs] [rounds]
 */
import { randomUUID } from 'node:crypto';
import { graphql } from 'graphql';
import { composeApi } from '../src/composition/api.js';
import { backupTotals, serviceFigures } from '../src/jobs/backupFigures.js';
import { possiblyLate } from '../src/jobs/protectionQueries.js';
import { Loaders } from '../src/server/loaders.js';
import { installationViewer } from '../src/server/viewer.js';
import { parseAllowedTargets } from '../src/storage/allowedTargets.js';
import { fillWithBackupJobs } from '../test/fixtures/manyBackupJobs.js';
import { startPostgres } from '../test/fixtures/postgres.js';
import { sentStatements } from '../test/fixtures/sentStatements.js';
import { startRealApi } from './realApi.js';

const jobs = Number(process.argv[2] ?? 1_000_000);
const rounds = Number(process.argv[3] ?? 15);
const promised = 1.5;

type Question = {
  readonly tile: string;
  readonly query: string;
  readonly variables?: Record<string, unknown>;
  readonly sql: string;
  readonly parameters?: readonly unknown[];
};

const now = Date.now();
const daysAgo = (days: number) => new Date(now - days * 86_400_000).toISOString();
const byStatus = 'statuses { status count }';
const row = 'nodes { id status trigger queuedAt startedAt finishedAt storedSize message }';
const columns = `id, status, trigger, queued_at, started_at, finished_at, stored_size_bytes, phase, error, attempt,
  cancel_requested_by`;

const postgres = await startPostgres();
try {
  const owner = await postgres.connect(postgres.ownerUrl);
  const filling = performance.now();
  await fillWithBackupJobs(owner, { projects: 200, services: 5_000, jobs });
  console.log(`${jobs} jobs written in ${Math.round((performance.now() - filling) / 1000)} s.`);
  const [one] = await owner.query<[{ project_id: string; service_id: string; plan_id: string }]>(
    "SELECT project_id, service_id, plan_id FROM backup_jobs WHERE status = 'SUCCEEDED' LIMIT 1",
  );
  const api = await startRealApi(postgres);
  const schema = composeApi({
    ...api.shared,
    allowedTargets: parseAllowedTargets('0.0.0.0/0'),
    minIntervalMs: 60_000,
    stopping: new AbortController().signal,
    publicUrl: () => 'http://localhost',
  });
  const resolved = async ({ query, variables }: Question) => {
    const { errors } = await graphql({
      schema,
      source: query,
      ...(variables === undefined ? {} : { variableValues: variables }),
      contextValue: {
        viewer: installationViewer,
        correlationId: randomUUID(),
        clientAddress: undefined,
        loaders: new Loaders(),
      },
    });
    if (errors?.[0] !== undefined) throw errors[0];
  };

  const { dataSource } = api.shared;
  const table = [];
  for (const question of questions(one)) {
    const sent = await sentStatements(dataSource, () => resolved(question));
    const ours = sent.filter(({ query }) => query.includes('backup_jobs'));
    const ways = {
      hand: () => dataSource.query(question.sql, [...(question.parameters ?? [])]),
      ours: () => Promise.all(ours.map(({ query, parameters }) => dataSource.query(query, parameters))),
      resolvers: () => resolved(question),
      http: () => api.call(question.query, question.variables),
    };
    const times = await inTurns(ways);
    table.push({
      tile: question.tile,
      'by hand ms': times.hand.toFixed(1),
      'our SQL ms': times.ours.toFixed(1),
      ratio: (times.ours / times.hand).toFixed(2),
      'resolvers ms': times.resolvers.toFixed(1),
      'HTTP ms': times.http.toFixed(1),
    });
  }
  const services = [];
  const { manager } = dataSource;
  const ofServices = {
    'who may be late (every 20 s a process)': () => possiblyLate(manager, new Date()),
    'protection of all services': () => serviceFigures(manager, new Date()),
    'totals for /metrics': () => backupTotals(manager),
    'filter of LATE services, over HTTP': () =>
      api.call('{ services(filter: { protection: [LATE] }) { totalCount nodes { id } } }'),
  };
  for (const [what, ms] of Object.entries(await inTurns(ofServices))) services.push({ what, ms: ms.toFixed(1) });
  await api.stop();
  console.table(table);
  console.table(services);
  if (table.some((each) => Number(each.ratio) > promised)) {
    console.error(`A question took more than ${promised} times its SQL by hand.`);
    process.exitCode = 1;
  }
} finally {
  await postgres.stop();
}

function questions(one: { project_id: string; service_id: string; plan_id: string }): readonly Question[] {
  const from = daysAgo(30);
  const statsQuery = (within: string) => `query ($id: ID, $ids: [ID!], $from: DateTime!) {
    backupStats(projectId: $id, filter: { serviceIds: $ids, queuedFrom: $from }, bucket: DAY,
      timeZone: "Europe/Berlin") { ${within} } }`;
  const everything = `${byStatus} active writtenSize medianExecutionTime buckets { from ${byStatus} writtenSize }`;
  const statsSql = (where: string) => `
    WITH fitting AS NOT MATERIALIZED (SELECT * FROM backup_jobs WHERE queued_at >= $1 ${where})
    SELECT date_trunc('day', queued_at, 'Europe/Berlin') AS day, status, count(*), sum(stored_size_bytes),
      (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at))
       FROM fitting WHERE status = 'SUCCEEDED') AS median
    FROM fitting GROUP BY 1, 2`;
  const pageQuery = `query ($projectId: ID, $filter: BackupJobFilter, $orderBy: BackupJobOrder) {
    backupJobs(projectId: $projectId, filter: $filter, orderBy: $orderBy) { ${row} pageInfo { hasNextPage } } }`;
  const page = (tile: string, variables: Record<string, unknown>, where: string, order: string, ...p: unknown[]) => ({
    tile,
    query: pageQuery,
    variables,
    sql: `SELECT ${columns} FROM backup_jobs WHERE ${where} ORDER BY ${order} LIMIT 51`,
    parameters: p,
  });
  const newest = 'queued_at DESC, id DESC';
  const yesterday = daysAgo(1);
  return [
    {
      tile: 'stats: installation, 30 days by day',
      query: statsQuery(everything),
      variables: { from },
      sql: statsSql(''),
      parameters: [from],
    },
    {
      tile: 'stats: one project, 30 days by day',
      query: statsQuery(everything),
      variables: { from, id: one.project_id },
      sql: statsSql('AND project_id = $2'),
      parameters: [from, one.project_id],
    },
    {
      tile: 'stats: one service, 30 days by day',
      query: statsQuery(everything),
      variables: { from, ids: [one.service_id] },
      sql: statsSql('AND service_id = $2'),
      parameters: [from, one.service_id],
    },
    {
      tile: 'stats: installation, everything',
      query: `{ backupStats { ${byStatus} writtenSize } }`,
      sql: 'SELECT status, count(*), sum(stored_size_bytes) FROM backup_jobs GROUP BY status',
    },
    page(
      'page: failed in the last 24 h',
      { filter: { status: ['FAILED'], queuedFrom: yesterday } },
      "status = 'FAILED' AND queued_at >= $1",
      newest,
      yesterday,
    ),
    page('page: a project, newest', { projectId: one.project_id }, 'project_id = $1', newest, one.project_id),
    page('page: a plan, newest', { filter: { planIds: [one.plan_id] } }, 'plan_id = $1', newest, one.plan_id),
    page(
      'page: running and queued',
      { filter: { status: ['QUEUED', 'RUNNING'] } },
      "status IN ('QUEUED', 'RUNNING')",
      newest,
    ),
    page(
      'page: largest',
      { orderBy: { by: 'STORED_SIZE' } },
      'stored_size_bytes IS NOT NULL',
      'stored_size_bytes DESC, id DESC',
    ),
    page(
      'page: slowest of a project',
      { projectId: one.project_id, orderBy: { by: 'EXECUTION_TIME' } },
      'project_id = $1 AND (extract(epoch FROM finished_at - started_at) * 1000)::bigint IS NOT NULL',
      '(extract(epoch FROM finished_at - started_at) * 1000)::bigint DESC, id DESC',
      one.project_id,
    ),
    page(
      'page: by start, oldest first',
      { orderBy: { by: 'STARTED_AT', direction: 'ASC' } },
      'started_at IS NOT NULL',
      'started_at, id',
    ),
    page('page: one error code', { filter: { errorCode: ['STALLED'] } }, "error_code = 'STALLED'", newest),
  ];
}

/** The median time of each, in milliseconds, after two rounds to warm up. */
async function inTurns<Name extends string>(
  ways: Readonly<Record<Name, () => Promise<unknown>>>,
): Promise<Readonly<Record<Name, number>>> {
  const names = Object.keys(ways) as Name[];
  const times = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = -2; round < rounds; round += 1) {
    for (const name of names) {
      const begin = performance.now();
      await ways[name]();
      if (round >= 0) times.get(name)?.push(performance.now() - begin);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(times.get(name) ?? [])])) as Record<Name, number>;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
