import type { EntityManager } from 'typeorm';

/** The batch of a loader: the ids of the plans of each service, without removed plans. */
export async function plansOfServices(
  manager: EntityManager,
  serviceIds: readonly string[],
): Promise<readonly (readonly string[])[]> {
  const rows = await manager.query<{ id: string; serviceId: string }[]>(
    'SELECT id, service_id AS "serviceId" FROM backup_plans WHERE service_id = ANY($1::uuid[]) AND removed_at IS NULL',
    [serviceIds],
  );
  return serviceIds.map((serviceId) => rows.filter((row) => row.serviceId === serviceId).map(({ id }) => id));
}
