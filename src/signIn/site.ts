import type { IncomingMessage } from 'node:http';
import { clientOf } from '../server/client/clientOf.js';

/** Where browsers reach this installation. */
export type Site = {
  /** For example `https://backup.example.org`. */
  readonly origin: string;
  /** The part of every path before our own path. Empty, or such as `/stowage`. */
  readonly prefix: string;
  readonly isHttps: boolean;
};

/**
 * The site of a request: STOWAGE_PUBLIC_URL, otherwise the host that the browser names, with https if a trusted proxy
 * states it. Undefined: the site is neither
 * https nor this machine, so a cookie could be read on its way, and nobody can sign in. A foreign name of this machine
 * (DNS rebinding) is no loopback name, so it gets no session either.
 */
export function siteOf(request: IncomingMessage, publicUrl: string | null): Site | undefined {
  const given = publicUrl ?? `${clientOf(request).isHttps ? 'https' : 'http'}://${request.headers.host ?? ''}`;
  if (!URL.canParse(given)) return undefined;
  const { origin, pathname, protocol, hostname } = new URL(given);
  const isHttps = protocol === 'https:';
  if (!isHttps && !isLoopback(hostname)) return undefined;
  return { origin, prefix: publicUrl === null ? '' : pathname.replace(/\/+$/, ''), isHttps };
}

export function isLoopback(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/i.test(hostname);
}

/** Whether a page of this site sent the request. Browsers state the origin of every POST and of every WebSocket. */
export function isSameOrigin(request: IncomingMessage, site: Site): boolean {
  return request.headers.origin === site.origin;
}

/**
 * The path of the site to return to after the sign-in. Any text that could lead to another site, or is no path of a
 * page, becomes the playground.
 */
export function ownPath(site: Site, wanted: unknown): string {
  const fallback = '/playground';
  if (typeof wanted !== 'string' || wanted.length > 2_000 || !/^\/(?![/\\])[\x21-\x7e]*$/.test(wanted)) return fallback;
  const url = new URL(wanted, site.origin);
  const path = `${url.pathname}${url.search}`;
  if (url.origin !== site.origin || wanted.includes('\\') || url.pathname.startsWith('//')) return fallback;
  return /^\/(sign-in|sign-out)(\/|\?|$)/.test(path) ? fallback : path;
}
