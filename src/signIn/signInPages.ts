import express, { Router, type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import { StowageError } from '../errors.js';
import type { SignInTools } from '../server/browserSignIn.js';
import type { BrowserSessions } from './browserSessions.js';
import { html } from './html.js';
import type { OneTimeLinks } from './oneTimeLinks.js';
import { linkScript, sendPage, style } from './page.js';
import { sendSessions } from './sessionsPage.js';
import type { Sessions } from './sessions.js';
import { isSameOrigin, ownPath, type Site } from './site.js';

export type SignInPagesOptions = {
  readonly browsers: BrowserSessions;
  readonly sessions: Sessions;
  readonly links: OneTimeLinks;
};

export type SiteHandler = (request: Request, response: Response, site: Site) => Promise<void> | void;

/**
 * `/sign-in` and the pages below it, and `/sign-out`. A request that changes something is a POST of a page of this site.
 */
export function signInPages(options: SignInPagesOptions, { signInFailures, metrics }: SignInTools): Router {
  const { browsers, sessions, links } = options;
  const router = Router();
  const form = express.urlencoded({ extended: false, limit: 8_192, parameterLimit: 8 });
  const page = (handle: SiteHandler): RequestHandler => onSite(browsers, handle);
  const change = (handle: SiteHandler): RequestHandler =>
    page((request, response, site) => {
      if (isSameOrigin(request, site)) return handle(request, response, site);
      response.status(403);
      sendProblem(
        response,
        site,
        'Another site has sent this form',
        'Open the page of Stowage, and send its own form.',
      );
    });

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
      if ((await browsers.find(request, site)) === undefined) sendSignIn(response, site, wanted);
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
        const mayAnswer = await signInFailures.failed(request.socket.remoteAddress);
        response.status(mayAnswer ? 401 : 429);
        if (!mayAnswer) response.set({ 'Retry-After': '5', Connection: 'close' });
        sendSignIn(response, site, ownPath(site, wanted), 'This link was used before, is too old, or is not complete.');
        return;
      }
      const cookies = await browsers.begin(request, site, {
        issuer: null,
        subject: 'installation',
        name: 'Administrator of the installation',
        clientAddress: request.socket.remoteAddress ?? null,
        userAgent: request.headers['user-agent'] ?? null,
      });
      response.append('Set-Cookie', [...cookies]).redirect(303, `${site.prefix}${ownPath(site, wanted)}`);
    }),
  );

  router.get(
    '/sign-in/session',
    page(async (request, response, site) => {
      const session = await browsers.find(request, site);
      response.set('Cache-Control', 'no-store').json({ signedIn: session !== undefined, name: session?.name ?? null });
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
      for (const session of chosen) await sessions.end(session.id);
      response.redirect(303, `${site.prefix}/sign-in/sessions`);
    }),
  );

  router.post(
    '/sign-out',
    form,
    change(async (request, response, site) => {
      response.append('Set-Cookie', [...(await browsers.end(request, site))]);
      sendPage(response, site, {
        title: 'You are signed out',
        body: html`<p>Your session on this server has ended.</p>
          <p><a href="${site.prefix}/sign-in">Sign in again</a></p>`,
      });
    }),
  );
  router.use(unavailable);
  return router;
}

/** A page for a person whose request needs the database while it does not answer. */
const unavailable: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (!(error instanceof StowageError) || error.code !== 'UNAVAILABLE' || response.headersSent) {
    next(error);
    return;
  }
  response.status(503).set('Retry-After', '5');
  sendProblem(
    response,
    { prefix: '' },
    'Stowage does not answer now',
    'Its database cannot be reached. Try again in a moment.',
  );
};

/** Calls `handle` if people can sign in at the site of the request. */
export function onSite(browsers: BrowserSessions, handle: SiteHandler): RequestHandler {
  return async (request, response) => {
    const site = browsers.siteOf(request);
    if (site !== undefined) {
      await handle(request, response, site);
      return;
    }
    response.status(403);
    sendProblem(
      response,
      { prefix: '' },
      'Signing in needs https',
      'On plain http anybody on the way could take over your session. Use https and set STOWAGE_PUBLIC_URL to that address. On the machine of the server itself, http://localhost and http://127.0.0.1 work too.',
    );
  };
}

export function sendProblem(response: Response, site: Pick<Site, 'prefix'>, title: string, wayOut: string): void {
  sendPage(response, site, { title, body: html`<p>${wayOut}</p>` });
}

function sendSignIn(response: Response, site: Site, wanted: string, problem?: string): void {
  sendPage(response, site, {
    title: 'Sign in',
    script: '/sign-in/link.js',
    body: html`${problem === undefined ? '' : html`<p class="problem" role="alert">${problem}</p>`}
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
        <button type="submit">Sign in</button>
      </form>`,
  });
}

function fieldsOf(request: Request): Readonly<Record<string, unknown>> {
  return typeof request.body === 'object' && request.body !== null ? (request.body as Record<string, unknown>) : {};
}
