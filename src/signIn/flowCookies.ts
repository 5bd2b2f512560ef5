import type { IncomingMessage } from 'node:http';
import { parseCookie } from 'cookie';
import { z } from 'zod';
import { cookieToClear, cookieToSet, readCookie } from './cookies.js';
import type { Flow } from './provider/provider.js';
import type { Sealing } from './sealing.js';
import type { Site } from './site.js';

const kept = z.object({
  issuer: z.string(),
  state: z.string(),
  nonce: z.string(),
  codeVerifier: z.string(),
  returnTo: z.string(),
  untilMs: z.number(),
});

export type KeptFlow = Flow & { readonly returnTo: string };

const lifetimeSeconds = 600;
/** A browser may sign in in several tabs. Sign-ins that were never finished must not fill its requests. */
const mostAtOnce = 5;

/**
 * The sign-ins that a browser has started and not finished. Each is an encrypted cookie of its own. So a callback works
 * only in the browser that started the sign-in, and once.
 */
export class FlowCookies {
  constructor(
    private readonly sealing: Sealing,
    private readonly now: () => Date,
  ) {}

  /** The values of Set-Cookie for a new sign-in. */
  async keep(request: IncomingMessage, site: Site, flow: KeptFlow): Promise<readonly string[]> {
    const untilMs = this.now().getTime() + lifetimeSeconds * 1000;
    const sealed = await this.sealing.seal({ ...flow, untilMs });
    const others = Object.keys(parseCookie(request.headers.cookie ?? ''))
      .map((name) => /^(?:__Host-)?stowage-(sign-in-[\w-]{8})(?:-\d+)?$/.exec(name)?.[1])
      .filter((purpose) => purpose !== undefined);
    return [
      ...(others.length < mostAtOnce ? [] : others.map((purpose) => cookieToClear(site, purpose))),
      cookieToSet(site, purposeOf(flow.state), sealed, lifetimeSeconds),
    ];
  }

  /**
   * The sign-in that a callback finishes, and the value of Set-Cookie that forgets it. Undefined: this browser did not
   * start it, or it was finished before, is too old, or was encrypted with a key that no longer exists.
   */
  async take(
    request: IncomingMessage,
    site: Site,
    state: unknown,
  ): Promise<{ readonly flow: KeptFlow; readonly clear: string } | undefined> {
    if (typeof state !== 'string' || !/^[\w-]{8,200}$/.test(state)) return undefined;
    const sealed = readCookie(request, site, purposeOf(state));
    const { data } = kept.safeParse(sealed === undefined ? undefined : await this.sealing.open(sealed));
    if (data === undefined || data.state !== state || data.untilMs < this.now().getTime()) return undefined;
    const { untilMs: _, ...flow } = data;
    return { flow, clear: cookieToClear(site, purposeOf(state)) };
  }
}

function purposeOf(state: string): string {
  return `sign-in-${state.slice(0, 8)}`;
}
