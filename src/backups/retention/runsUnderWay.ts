import type { EntityManager } from 'typeorm';
import { isCounted, type Trigger } from '../../plans/retention/retention.js';
import type { Destination } from './retainedBackups.js';

export type RunUnderWay = Destination & { readonly startedAt: Date };

type ActiveRow = {
  readonly plan_id: string;
  readonly file_endpoint_id: string;
  readonly started_at: Date | null;
  /** Null if the job does not wait for another attempt. */
  readonly retry_at: Date | null;
  readonly trigger: Trigger;
  readonly stands_for: Exclude<Trigger, 'RETRY'> | null;
};

/**
 * The active jobs of these plans whose backups will count for retention. A QUEUED job is assumed to start now, or when
 * its retry is due. A job whose cancellation was requested is excluded.
 */
export async function runsUnderWay(
  manager: EntityManager,
  planIds: readonly string[],
  now: Date,
): Promise<readonly RunUnderWay[]> {
  const rows = await manager.query<ActiveRow[]>(
    `SELECT plan_id, file_endpoint_id, started_at, retry_at, trigger, stands_for FROM backup_jobs
     WHERE status IN ('QUEUED', 'RUNNING') AND cancel_requested_by IS NULL AND plan_id = ANY ($1)
       AND project_id IN (SELECT project_id FROM backup_plans WHERE id = ANY ($1))`,
    [planIds],
  );
  return rows
    .filter((row) => isCounted(row.trigger, row.stands_for))
    .map((row) => ({
      ...{ planId: row.plan_id, fileEndpointId: row.file_endpoint_id },
      startedAt: row.started_at ?? (row.retry_at !== null && row.retry_at > now ? row.retry_at : now),
    }));
}
