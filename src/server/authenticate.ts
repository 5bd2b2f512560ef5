import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../secret.js';
import { installationViewer, type Viewer } from './viewer.js';

/** Finds the viewer of a token; undefined if the token is not valid. Called once for each request and each WebSocket. */
export type Authenticate = (token: string) => Promise<Viewer | undefined>;

/** Accepts only the installation-level token. */
export function installationToken(expected: Secret): Authenticate {
  const isInstallation = sameToken(expected);
  return (token) => Promise.resolve(isInstallation(token) ? installationViewer : undefined);
}

/** Compares a token with the expected one in constant time, so that the time reveals nothing about it. */
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
