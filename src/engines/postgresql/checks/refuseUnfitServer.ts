import { StowageError } from '../../../errors.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { openSessionAt, type Session, type SessionOptions } from '../session/session.js';

/** Refuses a pooler that gives each transaction another session, and returns warnings about the server. */
export async function refuseUnfitServer(
  connection: ServiceConnection,
  session: Session,
  options: SessionOptions,
): Promise<readonly string[]> {
  await refuseTransactionPooler(connection, session, options);
  return warnOfStandby(session);
}

/**
 * Throws SERVICE_SETTING behind a pooler in transaction mode, such as PgBouncer's default of many installations. pg_dump
 * would change the settings of sessions that others get next, for example their search_path.
 */
export async function refuseTransactionPooler(
  connection: ServiceConnection,
  session: Session,
  options: Omit<SessionOptions, 'allowAddress'>,
): Promise<void> {
  const [row] = await session.query('SELECT pg_backend_pid() AS pid');
  if (row?.['pid'] === (await session.loginPid())) return;
  // It is a pooler. Another client of it in a transaction gets the session that we used last, if sessions are shared.
  const mark = crypto.randomUUID();
  await session.query(`SET stowage.mark = '${mark}'`);
  const other = await openSessionAt(connection, [session.server], options, session.database);
  try {
    await other.query('BEGIN');
    const markOf = async (each: Session) =>
      (await each.query("SELECT current_setting('stowage.mark', true) AS mark"))[0]?.['mark'];
    const isShared = (await markOf(other)) === mark || (await markOf(session)) !== mark;
    await other.query('ROLLBACK');
    if (!isShared) return;
  } finally {
    other.close();
  }
  throw new StowageError(
    'SERVICE_SETTING',
    `${connection.host}:${connection.port} is a pooler in transaction mode, and a dump or a restore through it would change the settings of other clients.`,
    { help: 'Use the address of the server itself, or a pool in session mode (pool_mode = session).' },
  );
}

async function warnOfStandby(session: Session): Promise<readonly string[]> {
  const [row] = await session.query(
    `SELECT pg_is_in_recovery() AS standby, current_setting('hot_standby_feedback') AS feedback,
            current_setting('max_standby_streaming_delay') AS delay`,
  );
  if (row?.['standby'] !== 't' || row['feedback'] === 'on' || row['delay'] === '-1') return [];
  return [
    `The server is a standby that may end the dump after ${row['delay'] ?? ''} if the primary removes rows that the dump reads (max_standby_streaming_delay). The backup is then tried again. hot_standby_feedback = on prevents it.`,
  ];
}
