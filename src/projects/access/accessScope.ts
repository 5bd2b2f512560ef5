import type { EntityManager } from 'typeorm';
import { authorizeRole, type OperationCall } from '../../server/requires.js';
import { roleAt, type Scope } from '../../server/scope.js';
import { authorizedProject } from '../authorizedProject.js';

/** The project of a service that is not removed. Undefined: there is no such service. A later slice provides this. */
export type ProjectOfService = (serviceId: string) => Promise<string | undefined>;

/**
 * The project or the service whose members and tokens the caller may change. Throws NOT_FOUND, and FORBIDDEN if the role of
 * the caller there is too low.
 */
export async function authorizedScope(
  { manager, projectOfService }: { readonly manager: EntityManager; readonly projectOfService: ProjectOfService },
  call: OperationCall,
  { projectId, serviceId }: { readonly projectId: string; readonly serviceId?: string | null | undefined },
): Promise<Scope> {
  if (!serviceId) return { projectId: await authorizedProject(manager, call, projectId), serviceId: null };
  const scope = { projectId: projectId.toLowerCase(), serviceId: serviceId.toLowerCase() };
  const role = roleAt(call.context.viewer, scope);
  // A service of a project that is not visible is not read at all, like one that does not exist.
  const exists = role !== undefined && (await projectOfService(scope.serviceId)) === scope.projectId;
  authorizeRole(call, exists ? role : undefined, 'service');
  return scope;
}
