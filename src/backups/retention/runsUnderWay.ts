import type { EntityManager } from 'typeorm';
import { isCounted, type Trigger } from '../../plans/retention/retention.js';
import type { Destination } from './retainedBackups.js';

export type RunUnderWay = Destination & { readonly startedAt: Date };

type ActiveRow = Destination & {
  /** Null for a QUEUED job. If it waits for another attempt, `retryAt` is the time when the attempt is due. */
  readonly startedAt: Date | null;
  readonly retryAt: Date | null;
  readonly trigger: Trigger;
  readonly standsFor: Exclude<Trigger, 'RETRY'> | null;
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
    `SELECT plan_id AS "planId", file_endpoint_id AS "fileEndpointId", started_at AS "startedAt", retry_at AS "retryAt",
       trigger, stands_for AS "standsFor"
     FROM backup_jobs
     WHERE status IN ('QUEUED', 'RUNNING') AND cancel_requested_by IS NULL AND plan_id = ANY ($1)
       AND project_id IN (SELECT project_id FROM backup_plans WHERE id = ANY ($1))`,
    [planIds],
  );
  return rows
    .filter(({ trigger, standsFor }) => isCounted(trigger, standsFor))
    .map(({ planId, fileEndpointId, startedAt, retryAt }) => ({
      ...{ planId, fileEndpointId },
      startedAt: startedAt ?? (retryAt !== null && retryAt > now ? retryAt : now),
    }));
}
