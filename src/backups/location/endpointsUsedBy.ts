import type { EntityManager } from 'typeorm';

/**
 * The file endpoints that a plan of one of these services uses, or that a backup job of one of them has used. It reads one
 * row of each endpoint and not each job.
 */
export async function endpointsUsedBy(
  manager: EntityManager,
  serviceIds: readonly string[],
): Promise<readonly string[]> {
  const rows = await manager.query<{ id: string }[]>(
    `WITH RECURSIVE used AS (
       SELECT service.id AS service_id, (
         SELECT file_endpoint_id FROM backup_jobs job WHERE job.service_id = service.id ORDER BY file_endpoint_id LIMIT 1
       ) AS endpoint_id
       FROM unnest($1::uuid[]) AS service (id)
       UNION ALL
       SELECT used.service_id, (
         SELECT file_endpoint_id FROM backup_jobs job
         WHERE job.service_id = used.service_id AND job.file_endpoint_id > used.endpoint_id
         ORDER BY file_endpoint_id LIMIT 1
       )
       FROM used WHERE used.endpoint_id IS NOT NULL
     )
     SELECT endpoint_id AS id FROM used WHERE endpoint_id IS NOT NULL
     UNION
     SELECT jsonb_array_elements_text(file_endpoint_ids)::uuid FROM backup_plans WHERE service_id = ANY($1::uuid[])`,
    [serviceIds],
  );
  return rows.map(({ id }) => id);
}
