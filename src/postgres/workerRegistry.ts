import type { DataSource } from 'typeorm';
import { accepts, hasToolsOf, isLost } from './acceptingWorkers.js';
import type {
  JobsWithoutWorker,
  RegisteredWorker,
  WaitingReason,
  WorkerRegistry,
  WorkerReport,
} from './contracts/workerRegistry.js';
import type { Notifications } from './notifications.js';

type WaitingRow = {
  readonly job_id: string;
  readonly engine: string;
  readonly put_off_until: Date | null;
  readonly kept_until: Date | null;
  readonly any_worker: boolean;
  readonly any_with_tools: boolean;
  readonly is_service_free: boolean;
  readonly slots: number;
  readonly taken: number;
  readonly own: number;
  readonly others_wait: boolean;
};

const isOutdated = "last_heard_at < clock_timestamp() - interval '1 hour'";
const nobodyHasTools = `NOT EXISTS (SELECT FROM workers worker WHERE ${accepts} AND ${hasToolsOf('job.engine')})`;

const withoutWorkerSql = `
  SELECT job.engine, job.jobs, job.oldest_queued_at AS "oldestQueuedAt"
  FROM (
    SELECT engine, count(*)::integer AS jobs, min(queued_at) AS oldest_queued_at
    FROM job_queue WHERE worker_id IS NULL AND due_at <= clock_timestamp() GROUP BY engine
  ) job
  WHERE ${nobodyHasTools} ORDER BY job.engine`;

export function createWorkerRegistry(dataSource: DataSource, notifications: Notifications): WorkerRegistry {
  return new WorkersTable(dataSource, notifications);
}

class WorkersTable implements WorkerRegistry {
  constructor(
    private readonly dataSource: DataSource,
    private readonly notifications: Notifications,
  ) {}

  async report(worker: WorkerReport): Promise<void> {
    const { id, host, pid, programVersion, concurrency, engines, draining, lostAfterMs } = worker;
    await this.dataSource.query(
      `WITH forgotten AS (DELETE FROM workers WHERE id <> $1 AND ${isOutdated}), heard AS (
         INSERT INTO workers (id, host, pid, program_version, concurrency, engines, draining, lost_after_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET engines = EXCLUDED.engines, draining = workers.draining OR EXCLUDED.draining,
           last_heard_at = clock_timestamp()
       )
       SELECT pg_notify('stowage_workers', '')`,
      [id, host, pid, programVersion, concurrency, JSON.stringify(engines), draining, lostAfterMs],
    );
  }

  async leave(workerId: string): Promise<void> {
    await this.dataSource.query(
      "WITH gone AS (DELETE FROM workers WHERE id = $1) SELECT pg_notify('stowage_workers', '')",
      [workerId],
    );
  }

  async list(): Promise<readonly RegisteredWorker[]> {
    return await this.dataSource.query<RegisteredWorker[]>(
      `SELECT worker.id, worker.host, worker.pid, worker.program_version AS "programVersion", worker.concurrency,
         worker.engines, worker.draining, worker.lost_after_ms AS "lostAfterMs", worker.started_at AS "startedAt",
         worker.last_heard_at AS "lastHeardAt", ${isLost} AS "isLost", leases.leases
       FROM workers worker, LATERAL (
         SELECT coalesce(jsonb_agg(jsonb_build_object('jobId', job_id, 'kind', kind, 'attempt', attempt)
                           ORDER BY queued_at, job_id), '[]') AS leases
         FROM job_queue WHERE worker_id = worker.id
       ) leases
       WHERE NOT worker.${isOutdated} ORDER BY worker.started_at, worker.id`,
    );
  }

  async whyWaiting(jobIds: readonly string[]): Promise<ReadonlyMap<string, WaitingReason>> {
    const rows = await this.dataSource.query<WaitingRow[]>(
      `SELECT job.job_id, job.engine, NOT (${nobodyHasTools}) AS any_with_tools,
         EXISTS (SELECT FROM workers worker WHERE ${accepts}) AS any_worker,
         CASE WHEN job.put_off > 0 AND job.due_at > clock_timestamp() THEN job.due_at END AS put_off_until,
         slot.kept_until, slot.job_id IS NULL AS is_service_free,
         slots.slots, slots.taken, slots.own,
         EXISTS (
           SELECT FROM job_queue other
           WHERE other.worker_id IS NULL AND other.engine = job.engine AND other.project_id <> job.project_id
             AND other.due_at <= clock_timestamp()
         ) AS others_wait
       FROM job_queue job LEFT JOIN job_queue_slots slot USING (service_id), LATERAL (
         SELECT coalesce(sum(worker.concurrency), 0)::integer AS slots,
           coalesce(sum(held.taken), 0)::integer AS taken, coalesce(sum(held.own), 0)::integer AS own
         FROM workers worker, LATERAL (
           SELECT count(*) AS taken, count(*) FILTER (WHERE lease.project_id = job.project_id) AS own
           FROM job_queue lease WHERE lease.worker_id = worker.id
         ) held
         WHERE ${accepts} AND ${hasToolsOf('job.engine')}
       ) slots
       WHERE job.job_id = ANY($1::text[]) AND job.worker_id IS NULL
         AND (job.put_off > 0 OR job.due_at <= clock_timestamp())`,
      [jobIds],
    );
    return new Map(rows.flatMap((row) => reasonOf(row).map((reason) => [row.job_id, reason] as const)));
  }

  async withoutWorker(): Promise<readonly JobsWithoutWorker[]> {
    return await this.dataSource.query<JobsWithoutWorker[]>(withoutWorkerSql);
  }

  subscribe(listener: () => void): () => void {
    return this.notifications.subscribe('stowage_workers', listener);
  }
}

function reasonOf(row: WaitingRow): readonly WaitingReason[] {
  if (row.put_off_until !== null) return [{ kind: 'PUT_OFF', until: row.put_off_until }];
  if (!row.any_worker) return [{ kind: 'NO_WORKER' }];
  if (!row.any_with_tools) return [{ kind: 'NO_TOOLS', engine: row.engine }];
  if (row.kept_until !== null) return [{ kind: 'SERVICE_KEPT', until: row.kept_until }];
  const { slots, taken, own, others_wait: othersWait } = row;
  return row.is_service_free && taken >= slots ? [{ kind: 'NO_FREE_SLOT', slots, own, othersWait }] : [];
}
