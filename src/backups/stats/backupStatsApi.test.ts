import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fillWithBackupJobs } from '../../../test/fixtures/manyBackupJobs.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { sentStatements } from '../../../test/fixtures/sentStatements.js';
import { memberOf } from '../../../test/fixtures/api/sliceApi.js';
import { startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { formatDuration } from '../../duration.js';
import type { BackupJobFilter, BackupJobOrder, BackupJobSort } from '../api/backupJobInput.js';
import { selectBackupJobs } from '../api/backupJobQueries.js';

type Job = { id: string; queued_at: Date; started_at: Date | null; finished_at: Date | null; size: number | null };

const dayMs = 86_400_000;

describeWith({ postgresql: await postgresMissing() }, 'the queries of a dashboard about backup jobs', () => {
  let api: WholeApi;
  let projectId: string;
  let serviceId: string;

  beforeAll(async () => {
    api = await startWholeApi();
    await fillWithBackupJobs(api.owner, { projects: 3, services: 30, jobs: 3_000 });
    const [one] = await sql<{ project_id: string; service_id: string }>(
      'SELECT * FROM backup_jobs ORDER BY id LIMIT 1',
    );
    projectId = one?.project_id ?? '';
    serviceId = one?.service_id ?? '';
  });
  afterAll(() => api.stop());

  const sql = <Row>(text: string, parameters: unknown[] = []) => api.shared.dataSource.query<Row[]>(text, parameters);
  const dataOf = async (query: string, variables = {}, token?: string) => {
    const { data, errors, text } = await api.post(query, variables, token);
    if (errors.length > 0) throw new Error(text);
    // eslint-disable-next-line @typescript-eslint/no-unsafe-return -- the type depends on the operation
    return data;
  };
  const stats = `query ($projectId: ID, $filter: BackupJobFilter, $bucket: StatsBucket, $timeZone: String! = "UTC") {
    backupStats(projectId: $projectId, filter: $filter, bucket: $bucket, timeZone: $timeZone) {
      statuses { status count } active writtenSize medianExecutionTime
      buckets { from statuses { status count } writtenSize } } }`;

  test.each([
    ['everything', () => ({}), 'true'],
    ['a project', () => ({ projectId }), `project_id = '$project'`],
    ['a service', () => ({ filter: { serviceIds: [serviceId] } }), `service_id = '$service'`],
    ['two statuses', () => ({ filter: { status: ['FAILED', 'SKIPPED'] } }), "status IN ('FAILED', 'SKIPPED')"],
    [
      'an error, a trigger and a time',
      () => ({ filter: { errorCode: ['STALLED'], trigger: ['SCHEDULE'], queuedFrom: '2020-01-01T00:00:00Z' } }),
      "error_code = 'STALLED' AND trigger = 'SCHEDULE'",
    ],
    ['stored backups', () => ({ filter: { availability: ['STORED'] } }), "availability = 'STORED'"],
    ['nothing', () => ({ filter: { status: [] } }), 'false'],
  ])('backupStats counts %s as SQL does', async (_name, variables, where) => {
    const fitting = where.replace('$project', projectId).replace('$service', serviceId);
    const input = { ...variables(), bucket: 'MONTH', timeZone: 'Europe/Berlin' };
    const { backupStats } = await dataOf(stats, input);
    const [expected] = await sql<{ statuses: object; active: number; written: number; median: number | null }>(`
      SELECT coalesce((SELECT json_object_agg(status, n) FROM
          (SELECT status, count(*) AS n FROM backup_jobs WHERE ${fitting} GROUP BY 1) counted), '{}') AS statuses,
        count(*) FILTER (WHERE status IN ('QUEUED', 'RUNNING'))::int AS active,
        coalesce(sum(stored_size_bytes), 0)::float8 AS written,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at))
          FILTER (WHERE status = 'SUCCEEDED') AS median
      FROM backup_jobs WHERE ${fitting}`);
    const counted = (of: { status: string; count: number }[]) =>
      Object.fromEntries(of.map(({ status, count }) => [status, count]));
    expect(counted(backupStats.statuses as { status: string; count: number }[])).toEqual(expected?.statuses);
    expect(backupStats.active).toBe(expected?.active);
    expect(backupStats.writtenSize).toBe(expected?.written);
    const median = expected?.median ?? null;
    expect(backupStats.medianExecutionTime).toBe(median === null ? null : formatDuration(Math.round(median * 1000)));
    const months = await sql<{ month: Date; status: string; n: number; written: number }>(`
      SELECT date_trunc('month', queued_at, 'Europe/Berlin') AS month, status, count(*)::int AS n,
        coalesce(sum(stored_size_bytes), 0)::float8 AS written FROM backup_jobs WHERE ${fitting} GROUP BY 1, 2`);
    const buckets = backupStats.buckets as { from: string; statuses: []; writtenSize: number }[];
    expect(buckets.flatMap(({ from, statuses }) => statuses.map((each) => ({ from, ...(each as object) })))).toEqual(
      expect.arrayContaining(months.map(({ month, status, n }) => ({ from: month.toISOString(), status, count: n }))),
    );
    expect(buckets.reduce((sum, { writtenSize }) => sum + writtenSize, 0)).toBe(expected?.written);
  });

  test('backupStats also lists days without a job, and has no buckets unless they are requested', async () => {
    const filter = { queuedFrom: '2019-12-30T12:00:00Z', queuedBefore: '2020-01-02T00:00:00Z' };
    const { backupStats } = await dataOf(stats, { filter, bucket: 'DAY', timeZone: 'Asia/Tokyo' });
    expect(backupStats).toMatchObject({ statuses: [], active: 0, writtenSize: 0, medianExecutionTime: null });
    expect(backupStats.buckets).toEqual(
      ['2019-12-29T15', '2019-12-30T15', '2019-12-31T15', '2020-01-01T15'].map((hour) => ({
        ...{ from: `${hour}:00:00.000Z`, statuses: [], writtenSize: 0 },
      })),
    );
    expect((await dataOf(stats)).backupStats.buckets).toEqual([]);
  });

  test('backupStats refuses an unknown zone and too many buckets, and shows nothing of other projects', async () => {
    const refused = async (variables: object) => (await api.post(stats, variables)).errors[0]?.extensions;
    expect(await refused({ timeZone: 'Berlin' })).toMatchObject({
      code: 'BAD_INPUT',
      details: { fields: [{ path: 'timeZone' }] },
    });
    expect(await refused({ bucket: 'HOUR', filter: { queuedFrom: '2000-01-01T00:00:00Z' } })).toMatchObject({
      code: 'BAD_INPUT',
      details: { fields: [{ path: 'bucket' }] },
    });
    const [{ id: elsewhere } = { id: '' }] = await sql<{ id: string }>('SELECT id FROM projects WHERE id <> $1', [
      projectId,
    ]);
    const token = api.admit(memberOf(elsewhere, 'VIEWER'));
    expect((await dataOf(stats, { projectId }, token)).backupStats.statuses).toEqual([]);
    const all = await sql<{ n: number }>('SELECT count(*)::int AS n FROM backup_jobs WHERE project_id = $1', [
      elsewhere,
    ]);
    const seen = (await dataOf(stats, {}, token)).backupStats.statuses as { count: number }[];
    expect(seen.reduce((sum, { count }) => sum + count, 0)).toBe(all[0]?.n);
  });

  const keys: Readonly<Record<BackupJobSort, (job: Job) => number | undefined>> = {
    QUEUED_AT: (job) => job.queued_at.getTime(),
    STARTED_AT: (job) => job.started_at?.getTime(),
    EXECUTION_TIME: ({ started_at: from, finished_at: to }) => (from && to ? to.getTime() - from.getTime() : undefined),
    STORED_SIZE: (job) => job.size ?? undefined,
  };
  const sorts = Object.keys(keys) as BackupJobSort[];

  test.each(sorts.flatMap((by) => (['ASC', 'DESC'] as const).map((direction) => [by, direction] as const)))(
    'backupJobs by %s %s goes through every job once, with jobs without the value last',
    async (by, direction) => {
      const jobs = await sql<Job>(
        `SELECT id, queued_at, started_at, finished_at, stored_size_bytes::float8 AS size FROM backup_jobs
         WHERE service_id = $1`,
        [serviceId],
      );
      const sign = direction === 'ASC' ? 1 : -1;
      const compare = (a: Job, b: Job): number => {
        const [left, right] = [keys[by](a), keys[by](b)];
        if (left === undefined || right === undefined) {
          if (left !== right) return left === undefined ? 1 : -1;
        } else if (left !== right) return sign * (left - right);
        return a.id < b.id ? -sign : sign;
      };
      const paged: string[] = [];
      let after: string | null = null;
      do {
        const { backupJobs } = await dataOf(
          `query ($filter: BackupJobFilter, $orderBy: BackupJobOrder, $after: String) {
            backupJobs(filter: $filter, orderBy: $orderBy, first: 7, after: $after) {
              nodes { id } pageInfo { hasNextPage endCursor } } }`,
          { filter: { serviceIds: [serviceId] }, orderBy: { by, direction }, after },
        );
        paged.push(...(backupJobs.nodes as { id: string }[]).map(({ id }) => id));
        after = backupJobs.pageInfo.hasNextPage === true ? (backupJobs.pageInfo.endCursor as string) : null;
      } while (after !== null);
      expect(paged).toEqual(jobs.toSorted(compare).map(({ id }) => id));
    },
  );

  type Page = {
    readonly of: string;
    readonly order?: BackupJobOrder;
    readonly within?: string;
    readonly filter?: BackupJobFilter;
  };
  const pages: readonly Page[] = [
    ...sorts.flatMap((by): Page[] => [
      { of: `all by ${by}`, order: { by, direction: 'DESC' } },
      { of: `all by ${by}, in reverse order`, order: { by, direction: 'ASC' } },
      { of: `a project by ${by}`, order: { by, direction: 'DESC' }, within: 'row.project_id = :projectId' },
    ]),
    { of: 'the failed jobs', filter: { status: ['FAILED'] } },
    { of: 'the manual jobs', filter: { trigger: ['MANUAL'] } },
    { of: 'the jobs with an error', filter: { errorCode: ['STALLED'] } },
  ];

  test.each(pages)('a page of $of is read from an index, without a sort', async ({ order, within, filter }) => {
    const { dataSource } = api.shared;
    const conditions = within === undefined ? [] : [[within, { projectId }] as const];
    const [page] = await sentStatements(dataSource, () =>
      selectBackupJobs(dataSource.manager, { first: 50 }, { within: conditions, filter, order }),
    );
    const plan = await dataSource.transaction(async (manager) => {
      await manager.query(
        'SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off',
      );
      return manager.query<object[]>(`EXPLAIN ${page?.query ?? ''}`, page?.parameters);
    });
    expect(JSON.stringify(plan)).toMatch(/Index Scan/);
    expect(JSON.stringify(plan)).not.toMatch(/Sort|Seq Scan/);
  });

  test('each tile of a monitoring dashboard needs one query', async () => {
    await sql('UPDATE services SET recovery_point_objective_ms = 1 WHERE id = $1', [serviceId]);
    const yesterday = new Date(Date.now() - dayMs).toISOString();

    const lastDay = await dataOf(
      `query ($from: DateTime!) { backupStats(filter: { queuedFrom: $from }) { statuses { status count } } }`,
      { from: yesterday },
    );
    const counts = await sql<{ status: string; count: number }>(
      'SELECT status, count(*)::int AS count FROM backup_jobs WHERE queued_at >= $1 GROUP BY status',
      [yesterday],
    );
    expect(lastDay.backupStats.statuses).toHaveLength(counts.length);
    expect(lastDay.backupStats.statuses).toEqual(expect.arrayContaining(counts));

    const lateOnes = await dataOf(
      '{ services(filter: { protection: [LATE] }) { totalCount nodes { id name protection { dataAsOf dueBy } } } }',
    );
    const nodes = lateOnes.services.nodes as { id: string; protection: { dueBy: string } }[];
    expect(nodes.map(({ id }) => id)).toContain(serviceId);
    expect(nodes).toHaveLength(lateOnes.services.totalCount as number);
    expect(nodes.every(({ protection }) => new Date(protection.dueBy) < new Date())).toBe(true);

    const running = await dataOf(
      '{ backupJobs(filter: { status: [RUNNING] }) { totalCount nodes { id service { name } phase progress { readBytes } } } }',
    );
    const [active] = await sql<{ n: number }>("SELECT count(*)::int AS n FROM backup_jobs WHERE status = 'RUNNING'");
    expect(running.backupJobs.totalCount).toBe(active?.n);
    expect(running.backupJobs.nodes).toHaveLength(active?.n ?? 0);

    const rate = await dataOf(
      `query ($from: DateTime!) { backupStats(filter: { queuedFrom: $from, status: [SUCCEEDED, FAILED] }, bucket: DAY,
        timeZone: "Europe/Berlin") { buckets { from statuses { status count } } } }`,
      { from: new Date(Date.now() - 7 * dayMs).toISOString() },
    );
    // Seven days usually touch eight days of the calendar. There may be fewer or more if the clocks change or midnight
    // passes during the test.
    expect([7, 8, 9]).toContain(rate.backupStats.buckets.length);

    const slowest = await dataOf(
      `query ($from: DateTime!) { backupJobs(filter: { queuedFrom: $from }, first: 5,
        orderBy: { by: EXECUTION_TIME }) { nodes { id executionTime service { name } } } }`,
      { from: yesterday },
    );
    const expected = await sql<{ id: string }>(
      `SELECT id FROM backup_jobs WHERE queued_at >= $1 AND finished_at > started_at
       ORDER BY finished_at - started_at DESC, id DESC LIMIT 5`,
      [yesterday],
    );
    expect((slowest.backupJobs.nodes as { id: string }[]).map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
  });
});
