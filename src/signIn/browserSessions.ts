import type { IncomingMessage } from 'node:http';
import type { Authenticated, Credential } from '../server/authenticate.js';
import type { Viewer } from '../server/viewer.js';
import { cookieToClear, cookieToSet, readCookie } from './cookies.js';
import type { NewPerson, NewSession, Session, Sessions } from './sessions.js';
import { isSameOrigin, siteOf, type Site } from './site.js';

const purpose = 'session';

/** The sessions of people, by the cookie of their browser. */
export class BrowserSessions {
  #hasWarned = false;

  constructor(
    private readonly sessions: Sessions,
    /** The person of a session, with the rights that the person has now. Undefined: the session has ended. */
    readonly viewerOf: (session: Session) => Promise<Viewer | undefined>,
    private readonly publicUrl: string | null,
    private readonly log: { warn(message: string): void },
  ) {}

  siteOf(request: IncomingMessage): Site | undefined {
    return siteOf(request, this.publicUrl);
  }

  /** The session of a request of any site. Use it only where a forged request changes nothing and shows nothing. */
  async find(request: IncomingMessage, site: Site): Promise<Session | undefined> {
    const secret = readCookie(request, site, purpose);
    return secret === undefined ? undefined : this.sessions.find(secret);
  }

  /** The same, with the person as the API sees it. Undefined also if the session opens nothing any more. */
  async signedIn(
    request: IncomingMessage,
    site: Site,
  ): Promise<{ readonly session: Session; readonly viewer: Viewer } | undefined> {
    const session = await this.find(request, site);
    const viewer = session && (await this.viewerOf(session));
    return session && viewer && { session, viewer };
  }

  /** Undefined: there is no cookie, or a page of another site has sent the request. */
  credential(request: IncomingMessage): Credential | undefined {
    const site = this.siteOf(request);
    if (site === undefined || !isSameOrigin(request, site)) return undefined;
    const value = readCookie(request, site, purpose);
    return value === undefined ? undefined : { kind: 'SESSION', value };
  }

  async authenticate({ kind, value }: Credential): Promise<Authenticated | undefined> {
    const session = kind === 'SESSION' ? await this.sessions.find(value) : undefined;
    const viewer = session && (await this.viewerOf(session));
    return session && viewer && { viewer, expiresAt: session.expiresAt };
  }

  /** Opens a session, and ends the session that the browser had. Returns it with the values of Set-Cookie. */
  async begin(
    request: IncomingMessage,
    site: Site,
    session: NewSession,
    person?: NewPerson,
  ): Promise<{ readonly session: Session; readonly cookies: readonly string[] }> {
    this.#warnOfPlainHttp(site);
    const before = await this.find(request, site);
    if (before !== undefined) await this.sessions.end(before.id);
    const { secret, ...opened } = await this.sessions.open(session, person);
    return { session: opened, cookies: [cookieToSet(site, purpose, secret.reveal())] };
  }

  /** Ends the session of the browser. Returns the values of Set-Cookie. */
  async end(request: IncomingMessage, site: Site): Promise<readonly string[]> {
    const session = await this.find(request, site);
    if (session !== undefined) await this.sessions.end(session.id);
    return [cookieToClear(site, purpose)];
  }

  #warnOfPlainHttp({ isHttps, origin }: Site): void {
    if (isHttps || this.#hasWarned) return;
    this.#hasWarned = true;
    this.log.warn(
      `A person signed in at ${origin}, without https. The cookie is not protected on its way, and other programs at other ports of this host receive it too. Use it on one machine only.`,
    );
  }
}
