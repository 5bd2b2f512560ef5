import { setTimeout as pause } from 'node:timers/promises';
import type { ServiceConnection } from '../../serviceConnection.js';
import type { Named } from '../catalog/catalog.js';
import { findLockSource, readLockPicture } from '../locks/lockPicture.js';
import { findBlocked } from '../locks/whoWaits.js';
import { readGrants } from '../privileges/privileges.js';
import { withSession, type Session, type SessionOptions } from '../session/session.js';

/**
 * Limits the long statements of one session, because an ALTER may wait for their locks, and an application may queue
 * behind that ALTER.
 */
export type LongStatements = {
  /**
   * How long a statement may take. It is short if waiting sessions cannot be seen because the PROCESS privilege is
   * missing.
   */
  readonly limitMs: number;
  /** Ends the statement with error 1317 when a session has waited for 2 s for the lock of one of these tables. */
  watch<T>(tables: readonly Named[], statement: () => Promise<T>): Promise<T>;
  /** Ends the running statement. Closing its connection would not end it. Never rejects. */
  kill(): Promise<void>;
};

const unwatchedMs = 10_000;
const watchedMs = 3_600_000;
const watchAfterMs = 2_000;
const bearableMs = 2_000;
const lookEveryMs = 500;
const killMs = 5_000;

export async function longStatements(
  session: Session,
  connection: ServiceConnection,
  settings: Pick<SessionOptions, 'allowAddress' | 'conversations' | 'dialect'>,
): Promise<LongStatements> {
  const [row] = await session.query('SELECT CONNECTION_ID() AS id');
  const id = row?.['id'] ?? '';
  const seesOthers = (await readGrants(session)).holdsGlobally('PROCESS');
  const another = (signal: AbortSignal, work: (other: Session) => Promise<void>) =>
    withSession(connection, { ...settings, signal }, work).catch(() => undefined);
  const kill = async (other: Session): Promise<void> => {
    await other.query(`KILL QUERY ${Number(id)}`);
  };

  return {
    limitMs: seesOthers ? watchedMs : unwatchedMs,
    watch: async (tables, statement) => {
      const answered = new AbortController();
      const killOnWait = async (other: Session) => {
        await untilSomebodyWaits(other, id, tables, answered.signal);
        await kill(other);
      };
      const watching = setTimeout(() => void another(answered.signal, killOnWait), watchAfterMs);
      try {
        return await statement();
      } finally {
        clearTimeout(watching);
        answered.abort();
      }
    },
    kill: async () => {
      await another(AbortSignal.timeout(killMs), kill);
    },
  };
}

/** Waits until a session has waited too long for a lock that the connection `id` holds on one of the tables. */
async function untilSomebodyWaits(
  session: Session,
  id: string,
  tables: readonly Named[],
  signal: AbortSignal,
): Promise<void> {
  const source = await findLockSource(session);
  let since: ReadonlyMap<string, number> = new Map();
  for (;;) {
    const picture = await readLockPicture(session, source, id);
    const now = performance.now();
    const blocked = tables.flatMap(({ database, name }) =>
      findBlocked(picture, id, { table: { database, table: name }, queryId: '' }),
    );
    // Each statement of a session starts a new wait.
    const waiting = blocked.map((each) => `${each.session.id} ${each.session.queryId}`);
    since = new Map(waiting.map((wait) => [wait, since.get(wait) ?? now]));
    if ([...since.values()].some((first) => now - first >= bearableMs)) return;
    await pause(lookEveryMs, undefined, { signal });
  }
}
