import type { EntityManager } from 'typeorm';

/** When the newest tick was that made a job of the plan, by file endpoint; none where no tick has made one. */
export async function newestTicks(
  manager: EntityManager,
  plan: { readonly id: string; readonly fileEndpointIds: readonly string[] },
): Promise<ReadonlyMap<string, Date>> {
  const rows = await manager.query<{ file_endpoint_id: string; newest: Date | null }[]>(
    `SELECT endpoint.id AS file_endpoint_id, (
       SELECT max(scheduled_for) FROM backup_jobs WHERE plan_id = $1 AND file_endpoint_id = endpoint.id
     ) AS newest
     FROM unnest($2::uuid[]) AS endpoint (id)`,
    [plan.id, plan.fileEndpointIds],
  );
  return new Map(rows.flatMap(({ file_endpoint_id, newest }) => (newest === null ? [] : [[file_endpoint_id, newest]])));
}
