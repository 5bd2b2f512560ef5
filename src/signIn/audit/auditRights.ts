import { StowageError } from '../../errors.js';
import { asRefusal } from '../../server/refusals.js';
import { hasRole, type Viewer } from '../../server/viewer.js';

/**
 * The projects whose audit the viewer may read: those in which it is ADMIN. `ALL` includes the events of no project. Throws
 * FORBIDDEN if the viewer sees the project and is no ADMIN of it. A project that it does not see has no events for it.
 */
export function auditedProjects(viewer: Viewer, projectId: string | null | undefined): 'ALL' | readonly string[] {
  if (viewer.isInstallation) return projectId ? [projectId] : 'ALL';
  const known = viewer.projectIds();
  if (known === 'ALL') return projectId ? [projectId] : 'ALL';
  const administered = known.filter((id) => hasRole(viewer.roleIn(id), 'ADMIN'));
  const asked = projectId?.toLowerCase();
  if (asked === undefined) {
    if (administered.length > 0) return administered;
    throw refused('auditEvents needs the role ADMIN in a project.', null);
  }
  if (administered.includes(asked)) return [asked];
  if (viewer.sees(asked)) throw refused('auditEvents needs the role ADMIN in the whole project.', asked);
  return [];
}

function refused(message: string, projectId: string | null): StowageError {
  const detail = 'It needs the role ADMIN in the whole project.';
  return asRefusal(new StowageError('FORBIDDEN', message), { operation: 'auditEvents', projectId, detail });
}
