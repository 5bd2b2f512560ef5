import type { EntityManager } from 'typeorm';

/**
 * The time of the newest tick that queued a job of the plan, by file endpoint. A file endpoint without such a tick is
 * absent.
 */
export async function newestTicks(
  manager: EntityManager,
  plan: { readonly id: string; readonly fileEndpointIds: readonly string[] },
): Promise<ReadonlyMap<string, Date>> {
  const rows = await manager.query<{ id: string; newest: Date | null }[]>(
    `SELECT endpoint.id, (
       SELECT max(scheduled_for) FROM backup_jobs WHERE plan_id = $1 AND file_endpoint_id = endpoint.id
     ) AS newest
     FROM unnest($2::uuid[]) AS endpoint (id)`,
    [plan.id, plan.fileEndpointIds],
  );
  return new Map(rows.flatMap(({ id, newest }) => (newest === null ? [] : [[id, newest]])));
}
