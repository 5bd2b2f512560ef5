import type { ActorKind } from '../../eventSourcing/event.js';

export const auditKinds = [
  'SIGNED_IN',
  'SIGN_IN_REFUSED',
  'SIGNED_OUT',
  'SIGNED_OUT_BY_PROVIDER',
  'SESSION_ENDED',
  'SIGN_IN_LINK_CREATED',
  'CREDENTIAL_REFUSED',
  'OPERATION_REFUSED',
  'SETTINGS_READ',
  'AUDIT_EXPORTED',
] as const;
export type AuditKind = (typeof auditKinds)[number];

export type AuditEvent = {
  readonly what: AuditKind;
  /** The subject of the viewer. Null: nobody has signed in. */
  readonly actor: string | null;
  readonly actorKind: ActorKind | null;
  /** The name of the actor at that time. */
  readonly name: string | null;
  readonly clientAddress: string | null;
  /** The project whose ADMINs see the event. Null: only the installation sees it. */
  readonly projectId: string | null;
  /** The operation of the API. */
  readonly operation: string | null;
  /** The id of the object that was read. */
  readonly target: string | null;
  /** The id of the request. */
  readonly correlationId: string | null;
  /** A sentence without secrets. */
  readonly detail: string | null;
  /** How many equal attempts the event stands for. */
  readonly attempts: number;
};

export type NewAuditEvent = Partial<AuditEvent> & Pick<AuditEvent, 'what'>;
export type StoredAuditEvent = AuditEvent & { readonly id: string; readonly at: Date };
