import type { Response } from 'express';
import { html, type Html } from './html.js';
import type { Site } from './site.js';

export type Page = {
  readonly title: string;
  readonly body: Html;
  /** A script of this server, such as `/sign-in/link.js`. */
  readonly script?: string;
  /** The browser continues there at once. Pages of a form cannot redirect to another site, because of their policy. */
  readonly continueAt?: string;
};

const policy = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  'img-src data:',
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** Sends a page that no other site may frame, and that no cache keeps. */
export function sendPage(
  response: Response,
  site: Pick<Site, 'prefix'>,
  { title, body, script, continueAt }: Page,
): void {
  const document = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        ${continueAt === undefined ? '' : html`<meta http-equiv="refresh" content="0; url=${continueAt}" />`}
        <title>${title} – Stowage</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${site.prefix}/sign-in/style.css" />
      </head>
      <body>
        <header><strong>Stowage</strong></header>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
        ${script === undefined ? '' : html`<script type="module" src="${site.prefix}${script}"></script>`}
      </body>
    </html>`;
  response
    .set({
      'Content-Security-Policy': policy,
      // With no-referrer a browser would send `Origin: null` with the forms of these pages.
      'Referrer-Policy': 'same-origin',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cache-Control': 'no-store',
    })
    .type('html')
    .send(document.text);
}
