import type { DataSource } from 'typeorm';
import { authorize, type OperationCall } from '../server/requires.js';
import { findProject } from './projectQueries.js';

/**
 * The projects that a subscription covers. Undefined: all. Throws NOT_FOUND for a project that the viewer cannot see.
 */
export async function watchedProjects(
  { manager }: DataSource,
  call: OperationCall,
  projectId: string | null | undefined,
): Promise<readonly string[] | undefined> {
  if (!projectId) {
    const visible = call.context.viewer.projectIds();
    return visible === 'ALL' ? undefined : visible;
  }
  const project = await findProject(manager, projectId);
  authorize(call, project?.id, 'project');
  return [project.id];
}
