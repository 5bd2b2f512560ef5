import type { DataSource } from 'typeorm';
import type { OperationCall } from '../server/requires.js';
import { authorizedProject } from './authorizedProject.js';

/**
 * The projects that a subscription covers. Undefined: all. Of a project in which the viewer has grants only for services, the
 * subscription may send only what these cover. Throws NOT_FOUND for a project that the viewer cannot see.
 */
export async function watchedProjects(
  { manager }: DataSource,
  call: OperationCall,
  projectId: string | null | undefined,
): Promise<readonly string[] | undefined> {
  if (!projectId) {
    const visible = call.context.viewer.seenProjectIds();
    return visible === 'ALL' ? undefined : visible;
  }
  return [await authorizedProject(manager, call, projectId)];
}
