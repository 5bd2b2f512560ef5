import { readGrants } from '../privileges/privileges.js';
import { serverErrorNumber, type Row, type Session } from '../session/session.js';

/** The sessions and locks of a server at one instant. */
export type LockPicture = {
  /**
   * Sessions of our account, and sessions that wait for a lock. Sessions of other accounts are included only if we may
   * see them.
   */
  readonly sessions: readonly ServerSession[];
  /** Null: this server does not show locks. */
  readonly locks: readonly MetadataLock[] | null;
  /** Whether `locks` contains the locks that sessions wait for as well. */
  readonly showsPending: boolean;
};

export type ServerSession = {
  readonly id: string;
  readonly user: string;
  readonly host: string;
  readonly database: string | null;
  /** `Query`, `Sleep`, `Delayed insert` and others. */
  readonly command: string;
  readonly state: string;
  /** The beginning of its statement. It holds values, so it must not reach a message, a log or an event. */
  readonly statement: string | null;
  /** Increases with every statement of the server. A session that sleeps keeps the number of its last statement. */
  readonly queryId: string;
};

export type MetadataLock = {
  readonly sessionId: string;
  /** `Table`, `Schema`, `Backup` and others. */
  readonly kind: string;
  readonly database: string;
  readonly table: string;
  /** For example `SHARED_READ`. */
  readonly mode: string;
  readonly isPending: boolean;
};

/** The information that this account may see on a server. */
export type LockSource = {
  /** Null: the account lacks the PROCESS privilege, so sessions of other accounts are hidden. */
  readonly seesOthers: boolean;
  readonly locks: 'PERFORMANCE_SCHEMA' | 'PLUGIN' | null;
};

/** States of a session that waits for a lock (not for a client, a disk or a row). */
export function waitsForLock({ state }: ServerSession): boolean {
  return /^waiting for .*\b(lock|flush)\b/i.test(state);
}

export async function findLockSource(session: Session): Promise<LockSource> {
  const grants = await readGrants(session);
  const exact = (await answers(session, 'PERFORMANCE_SCHEMA'))
    ? 'PERFORMANCE_SCHEMA'
    : (await answers(session, 'PLUGIN'))
      ? 'PLUGIN'
      : null;
  return { seesOthers: grants.holdsGlobally('PROCESS'), locks: exact };
}

/**
 * Sends one query when no session waits. Sends a second query for the locks when a session waits, or with `always`.
 * @param toolId the connection that is included in every state
 */
export async function readLockPicture(
  session: Session,
  source: LockSource,
  toolId: string,
  always = false,
): Promise<LockPicture> {
  const sessions = (await session.query(session.dialect.locks.sessions, [toolId, always ? 1 : 0])).map(serverSession);
  const showsPending = source.locks === 'PERFORMANCE_SCHEMA';
  if (source.locks === null || (!always && !sessions.some(waitsForLock)))
    return { sessions, locks: null, showsPending };
  const rows = await session.query(lockQuery(session, source.locks) ?? '');
  return { sessions, locks: rows.map(metadataLock), showsPending };
}

function lockQuery({ dialect }: Session, source: NonNullable<LockSource['locks']>): string | null {
  return source === 'PLUGIN' ? dialect.locks.granted : dialect.locks.pending;
}

/** Without the instrument, performance_schema shows no lock, not even the lock of this query. */
async function answers(session: Session, source: NonNullable<LockSource['locks']>): Promise<boolean> {
  const question = lockQuery(session, source);
  if (question === null) return false;
  try {
    const rows = await session.query(question);
    return source !== 'PERFORMANCE_SCHEMA' || rows.length > 0;
  } catch (error) {
    if (serverErrorNumber(error) !== undefined) return false;
    throw error;
  }
}

function serverSession(row: Row): ServerSession {
  return {
    id: row['id'] ?? '',
    user: row['user'] ?? '',
    host: row['host'] ?? '',
    database: row['db'] ?? null,
    command: row['command'] ?? '',
    state: row['state'] ?? '',
    statement: row['statement'] ?? null,
    queryId: row['query_id'] ?? '',
  };
}

function metadataLock(row: Row): MetadataLock {
  const kind = (row['kind'] ?? '').replace(/ (metadata )?lock$/i, '');
  const mode = (row['mode'] ?? '').replace(/^MDL_/, '');
  return {
    sessionId: row['id'] ?? '',
    kind: kind.charAt(0).toUpperCase() + kind.slice(1).toLowerCase(),
    database: row['db'] ?? '',
    table: row['name'] ?? '',
    // MySQL has no mode of its own for FLUSH TABLES WITH READ LOCK.
    mode: /^global$/i.test(kind) && mode === 'SHARED' ? 'BACKUP_FTWRL1' : mode,
    isPending: row['pending'] === '1',
  };
}
