import type { IncomingMessage } from 'node:http';
import { parseCookie, stringifySetCookie } from 'cookie';
import type { Site } from './site.js';

/**
 * The name of a cookie. A name that begins with `__Host-` is accepted by browsers only over https and for this host alone
 * (RFC 6265bis). On plain http the name contains the port, because cookies of different ports are not separate.
 */
function nameOf(site: Site, purpose: string): string {
  return site.isHttps ? `__Host-stowage-${purpose}` : `stowage-${purpose}-${new URL(site.origin).port || '80'}`;
}

/** The value of a cookie, if the request carries it exactly once. */
export function readCookie(request: IncomingMessage, site: Site, purpose: string): string | undefined {
  const { cookie = '' } = request.headers;
  const name = nameOf(site, purpose);
  // A second cookie of the same name can only come from another site of the host, such as another port.
  if (cookie.split(';').filter((pair) => pair.trim().startsWith(`${name}=`)).length > 1) return undefined;
  return parseCookie(cookie)[name];
}

/** The value of Set-Cookie. Scripts cannot read the cookie, and other sites cannot send it with a POST. */
export function cookieToSet(site: Site, purpose: string, value: string, maxAgeSeconds?: number): string {
  return stringifySetCookie({
    name: nameOf(site, purpose),
    value,
    path: '/',
    httpOnly: true,
    secure: site.isHttps,
    sameSite: 'lax',
    ...(maxAgeSeconds === undefined ? {} : { maxAge: maxAgeSeconds }),
  });
}

export function cookieToClear(site: Site, purpose: string): string {
  return cookieToSet(site, purpose, '', 0);
}
