import type { RequestHandler } from 'express';
import { clientOf } from './client/clientOf.js';

const nothing = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/**
 * The editor of the playground creates style elements and runs workers. Everything is loaded from this server, and its
 * WebSockets connect only to this server. The policy names the server, because in some browsers `'self'` does not
 * include WebSockets.
 */
const application = (host: string) =>
  [
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "worker-src 'self' blob:",
    `connect-src 'self'${host === '' ? '' : ` ws://${host} wss://${host}`}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join('; ');

/** A browser that has reached us over https uses nothing else for a year. */
const httpsOnly = 'max-age=31536000';

/**
 * The headers of responses that are not pages. They forbid loading, framing and guessing of types. Behind a trusted proxy
 * with https they also forbid plain http.
 */
export const closedToBrowsers: RequestHandler = (request, response, next) => {
  if (clientOf(request).isHttps) response.set('Strict-Transport-Security', httpsOnly);
  response.set({
    'Content-Security-Policy': nothing,
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
  });
  next();
};

/** The headers of pages that run scripts of this server. */
export const ownScriptsOnly: RequestHandler = (request, response, next) => {
  const { host = '' } = request.headers;
  // Any other text than a host with a port could add rules to the policy.
  const isHost = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/.test(host);
  response.set({
    'Content-Security-Policy': application(isHost ? host : ''),
    // With no-referrer a browser would send `Origin: null` with a form of the page, such as that of the sign-out.
    'Referrer-Policy': 'same-origin',
  });
  next();
};
