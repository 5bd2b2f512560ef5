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

export const style = `
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f3f5f8; color: #1b2733; font: 16px/1.5 system-ui, sans-serif; }
header { padding: 0.6rem 1rem; background: #16324f; color: #fff; }
main { max-width: 44rem; margin: 2rem auto; padding: 1.5rem 2rem; background: #fff; border: 1px solid #d4dbe3; border-radius: 6px; }
h2 { margin: 2rem 0 0; font-size: 1.1rem; }
dt { font-weight: 600; }
dd { margin: 0 0 0.75rem; }
h1 { margin-top: 0; font-size: 1.5rem; line-height: 1.25; }
label { display: block; font-weight: 600; }
input { width: 100%; padding: 0.5rem; border: 1px solid #66788a; border-radius: 4px; font: inherit; }
button, a.button { display: inline-block; padding: 0.5rem 1rem; border: 1px solid #2f6fab; border-radius: 4px; background: #2f6fab; color: #fff; font: inherit; text-decoration: none; cursor: pointer; }
button.quiet { background: #fff; color: #1f5587; }
button:focus-visible, a:focus-visible, input:focus-visible { outline: 3px solid #f0a72e; outline-offset: 2px; }
form { margin: 1rem 0; }
form p { margin: 0.75rem 0; }
code { padding: 0.1rem 0.3rem; background: #eef1f5; border-radius: 3px; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 0.5rem 0.5rem 0.5rem 0; border-bottom: 1px solid #d4dbe3; text-align: left; vertical-align: top; }
td + td, th { white-space: nowrap; }
td form { margin: 0; }
.problem { padding: 0.75rem 1rem; border-left: 4px solid #b3261e; background: #fdf1f0; }
@media (max-width: 44rem) { main { margin: 0; padding: 1rem; border: 0; border-radius: 0; } }
`;

/** Sends the code of a one-time link, which follows \`#\` and so reaches no server and no log on the way. */
export const linkScript = `
const code = location.hash.slice(1);
const form = document.querySelector('form[data-link]');
if (code !== '' && form !== null) {
  history.replaceState(null, '', location.pathname + location.search);
  form.elements.code.value = code;
  form.submit();
}
`;
