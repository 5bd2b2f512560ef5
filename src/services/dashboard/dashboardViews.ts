import type { Response } from 'express';
import type { Role } from '../../server/viewer.js';
import { html, type Html } from '../../signIn/html.js';
import { sendPage } from '../../signIn/page.js';
import type { Session } from '../../signIn/sessions.js';
import type { Site } from '../../signIn/site.js';
import type { ServiceRow } from '../serviceView.js';

type Shown = {
  readonly service: Pick<ServiceRow, 'name' | 'engine'>;
  /** The name of the project. */
  readonly project: string;
  readonly role: Role;
  /** The path of the dashboard. */
  readonly path: string;
};

const mayDo: Readonly<Record<Role, string>> = {
  VIEWER: 'See the service, its backup plans, backups and restores.',
  OPERATOR: 'Also run, cancel and hold backups, and restore into the service.',
  ADMIN: 'Also change and delete the service, its plans, backups, members and tokens.',
};

/** What the roles up to this one may do. */
function rightsOf(role: Role): readonly Html[] {
  const roles = (Object.keys(mayDo) as Role[]).slice(0, Object.keys(mayDo).indexOf(role) + 1);
  return roles.map((each) => html`<li>${mayDo[each]}</li>`);
}

function aboutService({ service, project, role }: Shown): Html {
  return html`<dl>
    <dt>Service</dt>
    <dd>${service.name} (${service.engine})</dd>
    <dt>Project</dt>
    <dd>${project}</dd>
    <dt>Your role</dt>
    <dd>${role}</dd>
  </dl>`;
}

/** Asks a person, once, to authorise the dashboard. */
export function sendAuthorise(response: Response, site: Site, shown: Shown): void {
  sendPage(response, site, {
    title: `Authorise the dashboard of ${shown.service.name}`,
    body: html`<p>You open the backups of this service for the first time.</p>
      ${aboutService(shown)}
      <p>With your authorisation, the dashboard acts for you and may:</p>
      <ul>
        ${rightsOf(shown.role)}
      </ul>
      <p>Passwords are never shown. Stowage records your authorisation in the history of the service.</p>
      <form method="post" action="${shown.path}/authorise" class="choice">
        <button type="submit" name="answer" value="authorise">Authorise</button>
        <button type="submit" name="answer" value="refuse" class="quiet">Refuse</button>
      </form>`,
  });
}

export function sendRefused(response: Response, site: Site, path: string): void {
  sendPage(response, site, {
    title: 'The dashboard stays closed',
    body: html`<p>You have not authorised the dashboard, and nothing was recorded. You can close this page.</p>
      <p><a href="${path}">Decide again</a></p>
      ${signOutForm(site)}`,
  });
}

/** The landing page of a dashboard. */
export function sendDashboard(response: Response, site: Site, shown: Shown): void {
  sendPage(response, site, {
    title: shown.service.name,
    body: html`${aboutService(shown)}
      <p>The dashboard is not built yet. The API already has all its data. Try it in the playground.</p>
      <p>
        <a class="button" href="${site.prefix}/playground">Playground</a>
        <a href="${site.prefix}/sign-in/sessions">Your sessions</a>
      </p>
      ${signOutForm(site)}`,
  });
}

/** The same page for a service that does not exist, and for one that the person may not see. */
export function sendHidden(response: Response, site: Site, session: Session, instanceId: string): void {
  sendPage(response.status(404), site, {
    title: 'This dashboard is not open to you',
    body: html`<p>
        You are signed in as ${session.name ?? session.subject}. The service does not exist here, or nobody has given
        you a role in it.
      </p>
      ${
        session.issuer === null
          ? ''
          : html`<p>Send these lines to an administrator of the project. They identify you and the service:</p>
              <dl>
                <dt>Issuer</dt>
                <dd><code>${session.issuer}</code></dd>
                <dt>Subject</dt>
                <dd><code>${session.subject}</code></dd>
                <dt>Service instance</dt>
                <dd><code>${instanceId.slice(0, 255)}</code></dd>
              </dl>`
      }
      ${signOutForm(site)}`,
  });
}

function signOutForm(site: Site): Html {
  return html`<form method="post" action="${site.prefix}/sign-out">
    <button class="quiet" type="submit">Sign out</button>
  </form>`;
}
