import type { EntityManager } from 'typeorm';
import { notFound } from '../errors.js';
import { authorizeRole, type OperationCall } from '../server/requires.js';
import { roleAtProject } from '../server/scope.js';
import { findProject } from './projectQueries.js';

/** The id of the project, as it is stored. Throws NOT_FOUND, and FORBIDDEN if the role of the caller is too low. */
export async function authorizedProject(
  manager: EntityManager,
  call: OperationCall,
  projectId: string,
): Promise<string> {
  authorizeRole(call, roleAtProject(call.context.viewer, projectId), 'project');
  const project = await findProject(manager, projectId);
  if (project === null) throw notFound('project');
  return project.id;
}
