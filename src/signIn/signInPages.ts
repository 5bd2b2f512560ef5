import express, { Router, type Request, type RequestHandler, type Response } from 'express';
import type { SignInTools } from '../server/browserSignIn.js';
import { clientAddressOf } from '../server/client/clientOf.js';
import type { BrowserSessions } from './browserSessions.js';
import type { AuditTrail } from './audit/auditTrail.js';
import { recordOfSession, recordRefusal } from './audit/recordOfSession.js';
import { html } from './html.js';
import { notForged, onSite, unavailable, type SiteHandler } from './onSite.js';
import type { OneTimeLinks } from './oneTimeLinks.js';
import { sendPage } from './page.js';
import { linkScript, style } from './pageFiles.js';
import { providerPages, type ProviderPagesOptions } from './providerPages.js';
import { sendSessions } from './sessionsPage.js';
import type { Session, Sessions } from './sessions.js';
import { sendSignedOut, signOut } from './signOutPages.js';
import { ownPath, type Site } from './site.js';

export type SignInPagesOptions = {
  readonly browsers: BrowserSessions;
  readonly sessions: Sessions;
  readonly links: OneTimeLinks;
  readonly audit: Pick<AuditTrail, 'record'>;
  /** Absent: there is no provider. */
  readonly person?: Omit<ProviderPagesOptions, 'audit' | 'browsers' | 'sessions'> | undefined;
};

/**
 * `/sign-in` and the pages below it, and `/sign-out`. A request that changes something is a POST of a page of this site.
 */
export function signInPages(options: SignInPagesOptions, { signInFailures, metrics }: SignInTools): Router {
  const { audit, browsers, sessions, links, person } = options;
  const providerName = person?.provider.name;
  const router = Router();
  const form = express.urlencoded({ extended: false, limit: 8_192, parameterLimit: 8 });
  const page = (handle: SiteHandler): RequestHandler => onSite(browsers, handle);
  const change = (handle: SiteHandler): RequestHandler => page(notForged(handle));

  router.get('/sign-in/style.css', (_request, response) => {
    response.type('css').set('Cache-Control', 'max-age=3600').send(style);
  });
  router.get('/sign-in/link.js', (_request, response) => {
    response.type('js').set('Cache-Control', 'max-age=3600').send(linkScript);
  });

  router.get(
    '/sign-in',
    page(async (request, response, site) => {
      const wanted = ownPath(site, request.query['return']);
      if ((await browsers.signedIn(request, site)) === undefined)
        sendSignIn(response, site, { wanted, provider: providerName });
      else response.redirect(303, `${site.prefix}${wanted}`);
    }),
  );

  router.post(
    '/sign-in/link',
    form,
    change(async (request, response, site) => {
      const { code, return: wanted } = fieldsOf(request);
      if (typeof code !== 'string' || code.length > 100 || !(await links.use(code.trim()))) {
        metrics.failedSignIns.inc({ transport: 'browser' });
        await recordRefusal(audit, request, 'The code of a one-time link is not valid.');
        const mayAnswer = await signInFailures.failed(clientAddressOf(request));
        response.status(mayAnswer ? 401 : 429);
        if (!mayAnswer) response.set({ 'Retry-After': '5', Connection: 'close' });
        sendSignIn(response, site, {
          wanted: ownPath(site, wanted),
          problem: 'This link was used before, is too old, or is not complete.',
          provider: providerName,
        });
        return;
      }
      const { session, cookies } = await browsers.begin(request, site, {
        issuer: null,
        subject: 'installation',
        name: 'Administrator of the installation',
        clientAddress: clientAddressOf(request) ?? null,
        userAgent: request.headers['user-agent'] ?? null,
      });
      await recordOfSession(audit, 'SIGNED_IN', session, request, 'With a one-time link.');
      response.append('Set-Cookie', [...cookies]).redirect(303, `${site.prefix}${ownPath(site, wanted)}`);
    }),
  );

  router.get(
    '/sign-in/session',
    page(async (request, response, site) => {
      const found = await browsers.signedIn(request, site);
      const shown = { signedIn: found !== undefined, name: found?.session.name ?? null };
      response.set('Cache-Control', 'no-store').json(shown);
    }),
  );

  router.get(
    '/sign-in/sessions',
    page(async (request, response, site) => {
      const own = await browsers.find(request, site);
      if (own === undefined) response.redirect(303, `${site.prefix}/sign-in?return=/playground`);
      else sendSessions(response, site, own, await sessions.ofOwner(own));
    }),
  );

  router.post(
    '/sign-in/sessions',
    form,
    change(async (request, response, site) => {
      const own = await browsers.find(request, site);
      const { id } = fieldsOf(request);
      const chosen = own === undefined ? [] : (await sessions.ofOwner(own)).filter((each) => each.id === id);
      for (const session of chosen) {
        await sessions.end(session.id);
        await recordOfSession(audit, 'SESSION_ENDED', session, request, 'From another browser of the same person.');
      }
      response.redirect(303, `${site.prefix}/sign-in/sessions`);
    }),
  );

  router.get(
    '/sign-in/no-access',
    page(async (request, response, site) => {
      const wanted = ownPath(site, request.query['return']);
      const { session, viewer } = (await browsers.signedIn(request, site)) ?? {};
      if (session === undefined || viewer === undefined || viewer.grants === 'ALL' || viewer.grants.length > 0) {
        response.redirect(303, `${site.prefix}${wanted}`);
        return;
      }
      sendNoAccess(response, site, session, wanted);
    }),
  );

  router.post('/sign-out', form, change(signOut(options)));
  router.get(
    '/sign-in/signed-out',
    page((_request, response, site) => sendSignedOut(response, site)),
  );
  if (person !== undefined)
    router.use(providerPages({ ...person, audit, browsers, sessions }, { signInFailures, metrics }));
  router.use(unavailable);
  return router;
}

