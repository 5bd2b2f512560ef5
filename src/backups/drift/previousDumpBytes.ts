import type { EntityManager } from 'typeorm';
import type { BackupRequest } from '../backupJob.js';

/**
 * The plain bytes of the newest SUCCEEDED backup of the same service and plan that started before this time, at any file
 * endpoint. Null: there is none.
 */
export async function previousDumpBytes(
  manager: EntityManager,
  { serviceId, planId }: Pick<BackupRequest, 'serviceId' | 'planId'>,
  startedBefore: string,
): Promise<number | null> {
  const [found] = await manager.query<{ sizeBytes: number | null }[]>(
    `SELECT size_bytes::float8 AS "sizeBytes" FROM backup_jobs
     WHERE service_id = $1 AND plan_id IS NOT DISTINCT FROM $2::uuid AND status = 'SUCCEEDED' AND started_at < $3
     ORDER BY queued_at DESC LIMIT 1`,
    [serviceId, planId, startedBefore],
  );
  return found?.sizeBytes ?? null;
}
