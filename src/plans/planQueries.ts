import type { EntityManager } from 'typeorm';
import { isUuid } from '../server/inputValidation.js';
import { rowsById } from '../server/rowsById.js';
import { fileEndpointIdsOf } from '../endpoints/fileEndpointQueries.js';
import type { FieldProblem } from '../errors.js';
import { BackupPlanTable, type BackupPlanRow } from './backupPlanView.js';

/** Finds removed plans too. */
export function findBackupPlans(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly (BackupPlanRow | null)[]> {
  return rowsById(manager, BackupPlanTable, ids);
}

/**
 * One problem for each id that names no file endpoint of the project. The message is the same for an endpoint of
 * another project, a removed endpoint and an unknown endpoint, so that it reveals nothing. The check of the input
 * reports texts that are not ids.
 */
export async function foreignEndpoints(
  manager: EntityManager,
  projectId: string,
  fileEndpointIds: readonly string[],
): Promise<readonly FieldProblem[]> {
  const known = await fileEndpointIdsOf(manager, projectId, fileEndpointIds);
  return fileEndpointIds.flatMap((id, index): FieldProblem[] => {
    if (!isUuid(id) || known.has(id.toLowerCase())) return [];
    return [
      {
        path: `input.fileEndpointIds.${index}`,
        problem: 'names no file endpoint of this project',
        hint: 'Send the id of a file endpoint of the service’s project; fileEndpoints lists them.',
      },
    ];
  });
}
