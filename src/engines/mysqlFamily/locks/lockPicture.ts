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
  const exact = (await answers(session, pendingLocks))
    ? 'PERFORMANCE_SCHEMA'
    : (await answers(session, grantedLocks))
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
  const sessions = (await session.query(sessionsOf, [toolId, always ? 1 : 0])).map(serverSession);
  const showsPending = source.locks === 'PERFORMANCE_SCHEMA';
  if (source.locks === null || (!always && !sessions.some(waitsForLock)))
    return { sessions, locks: null, showsPending };
  const rows = await session.query(showsPending ? pendingLocks : grantedLocks);
  return { sessions, locks: rows.map(metadataLock), showsPending };
}

/** A statement may be as long as a packet. Its beginning is enough to recognise the statement. */
const sessionsOf = `SELECT id, user, host, db, command, COALESCE(state, '') AS state, LEFT(info, 4000) AS statement, query_id
   FROM information_schema.processlist
  WHERE id <> CONNECTION_ID() AND (id = ? OR state LIKE 'Waiting for%' OR ?)`;

/** MariaDB's plugin METADATA_LOCK_INFO shows the locks that are held. */
const grantedLocks = `SELECT thread_id AS id, lock_type AS kind, lock_mode AS mode, table_schema AS db, table_name AS name,
   0 AS pending FROM information_schema.metadata_lock_info`;

/** In MariaDB 10.5 and newer, with the instrument `wait/lock/metadata/sql/mdl`. */
const pendingLocks = `SELECT t.processlist_id AS id, m.object_type AS kind, m.lock_type AS mode, m.object_schema AS db,
   m.object_name AS name, m.lock_status = 'PENDING' AS pending
  FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id
  JOIN performance_schema.setup_instruments i ON i.name = 'wait/lock/metadata/sql/mdl' AND i.enabled = 'YES'`;

/** Without the instrument, performance_schema shows no lock, not even the lock of this query. */
async function answers(session: Session, question: string): Promise<boolean> {
  try {
    const rows = await session.query(question);
    return question !== pendingLocks || rows.length > 0;
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
  return {
    sessionId: row['id'] ?? '',
    kind: kind.charAt(0).toUpperCase() + kind.slice(1).toLowerCase(),
    database: row['db'] ?? '',
    table: row['name'] ?? '',
    mode: (row['mode'] ?? '').replace(/^MDL_/, ''),
    isPending: row['pending'] === '1',
  };
}
