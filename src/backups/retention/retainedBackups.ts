import type { EntityManager } from 'typeorm';
import { isCounted, type RetainedBackup, type Trigger } from '../../plans/retention/retention.js';

export type Destination = { readonly planId: string; readonly fileEndpointId: string };

type StoredRow = {
  readonly id: string;
  /** The position of its destination in the list, from 1. */
  readonly place: number;
  readonly started_at: Date;
  readonly trigger: Trigger;
  readonly stands_for: Exclude<Trigger, 'RETRY'> | null;
  readonly is_read: boolean;
  readonly is_held: boolean;
  readonly is_verified: boolean;
  /** The container has reported once that the bytes are missing. */
  readonly is_doubtful: boolean;
};

/**
 * The stored backups of these destinations in the form for retention, by `destinationKey`. A backup that was missed in
 * the container once does not count until a second check decides: it replaces no other backup and is not deleted.
 */
export async function retainedBackups(
  manager: EntityManager,
  destinations: readonly Destination[],
): Promise<ReadonlyMap<string, readonly RetainedBackup[]>> {
  const rows = await manager.query<StoredRow[]>(
    `SELECT id, place::integer, coalesce(started_at, queued_at) AS started_at, trigger, stands_for,
       jsonb_array_length(readers) > 0 AS is_read, hold IS NOT NULL AS is_held, verified IS NOT NULL AS is_verified,
       absent_since IS NOT NULL AS is_doubtful
     FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS destination (plan_id, file_endpoint_id, place)
       JOIN backup_jobs USING (plan_id, file_endpoint_id)
     WHERE availability = 'STORED'`,
    [destinations.map(({ planId }) => planId), destinations.map(({ fileEndpointId }) => fileEndpointId)],
  );
  const byPlace = destinations.map((): RetainedBackup[] => []);
  for (const row of rows) {
    byPlace[row.place - 1]?.push({
      id: row.id,
      startedAt: row.started_at,
      trigger: row.trigger,
      counted: isCounted(row.trigger, row.stands_for) && !row.is_doubtful,
      verified: row.is_verified,
      protectedBy: [...(row.is_held ? (['HOLD'] as const) : []), ...(row.is_read ? (['READER'] as const) : [])],
    });
  }
  return new Map(destinations.map((destination, place) => [destinationKey(destination), byPlace[place] ?? []]));
}

export function destinationKey({ planId, fileEndpointId }: Destination): string {
  return `${planId} ${fileEndpointId}`;
}
