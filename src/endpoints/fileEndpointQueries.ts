import { In, IsNull, type EntityManager } from 'typeorm';
import { isUuid } from '../server/inputValidation.js';
import { rowById, rowsById } from '../server/rowsById.js';
import type { EndpointSettings } from '../storage/storageKind.js';
import { FileEndpointTable, type FileEndpointRow } from './fileEndpointView.js';

/** Finds removed endpoints too. */
export function findFileEndpoint(manager: EntityManager, id: string): Promise<FileEndpointRow | null> {
  return rowById(manager, FileEndpointTable, id);
}

/** Finds removed endpoints too. */
export function findFileEndpoints(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly (FileEndpointRow | null)[]> {
  return rowsById(manager, FileEndpointTable, ids);
}

/** Those of the ids that belong to endpoints of the project that are not removed. Reads nothing of other projects. */
export async function fileEndpointIdsOf(
  manager: EntityManager,
  projectId: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await manager.findBy(FileEndpointTable, {
    id: In(ids.filter(isUuid)),
    projectId,
    removedAt: IsNull(),
  });
  return new Set(rows.map(({ id }) => id));
}

/** Those endpoints of all projects whose settings contain the given ones. Ignores removed endpoints. */
export function findEndpointsAlike(
  manager: EntityManager,
  settings: Partial<EndpointSettings>,
): Promise<readonly FileEndpointRow[]> {
  return manager
    .createQueryBuilder(FileEndpointTable, 'row')
    .where('row.removed_at IS NULL AND row.settings @> :settings::jsonb', { settings: JSON.stringify(settings) })
    .getMany();
}

/** Ignores removed endpoints. */
export function findFileEndpointNamed(
  manager: EntityManager,
  projectId: string,
  name: string,
): Promise<FileEndpointRow | null> {
  return manager.findOneBy(FileEndpointTable, { projectId, name, removedAt: IsNull() });
}
