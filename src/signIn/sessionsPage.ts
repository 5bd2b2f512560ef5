import type { Response } from 'express';
import { browserName } from './browserName.js';
import { html } from './html.js';
import { sendPage } from './page.js';
import type { Session } from './sessions.js';
import type { Site } from './site.js';

/** Lists the sessions of a person. Each can be ended. */
export function sendSessions(response: Response, site: Site, own: Session, all: readonly Session[]): void {
  const rows = all.map((session) => {
    const where = [session.clientAddress ?? 'unknown address', browserName(session.userAgent)].join(', ');
    const isOwn = session.id === own.id;
    return html`<tr>
      <td>${isOwn ? html`<strong>This browser</strong><br />` : ''}${where}</td>
      <td data-label="Since">${shown(session.createdAt)}</td>
      <td data-label="Last used">${shown(session.lastUsedAt)}</td>
      <td>
        <form method="post" action="${site.prefix}${isOwn ? '/sign-out' : '/sign-in/sessions'}">
          <input type="hidden" name="id" value="${session.id}" />
          <button class="quiet" type="submit" aria-label="${isOwn ? 'Sign out' : `End the session of ${where}`}">
            ${isOwn ? 'Sign out' : 'End'}
          </button>
        </form>
      </td>
    </tr>`;
  });
  sendPage(response, site, {
    title: 'Your sessions',
    body: html`<p>You are signed in as ${own.name ?? own.subject}. The times are in UTC.</p>
      <table>
        <thead>
          <tr>
            <th scope="col">Where</th>
            <th scope="col">Since</th>
            <th scope="col">Last used</th>
            <th scope="col"><span aria-hidden="true"></span></th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
      <p><a href="${site.prefix}/playground">Playground</a></p>`,
  });
}

function shown(time: Date): string {
  return time.toISOString().slice(0, 16).replace('T', ' ');
}
