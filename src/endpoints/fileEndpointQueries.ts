import { In, IsNull, type EntityManager } from 'typeorm';
import { isUuid } from '../server/inputValidation.js';
import { FileEndpointTable, type FileEndpointRow } from './fileEndpointView.js';

/** Finds removed endpoints too. Null for a text that is no id. */
export async function findFileEndpoint(manager: EntityManager, id: string): Promise<FileEndpointRow | null> {
  return isUuid(id) ? await manager.findOneBy(FileEndpointTable, { id }) : null;
}

/** The batch of a loader: in the order of the ids, null for an id that does not exist. */
export async function findFileEndpoints(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly (FileEndpointRow | null)[]> {
  const rows = await manager.findBy(FileEndpointTable, { id: In(ids.filter(isUuid)) });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id.toLowerCase()) ?? null);
}

/** Ignores removed endpoints. */
export function findFileEndpointNamed(
  manager: EntityManager,
  projectId: string,
  name: string,
): Promise<FileEndpointRow | null> {
  return manager.findOneBy(FileEndpointTable, { projectId, name, removedAt: IsNull() });
}
