import { In, IsNull, type EntityManager } from 'typeorm';
import { isUuid } from '../server/inputValidation.js';
import { visibleRowsWhere } from '../server/lookup.js';
import type { RequestContext } from '../server/requestContext.js';
import { rowById, rowsById } from '../server/rowsById.js';
import type { Condition } from '../server/tableReader.js';
import { serviceLookup, ServiceTable, type ServiceRow } from './serviceView.js';

/** Finds removed services too. */
export function findService(manager: EntityManager, id: string): Promise<ServiceRow | null> {
  return rowById(manager, ServiceTable, id);
}

/** Finds removed services too. */
export function findServices(manager: EntityManager, ids: readonly string[]): Promise<readonly (ServiceRow | null)[]> {
  return rowsById(manager, ServiceTable, ids);
}

/** The project of a service that is not removed. Reads nothing else of it, so that the time does not reveal which services exist. */
export async function projectOfService(manager: EntityManager, id: string): Promise<string | undefined> {
  if (!isUuid(id)) return undefined;
  const row = await manager
    .createQueryBuilder(ServiceTable, 'row')
    .select('row.project_id', 'projectId')
    .where('row.id = :id AND row.removed_at IS NULL', { id })
    .getRawOne<{ readonly projectId: string }>();
  return row?.projectId;
}

/** Finds removed services too, because an instance id is never used again. */
export function findServiceOfInstance(manager: EntityManager, instanceId: string): Promise<ServiceRow | null> {
  return manager.findOneBy(ServiceTable, { instanceId });
}

/** The service of an instance, if the caller may see it. Finds removed services too. */
export async function visibleServiceOfInstance(
  context: RequestContext,
  manager: EntityManager,
  instanceId: string,
): Promise<ServiceRow | null> {
  const ofInstance: Condition = ['row.instance_id = :instanceId', { instanceId }];
  const [row = null] = await visibleRowsWhere(context, manager, serviceLookup, ofInstance);
  return row;
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
