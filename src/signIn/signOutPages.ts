import type { Response } from 'express';
import type { BrowserSessions } from './browserSessions.js';
import type { AuditTrail } from './audit/auditTrail.js';
import { recordOfSession } from './audit/recordOfSession.js';
import { html } from './html.js';
import type { SiteHandler } from './onSite.js';
import { sendPage } from './page.js';
import { openedTokens } from './person.js';
import type { Provider } from './provider/provider.js';
import type { Sealing } from './sealing.js';
import type { Session, Sessions } from './sessions.js';
import type { Site } from './site.js';

export type SignOutTools = {
  readonly browsers: BrowserSessions;
  readonly sessions: Sessions;
  readonly audit: Pick<AuditTrail, 'record'>;
  /** Absent: there is no provider. */
  readonly person?: { readonly provider: Provider; readonly sealing: Sealing } | undefined;
};

/** Ends the session here, and then at the provider if the person came from there. */
export function signOut(tools: SignOutTools): SiteHandler {
  return async (request, response, site) => {
    const session = await tools.browsers.find(request, site);
    const atProvider = session && (await signOutUrl(tools, session, site));
    if (session !== undefined) await recordOfSession(tools.audit, 'SIGNED_OUT', session, request, 'In this browser.');
    response.append('Set-Cookie', [...(await tools.browsers.end(request, site))]);
    if (atProvider === undefined) sendSignedOut(response, site);
    else {
      sendPage(response, site, {
        title: 'You are signed out here',
        continueAt: atProvider.href,
        body: html`<p>Your session on this server has ended. Your session at the provider ends now.</p>
          <p><a href="${atProvider.href}">Continue to ${atProvider.host}</a></p>`,
      });
    }
  };
}

export function sendSignedOut(response: Response, site: Site): void {
  sendPage(response, site, {
    title: 'You are signed out',
    body: html`<p>Your session on this server has ended.</p>
      <p><a href="${site.prefix}/sign-in">Sign in again</a></p>`,
  });
}

/** Undefined: the session needs no sign-out elsewhere, or the provider does not answer. The sign-out here works anyway. */
async function signOutUrl({ person, sessions }: SignOutTools, session: Session, site: Site): Promise<URL | undefined> {
  if (person === undefined || session.issuer !== person.provider.settings.issuer) return undefined;
  const tokens = await openedTokens(person.sealing, await sessions.tokensOf(session.id));
  const returnTo = `${site.origin}${site.prefix}/sign-in/signed-out`;
  return person.provider.signOutUrl(tokens?.idToken ?? null, returnTo).catch(() => undefined);
}
