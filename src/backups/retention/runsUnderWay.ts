import type { EntityManager } from 'typeorm';
import { isCounted, type Trigger } from '../../plans/retention/retention.js';
import type { Destination } from './retainedBackups.js';

export type RunUnderWay = Destination & { readonly startedAt: Date };

type ActiveRow = {
  readonly plan_id: string;
  readonly file_endpoint_id: string;
  readonly started_at: Date | null;
  /** Of one that waits for another attempt. */
  readonly retry_at: Date | null;
  readonly trigger: Trigger;
  /** Of a RETRY alone. */
  readonly first_trigger: Exclude<Trigger, 'RETRY'> | null;
};

/**
 * The jobs of these plans that have not ended and whose backups will count for retention. What waits is taken to begin
 * now, or when its retry is due, and what is to be cancelled makes none.
 */
export async function runsUnderWay(
  manager: EntityManager,
  planIds: readonly string[],
  now: Date,
): Promise<readonly RunUnderWay[]> {
  const rows = await manager.query<ActiveRow[]>(
    `WITH RECURSIVE active AS (
       SELECT id, plan_id, file_endpoint_id, started_at, retry_at, trigger, retry_of FROM backup_jobs
       WHERE status IN ('QUEUED', 'RUNNING') AND cancel_requested_by IS NULL AND plan_id = ANY ($1)
         AND project_id IN (SELECT project_id FROM backup_plans WHERE id = ANY ($1))
     ), origin (id, trigger, retry_of) AS (
       SELECT id, trigger, retry_of FROM active WHERE trigger = 'RETRY'
       UNION
       SELECT origin.id, source.trigger, source.retry_of
       FROM origin JOIN backup_jobs source ON source.id = origin.retry_of WHERE origin.trigger = 'RETRY'
     )
     SELECT plan_id, file_endpoint_id, started_at, retry_at, active.trigger, origin.trigger AS first_trigger
     FROM active LEFT JOIN origin ON origin.id = active.id AND origin.trigger <> 'RETRY'`,
    [planIds],
  );
  return rows
    .filter((row) => isCounted(row.trigger, row.first_trigger))
    .map((row) => ({
      ...{ planId: row.plan_id, fileEndpointId: row.file_endpoint_id },
      startedAt: row.started_at ?? (row.retry_at !== null && row.retry_at > now ? row.retry_at : now),
    }));
}
