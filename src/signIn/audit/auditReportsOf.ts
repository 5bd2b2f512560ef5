import type { AuditReports } from '../../server/auditReports.js';
import type { RequestContext } from '../../server/requestContext.js';
import type { NewAuditEvent } from './auditEvent.js';
import type { AuditTrail } from './auditTrail.js';

/** What every event of a caller has. */
export function callerOf({
  viewer,
  clientAddress,
  correlationId,
}: Pick<RequestContext, 'clientAddress' | 'correlationId' | 'viewer'>): Omit<NewAuditEvent, 'what'> {
  const { subject: actor, kind: actorKind, name } = viewer;
  return { actor, actorKind, name, clientAddress: clientAddress ?? null, correlationId };
}

/** Records what the server reports, without a delay of its answers. */
export function auditReportsOf(audit: Pick<AuditTrail, 'record'>): AuditReports {
  return {
    credentialRefused(clientAddress, detail) {
      void audit.record({ what: 'CREDENTIAL_REFUSED', clientAddress: clientAddress ?? null, detail });
    },
    operationRefused(caller, { operation, projectId, detail }) {
      void audit.record({ what: 'OPERATION_REFUSED', ...callerOf(caller), operation, projectId, detail });
    },
  };
}
