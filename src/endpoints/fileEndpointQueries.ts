import { In, IsNull, type EntityManager } from 'typeorm';
import { isUuid } from '../server/inputValidation.js';
import { FileEndpointTable, type FileEndpointRow } from './fileEndpointView.js';

/** Removed endpoints too. Null for what is no id. */
export async function findFileEndpoint(manager: EntityManager, id: string): Promise<FileEndpointRow | null> {
  return isUuid(id) ? await manager.findOneBy(FileEndpointTable, { id }) : null;
}

/** In the order of the ids, null for what is not there: the batch of a loader. */
export async function findFileEndpoints(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly (FileEndpointRow | null)[]> {
  const rows = await manager.findBy(FileEndpointTable, { id: In(ids.filter(isUuid)) });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id.toLowerCase()) ?? null);
}

/** The one that is not removed. */
export function findFileEndpointNamed(
  manager: EntityManager,
  projectId: string,
  name: string,
): Promise<FileEndpointRow | null> {
  return manager.findOneBy(FileEndpointTable, { projectId, name, removedAt: IsNull() });
}
