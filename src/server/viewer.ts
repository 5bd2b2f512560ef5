/** From least to most: each role may do what the ones before it may. */
export const roles = ['VIEWER', 'OPERATOR', 'ADMIN'] as const;
export type Role = (typeof roles)[number];

/** Who asks, and what they may see. */
export interface Viewer {
  /** The name that events carry as their actor, for example `installation`. */
  readonly subject: string;
  readonly name: string | null;
  /** Holds the installation-level token: may do everything. */
  readonly isInstallation: boolean;
  /** undefined: the project is not visible to the viewer, as if it did not exist. */
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
