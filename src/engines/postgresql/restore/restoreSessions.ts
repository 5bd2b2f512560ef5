import { setTimeout as wait } from 'node:timers/promises';
import type { Session } from '../session/session.js';

/** Ends the sessions of a restore, and waits for their rollback, at most `limitMs`. Returns true if none is left. */
export async function endRestoreSessions(
  session: Session,
  applicationName: string,
  options: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<boolean> {
  const until = performance.now() + options.limitMs;
  for (;;) {
    const rows = await session.query(
      'SELECT pid, pg_terminate_backend(pid) AS ended FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()',
      [applicationName],
    );
    if (rows.length === 0) return true;
    if (performance.now() > until) return false;
    await wait(100, undefined, { signal: options.signal });
  }
}
