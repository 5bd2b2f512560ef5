import type { Condition } from './tableReader.js';
import type { Viewer } from './viewer.js';

/**
 * Limits a list to what the viewer may see, and to one project if the client asks for one. `serviceColumn` is the column of
 * `row` with the service that the row belongs to. Undefined: there is no limit.
 */
export function visibleRows(
  viewer: Viewer,
  projectId: string | null | undefined,
  serviceColumn: string,
): Condition | undefined {
  const ofProject: Condition = ['row.project_id = :projectId', { projectId }];
  const projectIds = viewer.projectIds();
  if (projectIds === 'ALL') return projectId ? ofProject : undefined;
  if (projectId && viewer.roleIn(projectId) !== undefined) return ofProject;
  const serviceIds = viewer.serviceIds();
  const ofServices = `${serviceColumn} = ANY(:grantedServiceIds)`;
  const granted = { grantedServiceIds: serviceIds };
  if (projectId) return [`row.project_id = :projectId AND ${ofServices}`, { projectId, ...granted }];
  if (serviceIds.length === 0) return ['row.project_id = ANY(:projectIds)', { projectIds }];
  if (projectIds.length === 0) return [ofServices, granted];
  return [`row.project_id = ANY(:projectIds) OR ${ofServices}`, { projectIds, ...granted }];
}

/** Limits the rows of one project to those that the viewer may see. Undefined: the viewer may see all of them. */
export function visibleInProject(viewer: Viewer, projectId: string, serviceColumn: string): Condition | undefined {
  if (viewer.roleIn(projectId) !== undefined) return undefined;
  return [`${serviceColumn} = ANY(:grantedServiceIds)`, { grantedServiceIds: viewer.serviceIds() }];
}
