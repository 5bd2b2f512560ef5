/**
 * Measures the sweep of retention over very many destinations, as a worker does it at its start (`first`) and later
 * (`next`). It measures the time until the sweep knows what to delete, the processor time of this process, and the
 * longest time in which nothing else in the process could run, for example a heartbeat. It compares the sweep with a
 * simple program: one SQL statement for all rows, and a plain loop that treats every zone as UTC and ignores holds,
 * readers, retries and verification. One destination in a hundred has something to delete. PostgreSQL is a process of
 * its own, so its time counts only in the elapsed time.
 *
 * node --import @swc-node/register/esm-register bench/retention.ts [destinations] [backups of each]
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { DataSource } from 'typeorm';
import { createRetentionSweep } from '../src/worker/retention/retentionSweep.js';
import { brief, positionals } from './brief.js';
import { startPostgres } from '../test/fixtures/servers/postgres.js';

const destinations = Number(positionals[0] ?? (brief ? 200 : 10_000));
const backups = Number(positionals[1] ?? (brief ? 8 : 60));

const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Africa/Casablanca'];
/** The policies that keep `days` daily backups, by style. */
const policies = (days: number) => [
  { style: 'GFS', gfs: { hourly: 0, daily: days, weekly: 4, monthly: 2, yearly: 1 } },
  { style: 'FILES', period: days },
  { style: 'HOURS', period: days * 24 },
  { style: 'DAYS', period: days },
  { style: 'WEEKS', period: Math.ceil(days / 7) },
  { style: 'MONTHS', period: Math.ceil(days / 28) },
];

type Figures = { readonly found: number; readonly wallMs: number; readonly cpuMs: number; readonly blockedMs: number };

const postgres = await startPostgres();
try {
  const owner = await postgres.connect(postgres.ownerUrl);
  const now = new Date();
  const table = [];
  for (const [what, styles] of [
    ['all styles', policies(backups).length],
    ['GFS alone', 1],
  ] as const) {
    await fill(owner, now, styles);
    const app = await postgres.connect();
    const sweep = createRetentionSweep({ dataSource: app, now: () => now });
    const [first, next] = [await measured(sweep), await measured(sweep)];
    const byHand = await measured(() => sweepByHand(app, now));
    for (const [who, figures] of Object.entries({ first, next, 'by hand, in UTC': byHand })) {
      table.push({
        plans: what,
        who,
        found: figures.found,
        'wall ms': Math.round(figures.wallMs),
        'processor ms': Math.round(figures.cpuMs),
        'blocked for ms': Math.round(figures.blockedMs),
        'wall : by hand': (figures.wallMs / byHand.wallMs).toFixed(2),
      });
    }
  }
  console.log(`${destinations} destinations with ${backups} backups each.`);
  console.table(table);
} finally {
  await postgres.stop();
}

async function measured(sweep: () => Promise<readonly unknown[]>): Promise<Figures> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const [begin, cpu] = [performance.now(), process.cpuUsage()];
  const { length: found } = await sweep();
  const { user, system } = process.cpuUsage(cpu);
  const wallMs = performance.now() - begin;
  // A delay is measured when the event loop runs again.
  await new Promise((resolve) => setTimeout(resolve, 20));
  delay.disable();
  return { found, wallMs, cpuMs: (user + system) / 1000, blockedMs: delay.max / 1e6 };
}

/**
 * Creates plans with one destination each and a backup each night. The plans use the first `styles` styles and all
 * zones in turn.
 */
