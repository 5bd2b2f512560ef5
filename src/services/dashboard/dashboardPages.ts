import express, { Router, type Request, type RequestHandler } from 'express';
import { findProject } from '../../projects/projectQueries.js';
import { clientAddressOf } from '../../server/client/clientOf.js';
import { notForged, onSite, unavailable, type SiteHandler } from '../../signIn/onSite.js';
import type { Session } from '../../signIn/sessions.js';
import type { Site } from '../../signIn/site.js';
import type { DashboardAccesses, DashboardPerson } from './dashboardAccesses.js';
import { sendAuthorise, sendDashboard, sendHidden, sendRefused } from './dashboardViews.js';
import { openedDashboard, type OpenedDashboard, type OpenedDashboardTools } from './openedDashboard.js';

export type DashboardPagesOptions = OpenedDashboardTools & {
  readonly accesses: DashboardAccesses;
  /** Where a person without a session is sent, with the page to return to. */
  readonly signInPath: '/sign-in' | '/sign-in/start';
};

type Open = Extract<OpenedDashboard, { kind: 'OPEN' }>;

/** `/v2/dashboard/<service instance id>`. The first access of a person asks to authorise the dashboard, once. */
export function dashboardPages(options: DashboardPagesOptions): Router {
  const { accesses, manager, platform, signInPath } = options;
  const router = Router();
  const form = express.urlencoded({ extended: false, limit: 8_192, parameterLimit: 8 });

  const page = (handle: (open: Open, ...rest: Parameters<SiteHandler>) => Promise<void>): SiteHandler =>
    async function opened(request, response, site) {
      const instanceId = String(request.params['instanceId']);
      const dashboard = await openedDashboard(options, request, site, instanceId);
      if (dashboard.kind === 'OPEN') await handle(dashboard, request, response, site);
      else if (dashboard.kind === 'HIDDEN') sendHidden(response, site, dashboard.session, instanceId);
      else response.redirect(303, `${site.prefix}${signInPath}?return=${encodeURIComponent(pathOf(instanceId))}`);
    };
  const at = (handle: SiteHandler): RequestHandler => onSite(options.browsers, handle);

  async function authorise({ service }: Open, person: DashboardPerson, by: 'PAGE' | 'PROVIDER', request: Request) {
    await accesses.authorise(person, service, { by, clientAddress: clientAddressOf(request) });
  }

  router.get(
    '/v2/dashboard/:instanceId',
    at(
      page(async (open, request, response, site) => {
        const { service, role, session } = open;
        const person = personOf(session);
        const shown = {
          ...{ service, role },
          path: addressOf(site, service.instanceId),
          project: (await findProject(manager, service.projectId))?.name ?? '',
        };
        if (person === undefined || (await accesses.isAuthorised(person, service)))
          sendDashboard(response, site, shown);
        else if (platform === undefined) sendAuthorise(response, site, shown);
        else {
          // The provider of the platform has asked the person during the sign-in.
          await authorise(open, person, 'PROVIDER', request);
          sendDashboard(response, site, shown);
        }
      }),
    ),
  );

  router.post(
    '/v2/dashboard/:instanceId/authorise',
    form,
    at(
      notForged(
        page(async (open, request, response, site) => {
          const { service, session } = open;
          const person = personOf(session);
          const { answer } = (request.body ?? {}) as { readonly answer?: unknown };
          if (answer !== 'authorise') {
            sendRefused(response, site, addressOf(site, service.instanceId));
            return;
          }
          if (person !== undefined) await authorise(open, person, 'PAGE', request);
          response.redirect(303, addressOf(site, service.instanceId));
        }),
      ),
    ),
  );

  router.use('/v2/dashboard', unavailable);
  return router;
}

/** The administrator of the installation is no person, and needs not to authorise anything. */
function personOf({ issuer, subject, name }: Session): DashboardPerson | undefined {
  return issuer === null ? undefined : { issuer, sub: subject, name };
}

function pathOf(instanceId: string): string {
  return `/v2/dashboard/${encodeURIComponent(instanceId)}`;
}

function addressOf(site: Site, instanceId: string): string {
  return `${site.prefix}${pathOf(instanceId)}`;
}
