import DataLoader from 'dataloader';

/**
 * Loads rows for all subscriptions of a process. Rows that are requested at the same time are read by one statement,
 * and each id is read once. So a change that concerns a thousand subscriptions costs one read. The statement begins
 * after the request, so its result is never older than the change.
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
