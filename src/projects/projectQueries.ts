import { In, type EntityManager } from 'typeorm';
import { rowById, rowsById } from '../server/rowsById.js';
import { ProjectTable, type ProjectRow } from './projectView.js';

export function findProject(manager: EntityManager, id: string): Promise<ProjectRow | null> {
  return rowById(manager, ProjectTable, id);
}

export function findProjects(manager: EntityManager, ids: readonly string[]): Promise<readonly (ProjectRow | null)[]> {
  return rowsById(manager, ProjectTable, ids);
}

/** The ids of projects by their name or id. A name that no project or several projects have is absent. */
export async function projectIdsNamed(
  manager: EntityManager,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const isId = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
  const rows = await manager.find(ProjectTable, {
    where: [{ name: In(names) }, { id: In(names.filter((name) => isId.test(name))) }],
  });
  return new Map(
    names.flatMap((name) => {
      const found = rows.filter((row) => row.name === name || row.id === name.toLowerCase());
      const [only] = found;
      return only !== undefined && found.length === 1 ? [[name, only.id] as const] : [];
    }),
  );
}
