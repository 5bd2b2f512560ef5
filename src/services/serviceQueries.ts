import { In, IsNull, type EntityManager } from 'typeorm';
import { isUuid } from '../server/inputValidation.js';
import { ServiceTable, type ServiceRow } from './serviceView.js';

/** Removed services too. Null for what is no id. */
export async function findService(manager: EntityManager, id: string): Promise<ServiceRow | null> {
  return isUuid(id) ? await manager.findOneBy(ServiceTable, { id }) : null;
}

/** In the order of the ids, null for what is not there: the batch of a loader. */
export async function findServices(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly (ServiceRow | null)[]> {
  const rows = await manager.findBy(ServiceTable, { id: In(ids.filter(isUuid)) });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id.toLowerCase()) ?? null);
}

/** Removed services too: an instance id is never given twice. */
export function findServiceOfInstance(manager: EntityManager, instanceId: string): Promise<ServiceRow | null> {
  return manager.findOneBy(ServiceTable, { instanceId });
}

/** The one that is not removed. */
export function findServiceNamed(manager: EntityManager, projectId: string, name: string): Promise<ServiceRow | null> {
  return manager.findOneBy(ServiceTable, { projectId, name, removedAt: IsNull() });
}
