import type { RequestHandler } from 'express';

const nothing = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** The playground's editor makes style elements and runs workers; everything comes from this server. */
const application = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "worker-src 'self' blob:",
  "connect-src 'self' ws: wss:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** For whatever is no page: nothing may be loaded by it, framed or guessed. */
export const closedToBrowsers: RequestHandler = (_request, response, next) => {
  response.set({
    'Content-Security-Policy': nothing,
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
  });
  next();
};

/** For the pages that this server serves with scripts of its own. */
export const ownScriptsOnly: RequestHandler = (_request, response, next) => {
  response.set('Content-Security-Policy', application);
  next();
};
