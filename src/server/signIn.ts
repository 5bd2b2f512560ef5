import type { Authenticate, Authenticated, Credential } from './authenticate.js';

/** A caller whose credential is valid. */
export type SignedIn = Authenticated & {
  /**
   * All requests and sockets with the same key share the limits of one viewer. Only this file decides which callers are
   * the same viewer: all callers with the same subject.
   */
  readonly key: string;
};

/** Undefined if the credential is not valid. */
export async function signIn(authenticate: Authenticate, credential: Credential): Promise<SignedIn | undefined> {
  const authenticated = await authenticate(credential);
  return authenticated && { ...authenticated, key: authenticated.viewer.subject };
}
