import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../secret.js';
import { installationViewer, type Viewer } from './viewer.js';

/** Tells whose token it is; undefined: nobody's. Called once a request, and once a WebSocket. */
export type Authenticate = (token: string) => Promise<Viewer | undefined>;

/** Knows the installation-level token alone, and compares it in constant time. */
export function installationToken(expected: Secret): Authenticate {
  const isInstallation = sameToken(expected);
  return (token) => Promise.resolve(isInstallation(token) ? installationViewer : undefined);
}

/** Compares tokens with this one, in constant time. */
export function sameToken(expected: Secret): (token: string) => boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expectedDigest = digest(expected.reveal());
  return (token) => timingSafeEqual(digest(token), expectedDigest);
}

/** The token of `Authorization: Bearer <token>`, or of connection_init's `authorization` with or without "Bearer ". */
export function bearerToken(authorization: unknown, prefix: 'REQUIRED' | 'OPTIONAL' = 'REQUIRED'): string | undefined {
  if (typeof authorization !== 'string') return undefined;
  const match = /^Bearer +(?<token>\S+) *$/i.exec(authorization);
  if (match?.groups !== undefined) return match.groups['token'];
  return prefix === 'OPTIONAL' && /^\S+$/.test(authorization) ? authorization : undefined;
}
