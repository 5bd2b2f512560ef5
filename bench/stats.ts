/**
 * Measures the queries of a monitoring dashboard with a million backup jobs: `backupStats` and pages of `backupJobs`,
 * as `stowage serve` composes them. It compares them with a handwritten statement that uses the best index. For both
 * comparisons the limit is 1.5 times the median:
 *
 * - the statements of our resolvers, sent again over the same connection pool, with one handwritten statement;
 * - the answer of our server over HTTP, with the answer of a bare server (Apollo Server, express, the same schema) that
 *   sends
 * the handwritten statement. GraphQL takes some milliseconds in both cases, in addition to the database.
 *
 * All alternate, so that a busy machine affects all in the same way. All our statements for one operation are sent at once, as
 * GraphQL does.
 *
 * node --import @swc-node/register/esm-register bench/stats.ts [jobs] [rounds]
 */
import { backupTotals, serviceFigures } from '../src/protection/backupFigures.js';
import { possiblyLate } from '../src/protection/protectionQueries.js';
import { fillWithBackupJobs } from '../test/fixtures/manyBackupJobs.js';
import { startPostgres } from '../test/fixtures/servers/postgres.js';
import { sentStatements } from '../test/fixtures/sentStatements.js';
import { startBareApi } from './bareApi.js';
import { brief, positionals } from './brief.js';
import { pageByHand, statsByHand, totalsByHand, type HandMadeAnswer } from './stats/answersByHand.js';
import { startRealApi } from './realApi.js';

const jobs = Number(positionals[0] ?? (brief ? 2_000 : 1_000_000));
const rounds = Number(positionals[1] ?? (brief ? 1 : 48));
const promised = 1.5;

type Question = HandMadeAnswer & {
  readonly name: string;
  readonly query: string;
  readonly variables?: Record<string, unknown>;
  readonly parameters?: readonly unknown[];
};

const now = Date.now();
const daysAgo = (days: number) => new Date(now - days * 86_400_000).toISOString();
const byStatus = 'statuses { status count }';
const row = 'nodes { id status trigger queuedAt startedAt finishedAt storedSize message }';

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
  const { dataSource } = api.shared;
  const table = [];
  for (const question of questions(one)) {
    const byHand = () => dataSource.query<never[]>(question.sql, [...(question.parameters ?? [])]);
    const whole = () => api.call(question.query, question.variables);
    const sent = await sentStatements(dataSource, whole);
    // Besides these statements, the process checks for late services from time to time.
    const statements = sent.filter(({ query }) => /FROM (?:backup_jobs row|job_queue job)\b/.test(query));
    const bare = await startBareApi({ [question.field]: async () => question.answerOf(await byHand()) });
    const times = await inTurns({
      byHand,
      statements: () => Promise.all(statements.map(({ query, parameters }) => dataSource.query(query, parameters))),
      bare: () => bare.call(question.query, question.variables),
      whole,
    }).finally(() => bare.stop());
    table.push({
      question: question.name,
      'SQL by hand ms': times.byHand.toFixed(1),
      'ours ms': times.statements.toFixed(1),
      ratio: (times.statements / times.byHand).toFixed(2),
      'server by hand ms': times.bare.toFixed(1),
      'our server ms': times.whole.toFixed(1),
      'ratio of servers': (times.whole / times.bare).toFixed(2),
    });
  }
  const services = [];
  const { manager } = dataSource;
  const ofServices = {
    'services that may be late (every 20 s in each process)': () => possiblyLate(manager, new Date()),
    'protection of all services': () => serviceFigures(manager, new Date()),
    'totals for /metrics': () => backupTotals(manager),
    'filter of LATE services, over HTTP': () =>
      api.call('{ services(filter: { protection: [LATE] }) { totalCount nodes { id } } }'),
  };
  for (const [what, ms] of Object.entries(await inTurns(ofServices))) services.push({ what, ms: ms.toFixed(1) });
  await api.stop();
  console.table(table);
  console.table(services);
  if (!brief && table.some((each) => Number(each.ratio) > promised || Number(each['ratio of servers']) > promised)) {
    console.error(`A query took more than ${promised} times as long as the handwritten statement.`);
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
  const pageQuery = `query ($projectId: ID, $filter: BackupJobFilter, $orderBy: BackupJobOrder) {
    backupJobs(projectId: $projectId, filter: $filter, orderBy: $orderBy) { ${row} pageInfo { hasNextPage } } }`;
  const page = (name: string, variables: Record<string, unknown>, where: string, order: string, ...p: unknown[]) => ({
    name,
    query: pageQuery,
    variables,
    ...pageByHand(where, order),
    parameters: p,
  });
  const newest = 'queued_at DESC, id DESC';
  const yesterday = daysAgo(1);
  return [
    {
      name: 'stats: installation, 30 days by day',
      query: statsQuery(everything),
      variables: { from },
      ...statsByHand(''),
      parameters: [from],
    },
    {
      name: 'stats: one project, 30 days by day',
      query: statsQuery(everything),
      variables: { from, id: one.project_id },
      ...statsByHand('AND project_id = $2'),
      parameters: [from, one.project_id],
    },
    {
      name: 'stats: one service, 30 days by day',
      query: statsQuery(everything),
      variables: { from, ids: [one.service_id] },
      ...statsByHand('AND service_id = $2'),
      parameters: [from, one.service_id],
    },
    {
      name: 'stats: installation, everything',
      query: `{ backupStats { ${byStatus} writtenSize } }`,
      ...totalsByHand,
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
    {
      name: 'page: running and queued',
      query: pageQuery,
      variables: { filter: { status: ['QUEUED', 'RUNNING'] } },
      ...pageByHand("status IN ('QUEUED', 'RUNNING')", 'job.queued_at DESC, id DESC', 'MAY_WAIT'),
    },
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

/** The median time of each, in milliseconds. All run in turns, in varying order, after two rounds to warm up. */
async function inTurns<Name extends string>(
  ways: Readonly<Record<Name, () => Promise<unknown>>>,
): Promise<Readonly<Record<Name, number>>> {
  const names = Object.keys(ways) as Name[];
  const times = new Map(names.map((name) => [name, [] as number[]]));
  // A query must not pay for the garbage of the previous one, and its pages must be in memory.
  const orders = permutationsOf(names);
  for (let round = -2; round < rounds; round += 1) {
    for (const name of orders.at(round % orders.length) ?? []) {
      const begin = performance.now();
      await ways[name]();
      if (round >= 0) times.get(name)?.push(performance.now() - begin);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(times.get(name) ?? [])])) as Record<Name, number>;
}

function permutationsOf<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  if (items.length === 0) return [[]];
  return items.flatMap((first) =>
    permutationsOf(items.filter((item) => item !== first)).map((rest) => [first, ...rest]),
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
