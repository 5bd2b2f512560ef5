import { In, IsNull, type EntityManager } from 'typeorm';
import { rowById, rowsById } from '../server/rowsById.js';
import { ServiceTable, type ServiceRow } from './serviceView.js';

/** Finds removed services too. */
export function findService(manager: EntityManager, id: string): Promise<ServiceRow | null> {
  return rowById(manager, ServiceTable, id);
}

/** Finds removed services too. */
export function findServices(manager: EntityManager, ids: readonly string[]): Promise<readonly (ServiceRow | null)[]> {
  return rowsById(manager, ServiceTable, ids);
}

/** Finds removed services too, because an instance id is never used again. */
export function findServiceOfInstance(manager: EntityManager, instanceId: string): Promise<ServiceRow | null> {
  return manager.findOneBy(ServiceTable, { instanceId });
}

/** The services of these instances that are not removed. */
export function findServicesOfInstances(
  manager: EntityManager,
  instanceIds: readonly string[],
): Promise<readonly ServiceRow[]> {
  return manager.findBy(ServiceTable, { instanceId: In([...instanceIds]), removedAt: IsNull() });
}

/** The service of that name that is not removed. */
export function findServiceNamed(manager: EntityManager, projectId: string, name: string): Promise<ServiceRow | null> {
  return manager.findOneBy(ServiceTable, { projectId, name, removedAt: IsNull() });
}
