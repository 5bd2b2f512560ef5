import type { EntityManager } from 'typeorm';
import { isCounted, type RetainedBackup, type Trigger } from '../../plans/retention/retention.js';

export type Destination = { readonly planId: string; readonly fileEndpointId: string };

type StoredRow = {
  readonly id: string;
  /** Of its destination among those asked for, from 1. */
  readonly place: number;
  readonly started_at: Date;
  readonly trigger: Trigger;
  /** Of a RETRY alone. */
  readonly first_trigger: Exclude<Trigger, 'RETRY'> | null;
  readonly is_read: boolean;
  readonly is_held: boolean;
  readonly is_verified: boolean;
  /** The container has said once that the bytes are not there. */
  readonly is_doubtful: boolean;
};

/**
 * The stored backups of these destinations as retention sees them, by `destinationKey`. One of which the container has
 * said once that it is not there does not count until that is cleared up: it neither pushes another one out nor goes.
 */
export async function retainedBackups(
  manager: EntityManager,
  destinations: readonly Destination[],
): Promise<ReadonlyMap<string, readonly RetainedBackup[]>> {
  const rows = await manager.query<StoredRow[]>(
    `WITH RECURSIVE destination AS (
       SELECT * FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS given (plan_id, file_endpoint_id, place)
     ), stored AS (
       SELECT id, place::integer, coalesce(started_at, queued_at) AS started_at, trigger, retry_of,
         jsonb_array_length(readers) > 0 AS is_read, hold IS NOT NULL AS is_held, verified IS NOT NULL AS is_verified,
         absent_since IS NOT NULL AS is_doubtful
       FROM backup_jobs JOIN destination USING (plan_id, file_endpoint_id) WHERE availability = 'STORED'
     ), origin (id, trigger, retry_of) AS (
       SELECT id, trigger, retry_of FROM stored WHERE trigger = 'RETRY'
       UNION
       SELECT origin.id, source.trigger, source.retry_of
       FROM origin JOIN backup_jobs source ON source.id = origin.retry_of WHERE origin.trigger = 'RETRY'
     )
     SELECT stored.id, place, started_at, stored.trigger, is_read, is_held, is_verified, is_doubtful,
       origin.trigger AS first_trigger
     FROM stored LEFT JOIN origin ON origin.id = stored.id AND origin.trigger <> 'RETRY'`,
    [destinations.map(({ planId }) => planId), destinations.map(({ fileEndpointId }) => fileEndpointId)],
  );
  const byPlace = destinations.map((): RetainedBackup[] => []);
  for (const row of rows) {
    byPlace[row.place - 1]?.push({
      id: row.id,
      startedAt: row.started_at,
      trigger: row.trigger,
      counted: isCounted(row.trigger, row.first_trigger) && !row.is_doubtful,
      verified: row.is_verified,
      protectedBy: [...(row.is_held ? (['HOLD'] as const) : []), ...(row.is_read ? (['READER'] as const) : [])],
    });
  }
  return new Map(destinations.map((destination, place) => [destinationKey(destination), byPlace[place] ?? []]));
}

export function destinationKey({ planId, fileEndpointId }: Destination): string {
  return `${planId} ${fileEndpointId}`;
}