type SignInPage = { readonly wanted: string; readonly problem?: string; readonly provider: string | undefined };

function sendSignIn(response: Response, site: Site, { wanted, problem, provider }: SignInPage): void {
  const byProvider =
    provider === undefined
      ? ''
      : html`<p>
            <a class="button" href="${site.prefix}/sign-in/start?return=${encodeURIComponent(wanted)}"
              >Sign in with ${provider}</a
            >
          </p>
          <h2>With a one-time link</h2>`;
  sendPage(response, site, {
    title: 'Sign in',
    script: '/sign-in/link.js',
    body: html`${problem === undefined ? '' : html`<p class="problem" role="alert">${problem}</p>`} ${byProvider}
      <p>
        <code>stowage sign-in</code> prints a link that opens a session of the administrator of this installation. The
        link is valid once, for ten minutes. Open it, or paste the part that follows <code>#</code>:
      </p>
      <form method="post" action="${site.prefix}/sign-in/link" data-link>
        <p>
          <label for="code">Code of the link</label>
          <input id="code" name="code" type="password" autocomplete="off" required maxlength="100" />
        </p>
        <input type="hidden" name="return" value="${wanted}" />
        <button type="submit" ${provider === undefined ? '' : html`class="quiet"`}>Sign in with the code</button>
      </form>`,
  });
}

function sendNoAccess(response: Response, site: Site, session: Session, wanted: string): void {
  sendPage(response.status(403), site, {
    title: 'You have no access yet',
    body: html`<p>You are signed in as ${session.name ?? session.subject}, but no project was shared with you.</p>
      <p>Send these two lines to an administrator of your project. They identify you:</p>
      <dl>
        <dt>Issuer</dt>
        <dd><code>${session.issuer ?? ''}</code></dd>
        <dt>Subject</dt>
        <dd><code>${session.subject}</code></dd>
      </dl>
      <p><a href="${site.prefix}/sign-in/no-access?return=${encodeURIComponent(wanted)}">Try again</a></p>
      <form method="post" action="${site.prefix}/sign-out">
        <button class="quiet" type="submit">Sign out</button>
      </form>`,
  });
}

function fieldsOf(request: Request): Readonly<Record<string, unknown>> {
  return typeof request.body === 'object' && request.body !== null ? (request.body as Record<string, unknown>) : {};
}
