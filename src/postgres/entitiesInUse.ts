import type { DataSource } from 'typeorm';

/** Returns the ids of entities that are in use (see Reservations), and so cannot be removed now. */
export async function entitiesInUse(dataSource: DataSource, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await dataSource.query<{ entity_id: string }[]>(
    'SELECT DISTINCT entity_id FROM entity_uses WHERE entity_id = ANY($1::text[])',
    [ids],
  );
  return new Set(rows.map((row) => row.entity_id));
}
