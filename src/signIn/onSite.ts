import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { StowageError } from '../errors.js';
import type { BrowserSessions } from './browserSessions.js';
import { html } from './html.js';
import { sendPage } from './page.js';
import { isSameOrigin, type Site } from './site.js';

export type SiteHandler = (request: Request, response: Response, site: Site) => Promise<void> | void;

/** Calls `handle` if people can sign in at the site of the request. */
export function onSite(browsers: Pick<BrowserSessions, 'siteOf'>, handle: SiteHandler): RequestHandler {
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

/** Calls `handle` for a form that a page of this site has sent. Every request that changes something needs this. */
export function notForged(handle: SiteHandler): SiteHandler {
  return (request, response, site) => {
    if (isSameOrigin(request, site)) return handle(request, response, site);
    response.status(403);
    sendProblem(response, site, 'Another site has sent this form', 'Open the page of Stowage, and send its own form.');
  };
}

export function sendProblem(response: Response, site: Pick<Site, 'prefix'>, title: string, wayOut: string): void {
  sendPage(response, site, { title, body: html`<p>${wayOut}</p>` });
}

/** A page for a person whose request needs a server that does not answer, such as the database. */
export const unavailable: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (!(error instanceof StowageError) || error.code !== 'UNAVAILABLE' || response.headersSent) {
    next(error);
    return;
  }
  response.status(503).set('Retry-After', '5');
  sendProblem(response, { prefix: '' }, 'Stowage cannot answer now', `${error.message} ${error.help}`);
};
