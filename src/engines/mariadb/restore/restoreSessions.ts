import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Inventory } from '../../inventory.js';
import type { RestoreSource } from '../../runningRestore.js';
import { serverErrorNumber, type Session } from '../session/session.js';

/**
 * A restore's session holds named locks of the server (GET_LOCK) for as long as it lives, its rollback included. One is
 * the restore's own: by it another worker finds what a killed one left behind, and nothing that belongs to others. One
 * is of each database that it makes: no two restores write to one, whatever host name or account each of them came by.
 */
export function restoreLocks({ restoreId, inventory }: RestoreSource): readonly string[] {
  return [ownLock(restoreId), ...namesOf(inventory).map(databaseLock)];
}

/** The connection of a restore's tool, while it has one. */
export function findRestoreSession(session: Session, restoreId: string): Promise<string | undefined> {
  return holderOf(session, ownLock(restoreId));
}

/** The first of these databases that another restore is making right now. */
export async function findDatabaseUnderRestore(session: Session, inventory: Inventory): Promise<string | undefined> {
  for (const name of namesOf(inventory)) {
    if ((await holderOf(session, databaseLock(name))) !== undefined) return name;
  }
  return undefined;
}

/** As many as one argument of a program has room for; two restores of the same backup meet in any of them. */
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

/** Servers may take names that differ in case for one. */
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

/** Kills what this restore left running and waits for its rollback, at most `limitMs`. True: nothing is left. */
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
    // 1094: it has ended by itself meanwhile.
    if (serverErrorNumber(error) !== 1094) throw error;
  }
}
