import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fillWithBackupJobs } from '../../test/fixtures/manyBackupJobs.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { openLog } from '../log.js';
import { Secret } from '../secret.js';
import { parseAllowedTargets } from '../storage/allowedTargets.js';
import { startApi } from './apiRole.js';
import { Closing } from './closing.js';
import { openShared } from './shared.js';

const adminToken = 'the-token-of-the-administrator';
const metricsToken = 'the-token-of-the-scraper-alone';

type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

/** The parts of Prometheus' text format that our metrics use. */
function samplesOf(text: string): readonly Sample[] {
  return text.split('\n').flatMap((line): Sample[] => {
    const match = /^(?<name>[a-z_]+)(?:\{(?<labels>.*)\})? (?<value>\S+)$/.exec(line);
    if (match?.groups === undefined) return [];
    const labels = [...(match.groups['labels'] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    return [
      {
        name: match.groups['name'] ?? '',
        labels: Object.fromEntries(labels.map(([, name, value]) => [name, value])),
        value: Number(match.groups['value']),
      },
    ];
  });
}

describeWith({ postgresql: await postgresMissing() }, '/metrics of a running server', () => {
  const log = openLog('json', 'error');
  const closing = new Closing(log);
  let postgres: TestPostgres;
  let url: string;

  beforeAll(async () => {
    postgres = await startPostgres();
    closing.add('PostgreSQL server', () => postgres.stop());
    const owner = await postgres.connect(postgres.ownerUrl);
    await fillWithBackupJobs(owner, { projects: 3, services: 40, jobs: 4_000 });
    await owner.query(`
      UPDATE services SET recovery_point_objective_ms = 60000 WHERE name IN ('service 3', 'service 4');
      UPDATE services SET name = 'say "hi" \\ there' WHERE name = 'service 5';
      UPDATE services SET removed_at = now() WHERE name = 'service 6';
      DELETE FROM backup_jobs WHERE service_id = (SELECT id FROM services WHERE name = 'service 7');
      INSERT INTO job_queue (job_id, kind, project_id, service_id, engine, due_at, queued_at, worker_id, lease_expires_at)
      VALUES ('due', 'BACKUP', 'p', 'a', 'NONE', now() - interval '1 h', now() - interval '2 h', NULL, NULL),
        ('later', 'BACKUP', 'p', 'b', 'NONE', now() + interval '1 h', now(), NULL, NULL),
        ('held', 'BACKUP', 'p', 'c', 'NONE', now(), now(), 'w', now() + interval '1 h'),
        ('held too', 'RESTORE', 'p', 'd', 'NONE', now(), now(), 'w', now() + interval '1 h'),
        ('expired', 'BACKUP', 'p', 'e', 'NONE', now(), now(), 'w', now() - interval '1 h');`);
    const config = {
      role: 'serve',
      databaseUrl: new Secret(postgres.appUrl),
      migrationDatabaseUrl: new Secret(postgres.ownerUrl),
      scheduleStore: { kind: 'postgres' } as const,
      masterKeys: [new Secret(randomBytes(32).toString('base64'))],
      allowedTargets: parseAllowedTargets('default'),
      filesystemRoot: null,
    };
    const shared = await openShared(config, log, closing);
    url = await startApi(
      shared,
      {
        ...{ ...config, host: '127.0.0.1', port: 0, publicUrl: null, minIntervalMs: 60_000 },
        adminToken: new Secret(adminToken),
        metricsToken: new Secret(metricsToken),
      },
      log,
      closing,
    );
  });
  afterAll(() => closing.close());

  const get = (token?: string) =>
    fetch(`${url}/metrics`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
  const scrape = async (token?: string) => samplesOf(await (await get(token)).text());
  const sql = async <Row>(text: string) => (await postgres.connect(postgres.ownerUrl)).query<Row[]>(text);

  test('shows the same figures of the installation as SQL', async () => {
    const samples = await scrape(metricsToken);
    const of = (name: string, label?: string): Readonly<Record<string, number>> =>
      Object.fromEntries(
        samples
          .filter((each) => each.name === name)
          .map(({ labels, value }) => [label === undefined ? '' : (labels[label] ?? ''), value] as const),
      );
    const jobs = await sql<{ status: string; n: number }>(
      'SELECT status, count(*)::int AS n FROM backup_jobs GROUP BY status',
    );
    expect(of('stowage_backup_jobs', 'status')).toEqual({
      ...{ QUEUED: 0, RUNNING: 0, SUCCEEDED: 0, FAILED: 0, CANCELLED: 0, SKIPPED: 0 },
      ...Object.fromEntries(jobs.map(({ status, n }) => [status, n])),
    });
    const [bytes] = await sql<{ read: number; written: number; stored: number }>(`
      SELECT sum(size_bytes)::float8 AS read, sum(stored_size_bytes)::float8 AS written,
        sum(stored_size_bytes) FILTER (WHERE availability = 'STORED')::float8 AS stored FROM backup_jobs`);
    expect(of('stowage_backup_read_bytes')['']).toBe(bytes?.read);
    expect(of('stowage_backup_written_bytes')['']).toBe(bytes?.written);
    expect(of('stowage_backup_stored_bytes')['']).toBe(bytes?.stored);
    expect(of('stowage_queue_jobs', 'state')).toEqual({ due: 1, later: 1 });
    expect(of('stowage_queue_longest_wait_seconds')['']).toBeGreaterThanOrEqual(3_600);
    expect(of('stowage_queue_longest_wait_seconds')['']).toBeLessThan(7_200);
    expect(of('stowage_leases', 'state')).toEqual({ held: 2, expired: 1 });
    expect(of('stowage_figures_up')['']).toBe(1);
    expect(of('stowage_feed_lag_positions')['']).toBeGreaterThanOrEqual(0);
    // The plans without an alarm: all except for the paused ones.
    const [plans] = await sql<{ n: number }>('SELECT count(*)::int AS n FROM backup_plans WHERE NOT paused');
    expect(of('stowage_alarms_mended_total')['']).toBeGreaterThanOrEqual(plans?.n ?? Infinity);

    const services = of('stowage_services', 'protection');
    expect(Object.values(services).reduce((sum, n) => sum + n, 0)).toBe(39);
    expect(services).toMatchObject({ NEVER: 1, NO_PLAN: 0 });
    expect(services['LATE']).toBeGreaterThanOrEqual(2);
  });

  test('shows the age of the newest backup of each service, with the names of service and project', async () => {
    const ages = (await scrape(adminToken)).filter(({ name }) => name === 'stowage_service_last_success_age_seconds');
    const newest = await sql<{ service_id: string; project: string; name: string; age: number }>(`
      SELECT service_id, project.name AS project, service.name,
        extract(epoch FROM now() - max(started_at))::float8 AS age
      FROM backup_jobs JOIN services service ON service.id = service_id JOIN projects project ON project.id = service.project_id
      WHERE availability = 'STORED' AND removed_at IS NULL GROUP BY 1, 2, 3`);
    expect(ages).toHaveLength(newest.length);
    const byId = new Map(ages.map((each) => [each.labels['service_id'], each]));
    for (const { service_id: id, project, name, age } of newest) {
      const shown = byId.get(id);
      expect(shown?.labels['project']).toBe(project);
      expect(shown?.labels['service']).toBe(name.replaceAll('\\', '\\\\').replaceAll('"', '\\"'));
      expect(Math.abs((shown?.value ?? 0) - age)).toBeLessThan(60);
    }
  });

  test('follows the naming of Prometheus: only counters end in _total, and each metric has a type and a help', async () => {
    const page = await (await get(metricsToken)).text();
    const types = [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => ({ name, type }));
    const counters = types.filter(({ type }) => type === 'counter').map(({ name }) => name);
    const called = types.filter(({ name }) => name.endsWith('_total')).map(({ name }) => name);
    expect(called).toEqual(counters);
    expect(counters).toContain('stowage_alarms_mended_total');
    const names = types.map(({ name }) => name);
    expect([...page.matchAll(/^# HELP (\S+) \S/gm)].map(([, name]) => name)).toEqual(names);
    expect(new Set(names).size).toBe(names.length);
  });

  test('shows exactly our metrics in the documentation', async () => {
    const page = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
    const listed = [...page.matchAll(/^\| `(\w+)(?:\{(.*?)\})?`/gm)].map(([, name, labels]) => [name, labels ?? '']);
    const open = new Set((await scrape()).map(({ name }) => name));
    // The documentation lists only some of the metrics without a token.
    const isListed = new Set(listed.map(([name]) => name));
    const shown = (await scrape(metricsToken)).filter(
      ({ name }) => name.startsWith('stowage_') && (!open.has(name) || isListed.has(name)),
    );
    const names = new Map(shown.map(({ name, labels }) => [name, Object.keys(labels).join(',')]));
    expect([...names].toSorted()).toEqual(listed.toSorted());
  });

  test('names no project without a token, and refuses a wrong token', async () => {
    const open = await (await get()).text();
    expect(open).toContain('stowage_http_requests_total');
    expect(open).not.toMatch(/stowage_(?:backup|service|queue|lease|figures|feed|alarms)|project|service \d/);
    for (const token of ['wrong', `${metricsToken}x`]) {
      const refused = await get(token);
      expect(refused.status).toBe(401);
      expect(await refused.text()).not.toMatch(/stowage_/);
    }
  });

  test('gives the token for metrics access to the metrics only', async () => {
    const answer = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${metricsToken}` },
      body: '{"query":"{ me { subject } }"}',
    });
    expect(answer.status).toBe(401);
  });
});
