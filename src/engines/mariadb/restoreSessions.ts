import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { ServiceConnection } from '../engine.js';
import { serverErrorNumber, type Session } from './session.js';

/**
 * A restore's session holds a named lock of the server for as long as it lives (GET_LOCK), its rollback included. That
 * is how another worker finds what a killed one left behind. The name has the user in it: one may kill only one's own.
 */
export function restoreLock(target: ServiceConnection): string {
  const user = createHash('sha256')
    .update(target.username ?? '')
    .digest('hex');
  return `stowage.restore.${user.slice(0, 16)}`;
}

/** The connection that holds the lock, or undefined: nothing of ours is running. */
export async function findRestoreSession(session: Session, target: ServiceConnection): Promise<string | undefined> {
  const [row] = await session.query('SELECT IS_USED_LOCK(?) AS holder', [restoreLock(target)]);
  return row?.['holder'] ?? undefined;
}

/** Kills what a restore left running and waits for its rollback, at most `limitMs`. True: nothing is left. */
export async function endRestoreSessions(
  session: Session,
  target: ServiceConnection,
  options: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<boolean> {
  const until = performance.now() + options.limitMs;
  for (;;) {
    const holder = await findRestoreSession(session, target);
    if (holder === undefined) return true;
    await kill(session, holder);
    if (performance.now() > until) return false;
    await wait(100, undefined, { signal: options.signal });
  }
}

async function kill(session: Session, connectionId: string): Promise<void> {
  try {
    await session.query(`KILL CONNECTION ${Number(connectionId)}`);
  } catch (error) {
    // 1094: it has ended by itself meanwhile.
    if (serverErrorNumber(error) !== 1094) throw error;
  }
}
