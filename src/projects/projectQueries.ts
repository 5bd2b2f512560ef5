import { In, type EntityManager } from 'typeorm';
import { ProjectTable, type ProjectRow } from './projectView.js';

const uuidShape = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

export async function findProject(manager: EntityManager, id: string): Promise<ProjectRow | null> {
  return uuidShape.test(id) ? await manager.findOneBy(ProjectTable, { id }) : null;
}

/** In the order of the ids, null for what is not there: the batch of a loader. */
export async function findProjects(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly (ProjectRow | null)[]> {
  const rows = await manager.findBy(ProjectTable, { id: In(ids.filter((id) => uuidShape.test(id))) });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id.toLowerCase()) ?? null);
}
