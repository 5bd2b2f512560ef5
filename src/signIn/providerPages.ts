import express, { Router, type Request, type RequestHandler, type Response } from 'express';
import type { SignInTools } from '../server/browserSignIn.js';
import { clientAddressOf } from '../server/client/clientOf.js';
import type { BrowserSessions } from './browserSessions.js';
import type { ClaimRule } from './claimRules.js';
import type { FlowCookies } from './flowCookies.js';
import type { AuditTrail } from './audit/auditTrail.js';
import { recordOfSession, recordRefusal } from './audit/recordOfSession.js';
import { html } from './html.js';
import { sendPage } from './page.js';
import { actorOfSession, nameIn, storedPerson } from './person.js';
import type { Provider } from './provider/provider.js';
import type { SignedTokens } from './provider/signedTokens.js';
import { whyRefused } from './provider/whyRefused.js';
import type { Sealing } from './sealing.js';
import type { Sessions } from './sessions.js';
import { onSite, type SiteHandler } from './onSite.js';
import { ownPath, type Site } from './site.js';

export type ProviderPagesOptions = {
  readonly browsers: BrowserSessions;
  readonly sessions: Sessions;
  readonly audit: Pick<AuditTrail, 'record'>;
  readonly provider: Provider;
  readonly signedTokens: SignedTokens;
  readonly flows: FlowCookies;
  readonly sealing: Sealing;
  readonly rules: readonly ClaimRule[];
  readonly log: { warn(fields: object, message: string): void };
};

/** The way to the provider and back, and the sign-outs that the provider orders. */
export function providerPages(options: ProviderPagesOptions, tools: SignInTools): Router {
  const { audit, browsers, sessions, provider, signedTokens, flows, sealing, rules, log } = options;
  const { signInFailures, metrics } = tools;
  const router = Router();
  const page = (handle: SiteHandler): RequestHandler => onSite(browsers, handle);

  router.get(
    '/sign-in/start',
    page(async (request, response, site) => {
      const returnTo = ownPath(site, request.query['return']);
      try {
        const { url, flow } = await provider.start(redirectUriOf(site));
        const cookies = await flows.keep(request, site, { ...flow, returnTo });
        response
          .set('Cache-Control', 'no-store')
          .append('Set-Cookie', [...cookies])
          .redirect(303, url.href);
      } catch (error) {
        sendRefusal(response.status(503), site, error, returnTo);
      }
    }),
  );

  router.get(
    '/sign-in/callback',
    page(async (request, response, site) => {
      const taken = await flows.take(request, site, request.query['state']);
      if (taken === undefined || taken.flow.issuer !== provider.settings.issuer) {
        metrics.failedSignIns.inc({ transport: 'browser' });
        await recordRefusal(audit, request, 'The browser has not started this sign-in.');
        await signInFailures.failed(clientAddressOf(request));
        sendForeignCallback(response.status(400), site);
        return;
      }
      const { flow, clear } = taken;
      response.append('Set-Cookie', clear);
      try {
        const callback = new URL(`${redirectUriOf(site)}${new URL(request.originalUrl, site.origin).search}`);
        const identified = await provider.finish(callback, flow);
        const { sid } = identified.claims;
        const { session, cookies } = await browsers.begin(
          request,
          site,
          {
            issuer: provider.settings.issuer,
            subject: identified.sub,
            name: nameIn(identified.claims),
            clientAddress: clientAddressOf(request) ?? null,
            userAgent: request.headers['user-agent'] ?? null,
          },
          {
            ...(await storedPerson(identified, rules, sealing)),
            providerSession: typeof sid === 'string' && sid !== '' ? sid : null,
          },
        );
        await recordOfSession(audit, 'SIGNED_IN', session, request, 'At the provider.');
        const viewer = await browsers.viewerOf(session);
        // The page of a dashboard asks the platform, and explains missing rights itself.
        const mayHaveRights = viewer?.grants.length !== 0 || flow.returnTo.startsWith('/v2/dashboard/');
        const goTo = !mayHaveRights ? `/sign-in/no-access?return=${encodeURIComponent(flow.returnTo)}` : flow.returnTo;
        response.append('Set-Cookie', [...cookies]).redirect(303, `${site.prefix}${goTo}`);
      } catch (error) {
        log.warn({ err: error, reason: whyRefused(error).sentence }, 'The sign-in of a person failed.');
        await recordRefusal(audit, request, whyRefused(error).sentence);
        sendRefusal(response.status(400), site, error, flow.returnTo);
      }
    }),
  );

  // The provider's own request, so it has neither a cookie nor our origin. Only its signature counts.
  const form = express.urlencoded({ extended: false, limit: 65_536, parameterLimit: 8 });
  router.post('/sign-in/back-channel-logout', form, async (request, response) => {
    response.set('Cache-Control', 'no-store');
    const order = await orderIn(request, signedTokens);
    if (order === undefined) {
      await signInFailures.failed(clientAddressOf(request));
      response.status(400).json({ error: 'invalid_request', error_description: 'The logout token is not valid.' });
      return;
    }
    for (const owner of await sessions.endOfProvider(provider.settings.issuer, order)) {
      const clientAddress = clientAddressOf(request) ?? null;
      const actor = actorOfSession(owner);
      await audit.record({ what: 'SIGNED_OUT_BY_PROVIDER', actor, actorKind: 'person', clientAddress });
    }
    response.status(200).end();
  });
  return router;
}

async function orderIn(request: Request, signedTokens: SignedTokens) {
  const { logout_token: token } = (request.body ?? {}) as { readonly logout_token?: unknown };
  return typeof token === 'string' ? signedTokens.logoutOrder(token) : undefined;
}

export function redirectUriOf(site: Site): string {
  return `${site.origin}${site.prefix}/sign-in/callback`;
}

function startAgain(site: Site, returnTo: string) {
  return html`<p>
    <a class="button" href="${site.prefix}/sign-in/start?return=${encodeURIComponent(returnTo)}">Sign in again</a>
  </p>`;
}

function sendRefusal(response: Response, site: Site, error: unknown, returnTo: string): void {
  const { sentence, wayOut } = whyRefused(error);
  sendPage(response, site, {
    title: 'You are not signed in',
    body: html`<p class="problem" role="alert">${sentence}</p>
      <p>${wayOut}</p>
      ${startAgain(site, returnTo)}`,
  });
}

function sendForeignCallback(response: Response, site: Site): void {
  sendPage(response, site, {
    title: 'You are not signed in',
    body: html`<p class="problem" role="alert">This browser has not started this sign-in, or it was finished before.</p>
      <p>A sign-in has to be finished within ten minutes, in the browser that started it. Cookies must be allowed.</p>
      ${startAgain(site, '/playground')}`,
  });
}
