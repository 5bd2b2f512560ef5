/** From the lowest to the highest role. Each role includes the rights of the lower roles. */
export const roles = ['VIEWER', 'OPERATOR', 'ADMIN'] as const;
export type Role = (typeof roles)[number];

/** The caller of the API. */
export interface Viewer {
  /** The actor in events, for example `installation`. */
  readonly subject: string;
  readonly name: string | null;
  /** True if the caller has the installation-level token, which allows everything. */
  readonly isInstallation: boolean;
  /** Undefined if the project does not exist or is not visible to the viewer. */
  roleIn(projectId: string): Role | undefined;
  /** The projects the viewer may see, for lists without a projectId. */
  projectIds(): 'ALL' | readonly string[];
}

/** The holder of the installation-level bearer token. */
export const installationViewer: Viewer = {
  subject: 'installation',
  name: 'Installation',
  isInstallation: true,
  roleIn: () => 'ADMIN',
  projectIds: () => 'ALL',
};

export function hasRole(role: Role | undefined, needed: Role): boolean {
  return role !== undefined && roles.indexOf(role) >= roles.indexOf(needed);
}
