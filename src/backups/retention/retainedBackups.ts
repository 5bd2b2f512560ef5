import type { EntityManager } from 'typeorm';
import { isCounted, type RetainedBackup, type Trigger } from '../../plans/retention/retention.js';

export type Destination = { readonly planId: string; readonly fileEndpointId: string };

type StoredRow = {
  readonly id: string;
  /** The position of its destination in the list, from 1. */
  readonly place: number;
  readonly startedAt: Date;
  readonly trigger: Trigger;
  readonly standsFor: Exclude<Trigger, 'RETRY'> | null;
  readonly isRead: boolean;
  readonly isHeld: boolean;
  readonly verified: boolean;
  /** The container has reported once that the bytes are missing. */
  readonly isDoubtful: boolean;
};

/**
 * The stored backups of these destinations in the form for retention, by `destinationKey`. A backup that was reported
 * missing once does not count until a second check decides: it replaces no other backup and is not deleted.
 */
export async function retainedBackups(
  manager: EntityManager,
  destinations: readonly Destination[],
): Promise<ReadonlyMap<string, readonly RetainedBackup[]>> {
  const rows = await manager.query<StoredRow[]>(
    `SELECT id, place::integer, coalesce(started_at, queued_at) AS "startedAt", trigger, stands_for AS "standsFor",
       jsonb_array_length(readers) > 0 AS "isRead", hold IS NOT NULL AS "isHeld", verified IS NOT NULL AS verified,
       absent_since IS NOT NULL AS "isDoubtful"
     FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS destination (plan_id, file_endpoint_id, place)
       JOIN backup_jobs USING (plan_id, file_endpoint_id)
     WHERE availability = 'STORED'`,
    [destinations.map(({ planId }) => planId), destinations.map(({ fileEndpointId }) => fileEndpointId)],
  );
  const byPlace = destinations.map((): RetainedBackup[] => []);
  for (const { place, id, startedAt, trigger, standsFor, isRead, isHeld, verified, isDoubtful } of rows) {
    byPlace[place - 1]?.push({
      ...{ id, startedAt, trigger, verified },
      counted: isCounted(trigger, standsFor) && !isDoubtful,
      protectedBy: [...(isHeld ? (['HOLD'] as const) : []), ...(isRead ? (['READER'] as const) : [])],
    });
  }
  return new Map(destinations.map((destination, place) => [destinationKey(destination), byPlace[place] ?? []]));
}

export function destinationKey({ planId, fileEndpointId }: Destination): string {
  return `${planId} ${fileEndpointId}`;
}
