import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Inventory } from '../../inventory.js';
import type { RestoreSource } from '../../runningRestore.js';
import { serverErrorNumber, type Session } from '../session/session.js';

/**
 * The session of a restore holds named locks of the server (GET_LOCK) until it ends, including its rollback. One lock
 * is named after the restore, so that another worker finds the session that a killed worker left behind. One lock is
 * named after each database that the restore creates, so that two restores never write to one database, even if they
 * use different host names or accounts.
 */
export function restoreLocks({ restoreId, inventory }: RestoreSource): readonly string[] {
  return [ownLock(restoreId), ...namesOf(inventory).map(databaseLock)];
}

/** The connection of a restore's tool. Undefined: the tool has no connection now. */
export function findRestoreSession(session: Session, restoreId: string): Promise<string | undefined> {
  return holderOf(session, ownLock(restoreId));
}

/** The first of these databases that another restore is creating now. */
export async function findDatabaseUnderRestore(session: Session, inventory: Inventory): Promise<string | undefined> {
  for (const name of namesOf(inventory)) {
    if ((await holderOf(session, databaseLock(name))) !== undefined) return name;
  }
  return undefined;
}

/**
 * The most locks that fit into one argument of a program. Two restores of the same backup collide at any one of these
 * locks.
 */
const mostLocks = 2_000;

function namesOf(inventory: Inventory): readonly string[] {
  return inventory.databases
    .map(({ name }) => name)
    .sort()
    .slice(0, mostLocks);
}

function ownLock(restoreId: string): string {
  return `stowage.restore.${shortHash(restoreId)}`;
}

/** Names that differ only in case may mean one database on the server. */
function databaseLock(name: string): string {
  return `stowage.database.${shortHash(name.toLowerCase())}`;
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 20);
}

async function holderOf(session: Session, lock: string): Promise<string | undefined> {
  const [row] = await session.query('SELECT IS_USED_LOCK(?) AS holder', [lock]);
  return row?.['holder'] ?? undefined;
}

/**
 * Kills the sessions of this restore and waits for their rollback, at most `limitMs`. Returns true if no session is
 * left.
 */
export async function endRestoreSessions(
  session: Session,
  restoreId: string,
  options: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<boolean> {
  const until = performance.now() + options.limitMs;
  for (;;) {
    const holder = await holderOf(session, ownLock(restoreId));
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
    // 1094: the connection has already ended.
    if (serverErrorNumber(error) !== 1094) throw error;
  }
}
