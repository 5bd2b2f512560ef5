import type { EntityManager } from 'typeorm';
import { rowById, rowsById } from '../server/rowsById.js';
import { ProjectTable, type ProjectRow } from './projectView.js';

export function findProject(manager: EntityManager, id: string): Promise<ProjectRow | null> {
  return rowById(manager, ProjectTable, id);
}

export function findProjects(manager: EntityManager, ids: readonly string[]): Promise<readonly (ProjectRow | null)[]> {
  return rowsById(manager, ProjectTable, ids);
}
