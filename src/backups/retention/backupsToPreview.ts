import type { EntityManager } from 'typeorm';
import type { PlansBackups } from '../../plans/retentionPreviewApi.js';
import { destinationKey, retainedBackups } from './retainedBackups.js';
import { runsUnderWay } from './runsUnderWay.js';

/** The stored backups and the active runs from which the preview of a plan's retention starts. */
export async function backupsToPreview(manager: EntityManager, planId: string, now: Date): Promise<PlansBackups> {
  // Active runs are read first. If a run succeeds between the two queries, both find it with the same start, and it
  // counts once. In the other order neither query would find it.
  const underWay = await runsUnderWay(manager, [planId], now);
  const rows = await manager.query<{ id: string; file_endpoint_id: string; size: string | null }[]>(
    `SELECT id, file_endpoint_id, stored_size_bytes AS size FROM backup_jobs
     WHERE plan_id = $1 AND availability = 'STORED'`,
    [planId],
  );
  const sizeOf = new Map(rows.map(({ id, size }) => [id, Number(size ?? 0)]));
  const endpointIds = [...new Set(rows.map((row) => row.file_endpoint_id))];
  const retained = await retainedBackups(
    manager,
    endpointIds.map((fileEndpointId) => ({ planId, fileEndpointId })),
  );
  return {
    destinations: endpointIds.map((fileEndpointId) => ({
      fileEndpointId,
      backups: (retained.get(destinationKey({ planId, fileEndpointId })) ?? []).map((backup) => ({
        ...backup,
        storedSizeBytes: sizeOf.get(backup.id) ?? 0,
      })),
    })),
    runsUnderWay: underWay,
    usualSizeBytes: await usualSizeBytes(manager, planId),
  };
}

async function usualSizeBytes(manager: EntityManager, planId: string): Promise<number | undefined> {
  const [row] = await manager.query<{ size: number | null }[]>(
    `SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY stored_size_bytes)::float8 AS size
     FROM (
       SELECT stored_size_bytes FROM backup_jobs WHERE plan_id = $1 AND status = 'SUCCEEDED'
       ORDER BY started_at DESC LIMIT 10
     ) AS success`,
    [planId],
  );
  return row?.size ?? undefined;
}
