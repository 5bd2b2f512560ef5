import type { EntityManager } from 'typeorm';

/** Figures of a plan's backups at one of its endpoints. */
export type DestinationFacts = {
  readonly latestId: string | null;
  readonly lastSuccessId: string | null;
  /** The number of stored backups. */
  readonly kept: number;
  readonly storedSizeBytes: number;
};

export type DestinationKey = { readonly planId: string; readonly fileEndpointId: string };

/** The figures in the order of the keys. */
export async function destinationFacts(
  manager: EntityManager,
  keys: readonly DestinationKey[],
): Promise<readonly DestinationFacts[]> {
  const rows = await manager.query<
    { latest_id: string | null; last_success_id: string | null; kept: string; stored_size: string }[]
  >(
    `SELECT latest.id AS latest_id, success.id AS last_success_id, stored.kept, stored.size AS stored_size
     FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS key (plan_id, file_endpoint_id, place)
     LEFT JOIN LATERAL (
       SELECT id FROM backup_jobs job WHERE job.plan_id = key.plan_id AND job.file_endpoint_id = key.file_endpoint_id
       ORDER BY queued_at DESC, id DESC LIMIT 1
     ) AS latest ON true
     LEFT JOIN LATERAL (
       SELECT id FROM backup_jobs job WHERE job.plan_id = key.plan_id AND job.file_endpoint_id = key.file_endpoint_id
         AND job.status = 'SUCCEEDED' ORDER BY started_at DESC, id DESC LIMIT 1
     ) AS success ON true
     CROSS JOIN LATERAL (
       SELECT count(*) AS kept, coalesce(sum(stored_size_bytes), 0) AS size FROM backup_jobs job
       WHERE job.plan_id = key.plan_id AND job.file_endpoint_id = key.file_endpoint_id AND job.availability = 'STORED'
     ) AS stored
     ORDER BY key.place`,
    [keys.map(({ planId }) => planId), keys.map(({ fileEndpointId }) => fileEndpointId)],
  );
  return rows.map((row) => ({
    latestId: row.latest_id,
    lastSuccessId: row.last_success_id,
    kept: Number(row.kept),
    storedSizeBytes: Number(row.stored_size),
  }));
}

/** `serviceIds`: only backups of these services. Undefined: all backups. */
export type HoldingsKey = { readonly fileEndpointId: string; readonly serviceIds: readonly string[] | undefined };

/**
 * The number and bytes of the listed backups at each endpoint, in the order of the keys. Backups that are DELETING are
 * included.
 */
export async function holdingsOf(
  manager: EntityManager,
  keys: readonly HoldingsKey[],
): Promise<readonly { readonly backups: number; readonly storedSizeBytes: number }[]> {
  const rows = await manager.query<{ place: string; backups: string; size: string }[]>(
    `SELECT key.place, count(*) AS backups, coalesce(sum(stored_size_bytes) FILTER (WHERE availability <> 'MISSING'), 0) AS size
     FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS key (file_endpoint_id, service_ids, place)
     JOIN backup_jobs job ON job.file_endpoint_id = key.file_endpoint_id
       AND (key.service_ids IS NULL OR job.service_id = ANY(key.service_ids::uuid[]))
     WHERE availability IN ('STORED', 'DELETING', 'MISSING')
     GROUP BY key.place`,
    [
      keys.map(({ fileEndpointId }) => fileEndpointId),
      keys.map(({ serviceIds }) => serviceIds && `{${serviceIds.join()}}`),
    ],
  );
  const byPlace = new Map(rows.map((row) => [Number(row.place), row]));
  return keys.map((_key, index) => {
    const row = byPlace.get(index + 1);
    return { backups: Number(row?.backups ?? 0), storedSizeBytes: Number(row?.size ?? 0) };
  });
}

/** The id of the newest STORED backup of each service, in the order of the ids. Null: there is none. */
export async function newestStoredOf(
  manager: EntityManager,
  serviceIds: readonly string[],
): Promise<readonly (string | null)[]> {
  const rows = await manager.query<{ id: string | null }[]>(
    `SELECT (
       SELECT id FROM backup_jobs job WHERE job.service_id = service.id AND job.availability = 'STORED'
       ORDER BY started_at DESC, id DESC LIMIT 1
     ) AS id
     FROM unnest($1::uuid[]) WITH ORDINALITY AS service (id, place) ORDER BY service.place`,
    [serviceIds],
  );
  return rows.map(({ id }) => id);
}
