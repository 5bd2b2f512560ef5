import type { IncomingMessage } from 'node:http';
import { clientAddressOf } from '../../server/client/clientOf.js';
import { actorOfSession } from '../person.js';
import type { Session } from '../sessions.js';
import type { AuditKind } from './auditEvent.js';
import type { AuditTrail } from './auditTrail.js';

/** Records what happened to a session, by this request. */
export function recordOfSession(
  audit: Pick<AuditTrail, 'record'>,
  what: AuditKind,
  session: Session,
  request: IncomingMessage,
  detail: string,
): Promise<void> {
  const clientAddress = clientAddressOf(request) ?? null;
  const actorKind = session.issuer === null ? 'installation' : 'person';
  return audit.record({ what, actor: actorOfSession(session), actorKind, name: session.name, clientAddress, detail });
}

/** Records an attempt of somebody who is unknown. */
export function recordRefusal(
  audit: Pick<AuditTrail, 'record'>,
  request: IncomingMessage,
  detail: string,
): Promise<void> {
  return audit.record({ what: 'SIGN_IN_REFUSED', clientAddress: clientAddressOf(request) ?? null, detail });
}
