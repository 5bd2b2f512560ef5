import { createHash } from 'node:crypto';
import type { Authenticate } from './authenticate.js';
import type { Viewer } from './viewer.js';

/** A caller whose token is valid. */
export type SignedIn = {
  readonly viewer: Viewer;
  /**
   * All requests and sockets with the same key share the limits of one viewer. Only this file decides which callers are
   * the same viewer: today these are all callers with the same token.
   */
  readonly key: string;
};

/** Undefined if the token is not valid. */
export async function signIn(authenticate: Authenticate, token: string): Promise<SignedIn | undefined> {
  const viewer = await authenticate(token);
  if (viewer === undefined) return undefined;
  return { viewer, key: createHash('sha256').update(token).digest('base64url') };
}