async function fill(owner: DataSource, now: Date, styles: number): Promise<void> {
  const id = (kind: string, number: string) => `md5('${kind}' || (${number}))::uuid`;
  const [keepAll, letGo] = [policies(backups + 5), policies(Math.floor(backups / 2))].map((each) =>
    each.slice(0, styles),
  );
  await owner.query('TRUNCATE backup_plans, backup_jobs');
  await owner.query(
    `INSERT INTO backup_plans (id, project_id, service_id, name, file_endpoint_ids, typed, normalized, time_zone,
       retention, max_attempts, stall_timeout_ms, paused, schedule_version, scheduled_since, accounted_until, created_at,
       version)
     SELECT ${id('plan', 'n')}, ${id('project', 'n')}, ${id('service', 'n')}, 'daily ' || n,
       jsonb_build_array(${id('endpoint', 'n % 100')}), '@daily', '0 0 0 * * *', ($1::text[])[1 + n % ${zones.length}],
       (CASE WHEN n % 100 = 0 THEN $2::jsonb ELSE $3::jsonb END) -> (n / 100 % ${styles}), 3, 600000, false, 1, now(),
       '{}', now(), 1
     FROM generate_series(1, ${destinations}) n`,
    [zones, JSON.stringify(letGo), JSON.stringify(keepAll)],
  );
  await owner.query(
    `INSERT INTO backup_jobs (id, project_id, service_id, engine, plan_id, file_endpoint_id, trigger, batch_id,
       requested_by, queued_at, started_at, finished_at, max_attempts, stall_timeout_ms, status, availability, attempt,
       attempts, parts, warnings, stored_size_bytes, readers, attempts_with_remains, version)
     SELECT ${id('job', "n || ' ' || night")}, ${id('project', 'n')}, ${id('service', 'n')}, 'MARIADB', ${id('plan', 'n')},
       ${id('endpoint', 'n % 100')}, 'SCHEDULE', ${id('batch', 'n')}, 'scheduler', at, at, at, 3, 600000, 'SUCCEEDED',
       'STORED', 1, '[]', '[]', '[]', 1000, '[]', '[]', 5
     FROM generate_series(1, ${backups}) night, generate_series(1, ${destinations}) n,
       LATERAL (SELECT ($2::text[])[1 + n % ${zones.length}] AS name) zone,
       LATERAL (SELECT (($1::timestamptz AT TIME ZONE name)::date - night + n % 1400 * interval '1 minute')
         AT TIME ZONE name AS at) taken`,
    [now, zones],
  );
  await owner.query('VACUUM ANALYZE backup_plans, backup_jobs');
}

type HandRow = { readonly plan_id: string; readonly started_at: Date };
type HandPolicy = { readonly style: string; readonly period: number; readonly gfs: Readonly<Record<string, number>> };

async function sweepByHand(dataSource: DataSource, now: Date): Promise<readonly string[]> {
  const plans = await dataSource.query<{ id: string; retention: HandPolicy }[]>(
    'SELECT id, retention FROM backup_plans',
  );
  const policyOf = new Map(plans.map(({ id, retention }) => [id, retention]));
  const rows = await dataSource.query<HandRow[]>(
    `SELECT plan_id, started_at FROM backup_jobs WHERE availability = 'STORED'
     ORDER BY plan_id, file_endpoint_id, started_at DESC`,
  );
  const found = new Set<string>();
  let [planId, place] = ['', 0];
  let taken: Readonly<Record<string, Set<string>>> = {};
  for (const row of rows) {
    if (row.plan_id !== planId) {
      [planId, place] = [row.plan_id, 0];
      taken = { hourly: new Set(), daily: new Set(), weekly: new Set(), monthly: new Set(), yearly: new Set() };
    }
    place += 1;
    const policy = policyOf.get(planId);
    if (policy !== undefined && place > 1 && !keptByHand(policy, row.started_at, place, taken, now)) found.add(planId);
  }
  return [...found];
}

function keptByHand(
  { style, period, gfs }: HandPolicy,
  startedAt: Date,
  place: number,
  taken: Readonly<Record<string, Set<string>>>,
  now: Date,
): boolean {
  if (style === 'FILES') return place <= period;
  const hours = { HOURS: 1, DAYS: 24, WEEKS: 168, MONTHS: 730 }[style];
  if (hours !== undefined) return startedAt.getTime() + period * hours * 3_600_000 > now.getTime();
  const text = startedAt.toISOString();
  const week = String(Math.floor((startedAt.getTime() / 86_400_000 + 3) / 7));
  const buckets = {
    ...{ hourly: text.slice(0, 13), daily: text.slice(0, 10), weekly: week },
    ...{ monthly: text.slice(0, 7), yearly: text.slice(0, 4) },
  };
  let isKept = false;
  for (const [level, bucket] of Object.entries(buckets)) {
    const seen = taken[level];
    if (seen === undefined || seen.has(bucket) || seen.size >= (gfs[level] ?? 0)) continue;
    seen.add(bucket);
    isKept = true;
  }
  return isKept;
}
