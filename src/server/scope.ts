import type { Role, Viewer } from './viewer.js';

/** The project that an object belongs to, and its service. Null: the object belongs to the project as a whole. */
export type Scope = { readonly projectId: string; readonly serviceId: string | null };

/** The scope of a row. Every slice exports the function of its rows. */
export type ScopeOf<Row> = (row: Row) => Scope;

/** A scope whose service is a property of the row. `serviceColumn` is its column, as SQL on `row`. */
export type StoredScope<Row> = ScopeOf<Row> & { readonly serviceColumn: string };

/** The scope of rows whose property `service`, with the column `serviceColumn`, is the service that they belong to. */
export function storedScope<Service extends string>(service: Service, serviceColumn: string) {
  const scopeOf = (row: { readonly projectId: string } & Readonly<Record<Service, string | null>>): Scope => ({
    projectId: row.projectId,
    serviceId: row[service],
  });
  return Object.assign(scopeOf, { serviceColumn });
}

export function roleAt(viewer: Viewer, { projectId, serviceId }: Scope): Role | undefined {
  return viewer.roleFor(projectId, serviceId);
}

/**
 * The role for the project itself. A grant for one of its services gives VIEWER: its name is visible, and of its lists only
 * what the grants cover.
 */
export function roleAtProject(viewer: Viewer, projectId: string): Role | undefined {
  return viewer.roleIn(projectId) ?? (viewer.sees(projectId) ? 'VIEWER' : undefined);
}
