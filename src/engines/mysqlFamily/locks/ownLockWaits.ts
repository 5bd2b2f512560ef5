import type { ServiceConnection } from '../../serviceConnection.js';
import { findLockSource, readLockPicture } from './lockPicture.js';
import { tableRead } from './readStatement.js';
import { waitedInVain } from './serviceBusy.js';
import { serverErrorNumber, withSession, type Session, type SessionOptions } from '../session/session.js';
import { holdersOf } from './whoWaits.js';

/**
 * Shorter than the time limit for an answer. So the server ends the wait first, and can then report which session holds
 * the lock.
 */
const longestWaitMs = 60_000;

/**
 * Like `withSession`, for queries that may wait for a lock. A wait longer than `lockWaitMs`, at most a minute, throws
 * SERVICE_BUSY naming the session that holds the lock.
 */
export function withPatientSession<T>(
  connection: ServiceConnection,
  options: SessionOptions & { readonly lockWaitMs?: number },
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const waitMs = Math.min(longestWaitMs, options.lockWaitMs ?? longestWaitMs);
  return withSession(connection, options, async (session) => {
    await session.query(`SET SESSION lock_wait_timeout = ${Math.max(1, Math.floor(waitMs / 1_000))}`);
    const query: Session['query'] = async (sql, values, limits) => {
      const since = performance.now();
      try {
        return await session.query(sql, values, limits);
      } catch (error) {
        // ER_LOCK_WAIT_TIMEOUT
        throw serverErrorNumber(error) === 1205 ? await whoIsInTheWay(session, sql, performance.now() - since) : error;
      }
    };
    return work({ ...session, query });
  });
}

async function whoIsInTheWay(session: Session, sql: string, waitedMs: number): Promise<Error> {
  const source = await findLockSource(session);
  const [me] = await session.query('SELECT CONNECTION_ID() AS id, DATABASE() AS db');
  const picture = await readLockPicture(session, source, me?.['id'] ?? '', true);
  const read = tableRead(sql.replace(/^\s*SET STATEMENT\b.*?\bFOR\b/s, ''), me?.['db'] ?? null);
  const table = read?.database.toLowerCase() === 'information_schema' ? undefined : read;
  const state = 'Waiting for table metadata lock';
  return waitedInVain(
    'A question to the server',
    { state, table, holders: holdersOf(picture, me?.['id'] ?? '', state, table) },
    waitedMs,
    session.dialect.locks,
  );
}
