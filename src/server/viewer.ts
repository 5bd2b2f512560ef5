/** From the lowest to the highest role. Each role includes the rights of the lower roles. */
export const roles = ['VIEWER', 'OPERATOR', 'ADMIN'] as const;
export type Role = (typeof roles)[number];

/**
 * The identity of a caller. A person is identified by the issuer of the sign-in and the issuer's `sub`, and never by a name
 * or an e-mail address, because these can change hands. The issuer of access tokens is `stowage`, and their `sub` is their id.
 */
export type Subject = {
  readonly kind: 'person' | 'token' | 'installation';
  readonly issuer: string;
  readonly sub: string;
};

/** A role in a project, or in one service of it. */
export type Grant = {
  readonly projectId: string;
  /** Null: the grant applies to the whole project. */
  readonly serviceId: string | null;
  readonly role: Role;
};

/** The caller of the API, with the rights that it has now. Ids are compared without letter case. */
export interface Viewer extends Subject {
  /** The actor in events: `installation`, `token:<id>` or `person:<issuer>#<sub>`. */
  readonly subject: string;
  readonly name: string | null;
  /** True if the caller has the installation-level token, which allows everything. */
  readonly isInstallation: boolean;
  readonly grants: 'ALL' | readonly Grant[];
  /** The role in the whole project. Undefined if there is none, also if there are grants for services of the project. */
  roleIn(projectId: string): Role | undefined;
  /** The role for an object that belongs to the service: the higher one of the roles in the project and in the service. */
  roleFor(projectId: string, serviceId: string | null): Role | undefined;
  /** Whether there is a grant for the project or for a service of it. */
  sees(projectId: string): boolean;
  /** The projects with a grant for the whole project, for lists without a projectId. */
  projectIds(): 'ALL' | readonly string[];
  /** The projects with a grant for the whole project, or for a service of it. */
  seenProjectIds(): 'ALL' | readonly string[];
  /** The services with a grant of their own. */
  serviceIds(): readonly string[];
}

/** The issuer of access tokens and of the installation-level token. */
export const ownIssuer = 'stowage';

export function viewerOf({
  name,
  grants,
  ...subject
}: Subject & { readonly name: string | null; readonly grants: 'ALL' | readonly Grant[] }): Viewer {
  const all = grants === 'ALL';
  const known = all ? [] : grants;
  const roleOfProjects = highestBy(
    known.filter(({ serviceId }) => serviceId === null).map(({ projectId, role }) => [projectId, role]),
  );
  const roleOfServices = highestBy(
    known.flatMap(({ serviceId, role }) => (serviceId === null ? [] : [[serviceId, role]])),
  );
  const seen = new Set(known.map(({ projectId }) => projectId.toLowerCase()));
  const roleIn = (projectId: string) => (all ? 'ADMIN' : roleOfProjects.get(projectId.toLowerCase()));
  return {
    ...subject,
    name,
    grants,
    subject: actorOf(subject),
    isInstallation: subject.kind === 'installation',
    roleIn,
    roleFor(projectId, serviceId) {
      const ofService = serviceId === null ? undefined : roleOfServices.get(serviceId.toLowerCase());
      return higherRole(roleIn(projectId), ofService);
    },
    sees: (projectId) => all || seen.has(projectId.toLowerCase()),
    projectIds: () => (all ? 'ALL' : [...roleOfProjects.keys()]),
    seenProjectIds: () => (all ? 'ALL' : [...seen]),
    serviceIds: () => [...roleOfServices.keys()],
  };
}

/** The holder of the installation-level bearer token. */
export const installationViewer: Viewer = viewerOf({
  kind: 'installation',
  issuer: ownIssuer,
  sub: 'installation',
  name: 'Installation',
  grants: 'ALL',
});

export function actorOf({ kind, issuer, sub }: Subject): string {
  switch (kind) {
    case 'installation':
      return 'installation';
    case 'token':
      return `token:${sub}`;
    case 'person':
      return `person:${issuer}#${sub}`;
  }
}

export function hasRole(role: Role | undefined, needed: Role): boolean {
  return role !== undefined && roles.indexOf(role) >= roles.indexOf(needed);
}

export function higherRole(one: Role | undefined, other: Role | undefined): Role | undefined {
  return other !== undefined && hasRole(one, other) ? one : (other ?? one);
}

function highestBy(entries: readonly (readonly [string, Role])[]): ReadonlyMap<string, Role> {
  const highest = new Map<string, Role>();
  for (const [id, role] of entries)
    highest.set(id.toLowerCase(), higherRole(highest.get(id.toLowerCase()), role) ?? role);
  return highest;
}
