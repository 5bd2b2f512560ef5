import type { IncomingMessage } from 'node:http';
import type { Router } from 'express';
import type { Authenticate, Credential } from './authenticate.js';
import type { ServerMetrics } from './metrics.js';
import type { SignInFailures } from './signInFailures.js';

/** The tools of the server that pages of the sign-in share. */
export type SignInTools = { readonly signInFailures: SignInFailures; readonly metrics: ServerMetrics };

/** The sign-in of people, who have a session and no token. */
export interface BrowserSignIn {
  /**
   * The cookie of a session. Undefined: there is none, or a page of another site has sent the request. It is for a POST
   * and a WebSocket, whose origin every browser states.
   */
  credential(request: IncomingMessage): Credential | undefined;
  /** Finds the person of such a cookie. */
  readonly authenticate: Authenticate;
  /** The pages of people: the sign-in and the dashboards. */
  pages(tools: SignInTools): Router;
}
