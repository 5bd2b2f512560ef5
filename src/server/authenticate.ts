import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Secret } from '../secret.js';
import { installationViewer, type Viewer } from './viewer.js';

/** The proof of a caller: the token of `Authorization: Bearer <token>`, or the value of the session's cookie. */
export type Credential = {
  readonly kind: 'BEARER' | 'SESSION';
  readonly value: string;
  /** The service instances for which a platform is asked what the caller may do. The caller names them. */
  readonly serviceInstances?: readonly string[];
};

/** A caller whose credential is valid. */
export type Authenticated = {
  readonly viewer: Viewer;
  /** When the credential ends. Its sockets are closed at this moment. Null: it does not end by itself. */
  readonly expiresAt: Date | null;
};

/**
 * Finds the caller of a credential, with the rights that the caller has now. Undefined: the credential is not valid, or
 * another kind of sign-in knows it. Called once for each request and each WebSocket, and again for an open WebSocket when
 * the rights of its caller may have changed.
 */
export type Authenticate = (credential: Credential) => Promise<Authenticated | undefined>;

/** Tries each kind of sign-in in this order. The first that knows the credential decides. */
export function firstOf(...kinds: readonly Authenticate[]): Authenticate {
  return async (credential) => {
    for (const authenticate of kinds) {
      const authenticated = await authenticate(credential);
      if (authenticated !== undefined) return authenticated;
    }
    return undefined;
  };
}

/** Accepts only the installation-level tokens. `valid` is called for each credential. */
export function installationToken(valid: () => readonly Secret[]): Authenticate {
  // All are compared, so that the time does not depend on which of them matches.
  const isInstallation = (token: string) =>
    valid()
      .map((each) => sameToken(each)(token))
      .includes(true);
  return ({ kind, value }) =>
    Promise.resolve(
      kind === 'BEARER' && isInstallation(value) ? { viewer: installationViewer, expiresAt: null } : undefined,
    );
}

/** Compares a token with the expected one in constant time, so that the time reveals nothing about it. */
export function sameToken(expected: Secret): (token: string) => boolean {
  const expectedDigest = tokenDigest(expected.reveal());
  return (token) => timingSafeEqual(tokenDigest(token), expectedDigest);
}

export function tokenDigest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** The token of `Authorization: Bearer <token>`, or of connection_init's `authorization` with or without "Bearer ". */
export function bearerToken(authorization: unknown, prefix: 'REQUIRED' | 'OPTIONAL' = 'REQUIRED'): string | undefined {
  if (typeof authorization !== 'string') return undefined;
  const match = /^Bearer +(?<token>\S+) *$/i.exec(authorization);
  if (match?.groups !== undefined) return match.groups['token'];
  return prefix === 'OPTIONAL' && /^\S+$/.test(authorization) ? authorization : undefined;
}

/** The credential of the headers of a request. Undefined: they carry no bearer token. */
export function credentialOfHeaders(headers: IncomingHttpHeaders): Credential | undefined {
  return credentialWith(bearerToken(headers.authorization), headers['stowage-service-instances']);
}

/** The credential of the payload of connection_init. */
export function credentialOfPayload(payload: Readonly<Record<string, unknown>> | undefined): Credential | undefined {
  const sent = payload?.['authorization'] ?? payload?.['Authorization'];
  return credentialWith(bearerToken(sent, 'OPTIONAL'), payload?.['serviceInstances']);
}

/** `instances` are names that commas separate. */
function credentialWith(value: string | undefined, instances: unknown): Credential | undefined {
  if (value === undefined) return undefined;
  const named = typeof instances === 'string' ? instances.split(',').map((each) => each.trim()) : [];
  const serviceInstances = [...new Set(named.filter((each) => each !== ''))];
  return { kind: 'BEARER', value, ...(serviceInstances.length === 0 ? {} : { serviceInstances }) };
}
