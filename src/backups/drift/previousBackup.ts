import type { EntityManager } from 'typeorm';
import type { InventoryItem } from '../../archive/changes/inventoryComparison.js';
import type { Inventory } from '../../engines/inventory.js';
import type { BackupRequest } from '../backupJob.js';
import { inventoryObjectsFrom, type ObjectPlace } from '../inventoryObjectsFrom.js';

export type PreviousBackup = {
  readonly id: string;
  readonly startedAt: Date;
  /** How its definitions were read. Null: none were read. */
  readonly definitionsTaken: NonNullable<Inventory['definitionsTaken']> | null;
};

/**
 * The newest SUCCEEDED backup of the same service, plan and file endpoint that started before this time, also if its
 * bytes were deleted. Null: there is none, or it has no inventory.
 */
export async function previousBackup(
  manager: EntityManager,
  { serviceId, planId, fileEndpointId }: Pick<BackupRequest, 'serviceId' | 'planId' | 'fileEndpointId'>,
  startedBefore: string,
): Promise<PreviousBackup | null> {
  const [found] = await manager.query<{ id: string; startedAt: Date; definitionsTaken: unknown }[]>(
    `SELECT id, started_at AS "startedAt", inventory->'definitionsTaken' AS "definitionsTaken"
     FROM backup_jobs JOIN (
       SELECT id FROM backup_jobs
       WHERE service_id = $1 AND plan_id IS NOT DISTINCT FROM $2::uuid AND file_endpoint_id = $3
         AND status = 'SUCCEEDED' AND started_at < $4
       ORDER BY started_at DESC LIMIT 1
     ) AS newest USING (id)
     WHERE jsonb_typeof(inventory->'databases') = 'array'`,
    [serviceId, planId, fileEndpointId, startedBefore],
  );
  return found === undefined
    ? null
    : { ...found, definitionsTaken: found.definitionsTaken as PreviousBackup['definitionsTaken'] };
}

/** How many objects one statement reads: some megabytes of this process. */
const pageSize = 20_000;

/** All objects of the inventory of a backup, a page at a time. An inventory may have 120 MiB. */
export async function* previousObjects(
  manager: EntityManager,
  backupJobId: string,
  size = pageSize,
): AsyncGenerator<InventoryItem> {
  let from: ObjectPlace | undefined = [0, 0, 0];
  while (from !== undefined) {
    const found = await inventoryObjectsFrom(manager, backupJobId, { from, size, database: null });
    yield* found.slice(0, size);
    const [database, kind, object] = found[size]?.place ?? [];
    const isLast = database === undefined || kind === undefined || object === undefined;
    from = isLast ? undefined : [database, kind, object];
  }
}
