import type { Request, RequestHandler } from 'express';
import { StowageError } from '../../errors.js';
import type { AuditReports } from '../auditReports.js';
import { credentialOfHeaders, type Authenticate } from '../authenticate.js';
import type { BrowserSignIn } from '../browserSignIn.js';
import { clientAddressOf } from '../client/clientOf.js';
import type { RequestRates } from '../fairness/requestRates.js';
import type { Shares } from '../fairness/shares.js';
import { TooManyRequests } from '../fairness/tooManyRequests.js';
import type { ServerMetrics } from '../metrics.js';
import { withoutLimit, type Patiently } from '../patiently.js';
import type { PendingConnections } from '../pendingConnections.js';
import type { SignedInConnections } from '../signedInConnections.js';
import { signIn } from '../signIn.js';
import type { SignInFailures } from '../signInFailures.js';
import { refuseExceeded } from './refuseExceeded.js';
import { httpContext, usageOf, type HttpContext } from './httpContext.js';

export type SignedInOnlyOptions = {
  readonly authenticate: Authenticate;
  /** Signs in a browser that sends no token. */
  readonly browsers?: Pick<BrowserSignIn, 'credential'>;
  readonly metrics: ServerMetrics;
  readonly maxBodyBytes: number;
  readonly signInFailures: SignInFailures;
  readonly shares: Shares;
  readonly rates: RequestRates;
  readonly connections: Pick<PendingConnections, 'release'>;
  readonly signedInConnections: SignedInConnections;
  readonly patiently?: Patiently;
  readonly reports: AuditReports;
};

/** Lets only callers pass who have signed in and stay within their limits. The body is not read yet. */
export function signedInOnly(options: SignedInOnlyOptions): RequestHandler {
  const { authenticate, browsers, connections, signedInConnections, metrics, rates, shares } = options;
  const { signInFailures, reports, patiently = withoutLimit } = options;
  return async (request, response, next) => {
    const ofAddress = rates.ofAddress(clientAddressOf(request));
    refuseExceeded(response, [ofAddress], metrics);
    const credential = credentialOfHeaders(request.headers) ?? browsers?.credential(request);
    const signedIn = credential && (await patiently(() => signIn(authenticate, credential)));
    if (signedIn === undefined) {
      metrics.failedSignIns.inc({ transport: 'http' });
      const what =
        credential === undefined
          ? 'carries neither a bearer token nor the cookie of a session'
          : `carries ${credential.kind === 'BEARER' ? 'a token that is not valid' : 'the cookie of a session that has ended'}`;
      if (credential !== undefined) reports.credentialRefused(clientAddressOf(request), `The request ${what}.`);
      if (!(await signInFailures.failed(clientAddressOf(request), credential?.value))) {
        response.status(429).set({ 'Retry-After': '5', Connection: 'close' });
      }
      response.set('WWW-Authenticate', 'Bearer');
      throw new StowageError('UNAUTHENTICATED', `The request ${what}.`);
    }
    connections.release(request.socket);
    if (!signedInConnections.keeps(signedIn.key, request.socket)) response.set('Connection', 'close');
    // The holder of the installation-level token works for all projects, and has no limit of its own.
    const { isInstallation } = signedIn.viewer;
    refuseExceeded(response, isInstallation ? [ofAddress] : [rates.ofViewer(signedIn.key), ofAddress], metrics);
    const leave = shares.enterRequest(signedIn.key, mostBytesOf(request, options));
    if (leave === undefined) {
      // The body is not read, so the connection cannot be used again.
      response.set('Connection', 'close');
      throw new TooManyRequests();
    }
    response.once('close', leave);
    const budget = shares.budgetOf(signedIn.key, usageOf(request));
    (response.locals as { context?: HttpContext }).context = httpContext(signedIn, budget, request, response);
    next();
  };
}

/** The size of the body, if it is not compressed. */
function mostBytesOf({ headers }: Request, { maxBodyBytes }: SignedInOnlyOptions): number {
  const { 'content-length': length, 'content-encoding': encoding } = headers;
  return encoding === undefined && length !== undefined ? Math.min(Number(length), maxBodyBytes) : maxBodyBytes;
}
