import type { RecordedEvent } from '../eventSourcing/event.js';
import type { EventCondition, EventStore, ReadOptions } from '../eventSourcing/eventStore.js';
import type { Viewer } from '../server/viewer.js';

/**
 * The events that a viewer may see, as options of `EventStore.read`. A grant for a service covers the events of the service,
 * its dashboards, plans, jobs, restores, protection, members and tokens, and of the file endpoints that the grant covers.
 */
export function visibleEvents(
  viewer: Viewer,
  projectId: string | null | undefined,
): Pick<ReadOptions, 'projectIds' | 'within'> {
  const seen = viewer.seenProjectIds();
  if (seen === 'ALL') return projectId ? { projectIds: [projectId.toLowerCase()] } : {};
  const projectIds = projectId ? seen.filter((id) => id === projectId.toLowerCase()) : seen;
  const isWhole = projectIds.every((id) => viewer.roleIn(id) !== undefined);
  return isWhole ? { projectIds } : { projectIds, within: ofProjectsOrServices(viewer) };
}

/** Whether the viewer may see the event. The rows that decide about it are read now. */
export async function isVisibleEvent(
  store: Pick<EventStore, 'read'>,
  viewer: Viewer,
  { position, projectId }: Pick<RecordedEvent, 'position' | 'projectId'>,
): Promise<boolean> {
  if (viewer.roleIn(projectId) !== undefined) return true;
  if (!viewer.sees(projectId)) return false;
  const found = await store.read({ ...visibleEvents(viewer, projectId), after: position - 1n, limit: 1 });
  return found[0]?.position === position;
}

/** The parameter holds the ids of projects and of services together, because no two objects have the same id. */
function ofProjectsOrServices(viewer: Viewer): EventCondition {
  const projectIds = viewer.projectIds();
  return {
    parameter: [...(projectIds === 'ALL' ? [] : projectIds), ...viewer.serviceIds()],
    sql: (ids) => `project_id = ANY(${ids}::text[]) OR ${ofServices(ids)}`,
  };
}

const ofServices = (ids: string) => `CASE stream_type
  WHEN 'Service' THEN stream_id = ANY(${ids}::text[])
  WHEN 'Protection' THEN data->>'serviceId' = ANY(${ids}::text[])
  WHEN 'DashboardAccess' THEN data->>'serviceId' = ANY(${ids}::text[])
  WHEN 'Members' THEN data->>'serviceId' = ANY(${ids}::text[])
  WHEN 'AccessToken' THEN EXISTS (
    SELECT FROM access_tokens row WHERE row.id = stream_id::uuid AND row.service_id = ANY(${ids}::uuid[]))
  WHEN 'BackupPlan' THEN EXISTS (
    SELECT FROM backup_plans row WHERE row.id = stream_id::uuid AND row.service_id = ANY(${ids}::uuid[]))
  WHEN 'BackupJob' THEN EXISTS (
    SELECT FROM backup_jobs row WHERE row.id = stream_id::uuid AND row.service_id = ANY(${ids}::uuid[]))
  WHEN 'RestoreJob' THEN EXISTS (
    SELECT FROM restore_jobs row WHERE row.id = stream_id::uuid AND row.target_service_id = ANY(${ids}::uuid[]))
  WHEN 'FileEndpoint' THEN EXISTS (
      SELECT FROM file_endpoints row WHERE row.id = stream_id::uuid AND row.service_id = ANY(${ids}::uuid[]))
    OR EXISTS (
      SELECT FROM backup_plans row WHERE row.service_id = ANY(${ids}::uuid[]) AND row.file_endpoint_ids ? stream_id)
    OR EXISTS (
      SELECT FROM backup_jobs row WHERE row.service_id = ANY(${ids}::uuid[]) AND row.file_endpoint_id = stream_id::uuid)
  ELSE false END`;
