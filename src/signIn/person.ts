import { outsideText } from '../outsideText.js';
import { actorOf, installationViewer, viewerOf, type Grant, type Viewer } from '../server/viewer.js';
import { grantsOfClaims, type ClaimGrant, type ClaimRule } from './claimRules.js';
import type { Identified, ProviderTokens } from './provider/provider.js';
import type { Sealing } from './sealing.js';
import type { FromProvider, Session, SessionOwner } from './sessions.js';

/** Reads the rights of people. */
export type PeopleRights = {
  /** The grants of a person as a member. */
  readonly memberGrants: (person: { readonly issuer: string; readonly sub: string }) => Promise<readonly Grant[]>;
  /** The ids of projects by name or id. A name that no project or several projects have is absent. */
  readonly projectIds: (names: readonly string[]) => Promise<ReadonlyMap<string, string>>;
};

/** A person with the grants of their memberships, of their claims, and of the platform. */
export async function personViewer(
  { memberGrants, projectIds }: PeopleRights,
  person: { readonly issuer: string; readonly sub: string; readonly name: string | null },
  claimGrants: readonly ClaimGrant[],
  ofPlatform: readonly Grant[] = [],
): Promise<Viewer> {
  const ids = claimGrants.length === 0 ? undefined : await projectIds(claimGrants.map(({ project }) => project));
  const ofClaims = claimGrants.flatMap(({ project, role }) => {
    const projectId = ids?.get(project);
    return projectId === undefined ? [] : [{ projectId, serviceId: null, role }];
  });
  return viewerOf({ kind: 'person', ...person, grants: [...(await memberGrants(person)), ...ofClaims, ...ofPlatform] });
}

/** The subject of the viewer of a session, as in events. */
export function actorOfSession({ issuer, subject }: SessionOwner): string {
  return issuer === null ? installationViewer.subject : actorOf({ kind: 'person', issuer, sub: subject });
}

/** The caller of a session. */
export async function viewerOfSession(
  rights: PeopleRights,
  session: Session,
  ofPlatform: readonly Grant[] = [],
): Promise<Viewer> {
  const { issuer, subject, name, grants } = session;
  return issuer === null
    ? installationViewer
    : personViewer(rights, { issuer, sub: subject, name }, grants, ofPlatform);
}

/** The name of a person for people. It identifies nobody. */
export function nameIn(claims: Readonly<Record<string, unknown>>): string | null {
  const names = ['name', 'preferred_username', 'user_name', 'email'].map((claim) => claims[claim]);
  const name = names.find((each) => typeof each === 'string' && each.trim() !== '');
  return typeof name === 'string' ? outsideText(name.replaceAll('\n', ' ').trim(), 200) : null;
}

/** Tokens are renewed this long before they expire, or after half of their time if that is sooner. */
const renewBeforeMs = 60_000;

/** What a session stores of an identified person. */
export async function storedPerson(
  { claims, tokens }: Identified,
  rules: readonly ClaimRule[],
  sealing: Sealing,
): Promise<FromProvider> {
  const { refreshToken, expiresInMs } = tokens;
  const canRenew = refreshToken !== null && expiresInMs !== undefined;
  return {
    grants: grantsOfClaims(rules, claims),
    sealedTokens: await sealing.seal(tokens),
    renewInMs: canRenew ? Math.max(expiresInMs - renewBeforeMs, expiresInMs / 2) : null,
  };
}

/** The tokens of a session. Undefined: they were sealed with a key that no longer exists. */
export async function openedTokens(sealing: Sealing, sealed: string | undefined): Promise<ProviderTokens | undefined> {
  return sealed === undefined ? undefined : ((await sealing.open(sealed)) as ProviderTokens | undefined);
}
