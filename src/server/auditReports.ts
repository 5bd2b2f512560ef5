import type { Refusal } from './refusals.js';
import type { RequestContext } from './requestContext.js';

type Caller = Pick<RequestContext, 'clientAddress' | 'correlationId' | 'viewer'>;

/** Gets what the audit records of requests. Each function returns at once and never throws. */
export interface AuditReports {
  /** Somebody has sent a token or a cookie that is not valid. */
  credentialRefused(clientAddress: string | undefined, detail: string): void;
  operationRefused(caller: Caller, refusal: Refusal): void;
}

export const noReports: AuditReports = { credentialRefused: () => undefined, operationRefused: () => undefined };
