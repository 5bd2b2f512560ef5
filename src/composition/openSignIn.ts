import type { Log } from '../log.js';
import type { BrowserSignIn } from '../server/browserSignIn.js';
import { BrowserSessions } from '../signIn/browserSessions.js';
import { createOneTimeLinks } from '../signIn/oneTimeLinks.js';
import { createSessions, type SessionLimits } from '../signIn/sessions.js';
import { signInPages } from '../signIn/signInPages.js';
import type { Closing } from './closing.js';
import type { Shared } from './shared.js';

const sweepEveryMs = 10 * 60_000;

/** The sign-in of people. Ended sessions are deleted until `closing` closes. */
export function openSignIn(
  { dataSource }: Pick<Shared, 'dataSource'>,
  { publicUrl, limits }: { readonly publicUrl: string | null; readonly limits: SessionLimits },
  log: Log,
  closing: Closing,
): BrowserSignIn {
  const sessions = createSessions(dataSource, limits);
  let sweep: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    sweep = sessions
      .sweep()
      .catch((error: unknown) => log.warn({ err: error }, 'Ended sessions could not be deleted.'));
  }, sweepEveryMs);
  closing.add('sweep of sessions', async () => {
    clearInterval(timer);
    await sweep;
  });
  const browsers = new BrowserSessions(sessions, publicUrl, log);
  const links = createOneTimeLinks(dataSource);
  return {
    credential: (request) => browsers.credential(request),
    authenticate: (credential) => browsers.authenticate(credential),
    pages: (tools) => signInPages({ browsers, sessions, links }, tools),
  };
}
