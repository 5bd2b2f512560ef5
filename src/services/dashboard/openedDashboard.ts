import type { Request } from 'express';
import type { EntityManager } from 'typeorm';
import { higherRole, type Role } from '../../server/viewer.js';
import type { BrowserSessions } from '../../signIn/browserSessions.js';
import type { PlatformRole } from '../../signIn/platform/platformRights.js';
import type { Session, Sessions } from '../../signIn/sessions.js';
import type { Site } from '../../signIn/site.js';
import { findServiceOfInstance } from '../serviceQueries.js';
import { instanceId as instanceIdRule } from '../serviceRules.js';
import type { ServiceRow } from '../serviceView.js';

export type OpenedDashboardTools = {
  readonly manager: EntityManager;
  readonly browsers: Pick<BrowserSessions, 'signedIn' | 'siteOf'>;
  readonly sessions: Pick<Sessions, 'openService'>;
  /** Absent: no platform gives rights. */
  readonly platform?: { roleAt(session: Session, instanceId: string): Promise<PlatformRole> } | undefined;
};

export type OpenedDashboard =
  | { readonly kind: 'SIGNED_OUT' }
  /** There is no such service, or the person may not see it. */
  | { readonly kind: 'HIDDEN'; readonly session: Session }
  | { readonly kind: 'OPEN'; readonly session: Session; readonly service: ServiceRow; readonly role: Role };

/** What the person of the browser sees at the dashboard of a service instance. */
export async function openedDashboard(
  { manager, browsers, sessions, platform }: OpenedDashboardTools,
  request: Request,
  site: Site,
  instanceId: string,
): Promise<OpenedDashboard> {
  const signedIn = await browsers.signedIn(request, site);
  if (signedIn === undefined) return { kind: 'SIGNED_OUT' };
  const { session, viewer } = signedIn;
  if (instanceIdRule(instanceId) !== undefined) return { kind: 'HIDDEN', session };
  // The platform is also asked about a service that does not exist here, so that the time does not reveal which exist.
  const isOfPlatform = platform !== undefined && session.issuer !== null;
  const ofPlatform = isOfPlatform ? await platform.roleAt(session, instanceId) : 'NONE';
  if (ofPlatform === 'ENDED') return { kind: 'SIGNED_OUT' };
  const service = await findServiceOfInstance(manager, instanceId);
  if (service?.removedAt !== null) return { kind: 'HIDDEN', session };
  const ofViewer = viewer.roleFor(service.projectId, service.id);
  if (ofPlatform !== 'NONE') await sessions.openService(session.id, service.id);
  const role = ofPlatform === 'NONE' ? ofViewer : higherRole(ofViewer, ofPlatform);
  return role === undefined ? { kind: 'HIDDEN', session } : { kind: 'OPEN', session, service, role };
}
