import { notFound } from '../errors.js';
import type { RequestContext } from './requestContext.js';

/**
 * Loads the row whose id another row contains, together with all such rows of the request. Throws NOT_FOUND if it does
 * not exist.
 */
export async function loadKnown<Row>(
  { loaders }: RequestContext,
  batch: (ids: readonly string[]) => Promise<readonly (Row | null)[]>,
  id: string,
  noun: string,
): Promise<Row> {
  const row = await loaders.of(batch).load(id);
  if (row === null) throw notFound(noun);
  return row;
}
