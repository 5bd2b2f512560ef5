import DataLoader from 'dataloader';

/**
 * Loads rows for all subscriptions of a process. Rows that are asked for at the same time are read by one statement, and equal
 * ids once: a change that a thousand subscriptions follow costs one read. The statement begins after the row was asked for,
 * so it is never older than the change.
 */
export function sharedLoad<Row>(
  batch: (ids: readonly string[]) => Promise<readonly (Row | null)[]>,
): (id: string) => Promise<Row | null> {
  const loader = new DataLoader<string, Row | null>(
    async (ids) => {
      const unique = [...new Set(ids)];
      const rows = await batch(unique);
      const byId = new Map(unique.map((id, index) => [id, rows[index] ?? null]));
      return ids.map((id) => byId.get(id) ?? null);
    },
    { cache: false, maxBatchSize: 5_000 },
  );
  return (id) => loader.load(id);
}
