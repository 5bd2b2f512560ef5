import type { DataSource } from 'typeorm';
import type {
  EngineTool,
  RegisteredWorker,
  WaitingReason,
  WorkerLease,
  WorkerRegistry,
} from './contracts/workerRegistry.js';
import type { Notifications } from './notifications.js';

type WorkerRow = {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly program_version: string;
  readonly concurrency: number;
  readonly engines: readonly EngineTool[];
  readonly draining: boolean;
  readonly lost_after_ms: number;
  readonly started_at: Date;
  readonly last_heard_at: Date;
  readonly is_lost: boolean;
  readonly leases: readonly WorkerLease[];
};

type WaitingRow = {
  readonly job_id: string;
  readonly engine: string;
  readonly put_off_until: Date | null;
  readonly kept_until: Date | null;
  readonly any_worker: boolean;
  readonly any_with_tools: boolean;
};

const isLost = "worker.last_heard_at < clock_timestamp() - worker.lost_after_ms * interval '1 millisecond'";
const isOutdated = "last_heard_at < clock_timestamp() - interval '1 hour'";
const claims = `NOT worker.draining AND NOT ${isLost}`;
const hasTools = "worker.engines @> jsonb_build_array(jsonb_build_object('engine', job.engine))";
const nobodyHasTools = `NOT EXISTS (SELECT FROM workers worker WHERE ${claims} AND ${hasTools})`;

const withoutWorkerSql = `
  SELECT job.engine, job.jobs, job.oldest_queued_at
  FROM (
    SELECT engine, count(*)::integer AS jobs, min(queued_at) AS oldest_queued_at
    FROM job_queue WHERE worker_id IS NULL AND due_at <= clock_timestamp() GROUP BY engine
  ) job
  WHERE ${nobodyHasTools} ORDER BY job.engine`;

export function createWorkerRegistry(dataSource: DataSource, notifications: Notifications): WorkerRegistry {
  return {
    async report(worker) {
      const { id, host, pid, programVersion, concurrency, engines, draining, lostAfterMs } = worker;
      await dataSource.query(
        `WITH forgotten AS (DELETE FROM workers WHERE id <> $1 AND ${isOutdated}), heard AS (
           INSERT INTO workers (id, host, pid, program_version, concurrency, engines, draining, lost_after_ms)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
           ON CONFLICT (id) DO UPDATE SET engines = EXCLUDED.engines, draining = workers.draining OR EXCLUDED.draining,
             last_heard_at = clock_timestamp()
         )
         SELECT pg_notify('stowage_workers', '')`,
        [id, host, pid, programVersion, concurrency, JSON.stringify(engines), draining, lostAfterMs],
      );
    },

    async leave(workerId) {
      await dataSource.query(
        "WITH gone AS (DELETE FROM workers WHERE id = $1) SELECT pg_notify('stowage_workers', '')",
        [workerId],
      );
    },

    async list() {
      const rows = await dataSource.query<WorkerRow[]>(
        `SELECT worker.*, ${isLost} AS is_lost, leases.leases
         FROM workers worker, LATERAL (
           SELECT coalesce(jsonb_agg(jsonb_build_object('jobId', job_id, 'kind', kind, 'attempt', attempt)
                             ORDER BY queued_at, job_id), '[]') AS leases
           FROM job_queue WHERE worker_id = worker.id
         ) leases
         WHERE NOT worker.${isOutdated} ORDER BY worker.started_at, worker.id`,
      );
      return rows.map(workerOf);
    },

    async whyWaiting(jobIds) {
      const rows = await dataSource.query<WaitingRow[]>(
        `SELECT job.job_id, job.engine, NOT (${nobodyHasTools}) AS any_with_tools,
           EXISTS (SELECT FROM workers worker WHERE ${claims}) AS any_worker,
           CASE WHEN job.put_off > 0 AND job.due_at > clock_timestamp() THEN job.due_at END AS put_off_until,
           slot.kept_until
         FROM job_queue job LEFT JOIN job_queue_slots slot USING (service_id)
         WHERE job.job_id = ANY($1::text[]) AND job.worker_id IS NULL
           AND (job.put_off > 0 OR job.due_at <= clock_timestamp())`,
        [jobIds],
      );
      return new Map(rows.flatMap((row) => reasonOf(row).map((reason) => [row.job_id, reason] as const)));
    },

    async withoutWorker() {
      const rows = await dataSource.query<{ engine: string; jobs: number; oldest_queued_at: Date }[]>(withoutWorkerSql);
      return rows.map((row) => ({ engine: row.engine, jobs: row.jobs, oldestQueuedAt: row.oldest_queued_at }));
    },

    subscribe: (listener) => notifications.subscribe('stowage_workers', listener),
  };
}

function workerOf(row: WorkerRow): RegisteredWorker {
  return {
    ...{ id: row.id, host: row.host, pid: row.pid, programVersion: row.program_version },
    ...{ concurrency: row.concurrency, engines: row.engines, draining: row.draining, leases: row.leases },
    ...{ lostAfterMs: row.lost_after_ms, startedAt: row.started_at, lastHeardAt: row.last_heard_at },
    isLost: row.is_lost,
  };
}

function reasonOf(row: WaitingRow): readonly WaitingReason[] {
  if (row.put_off_until !== null) return [{ kind: 'PUT_OFF', until: row.put_off_until }];
  if (!row.any_worker) return [{ kind: 'NO_WORKER' }];
  if (!row.any_with_tools) return [{ kind: 'NO_TOOLS', engine: row.engine }];
  return row.kept_until === null ? [] : [{ kind: 'SERVICE_KEPT', until: row.kept_until }];
}
