import { setTimeout as pause } from 'node:timers/promises';
import type { ServiceConnection } from '../../serviceConnection.js';
import { readGrants } from '../privileges/privileges.js';
import type { AllowAddress } from '../../network/serverAddress.js';
import { withSession, type Session } from '../session/session.js';

/** Statements of one session that may take long: an application may queue up behind an ALTER that waits for their lock. */
export type LongStatements = {
  /** How long one may take: where nobody else's waiting is seen (PROCESS), no longer than others can bear. */
  readonly limitMs: number;
  /** Ends the statement, with error 1317, once any session has waited for the lock of a table for 2 s. */
  watch<T>(ask: () => Promise<T>): Promise<T>;
  /** Ends what runs now. Closing its connection would not. Never rejects. */
  kill(): Promise<void>;
};

const unwatchedMs = 10_000;
const watchedMs = 3_600_000;
const watchAfterMs = 2_000;
const lookEveryMs = 1_000;
const killMs = 5_000;

export async function longStatements(
  session: Session,
  connection: ServiceConnection,
  { allowAddress }: { readonly allowAddress: AllowAddress },
): Promise<LongStatements> {
  const [row] = await session.query('SELECT CONNECTION_ID() AS id');
  const id = Number(row?.['id']);
  const seesOthers = (await readGrants(session)).holdsGlobally('PROCESS');
  const another = (signal: AbortSignal, work: (other: Session) => Promise<void>) =>
    withSession(connection, { allowAddress, signal }, work).catch(() => undefined);

  const untilSomebodyWaits = (signal: AbortSignal) =>
    another(signal, async (other) => {
      for (;;) {
        const [found] = await other.query(waiting);
        if (Number(found?.['waiting']) > 0) break;
        await pause(lookEveryMs, undefined, { signal });
      }
      await other.query(`KILL QUERY ${id}`);
    });

  return {
    limitMs: seesOthers ? watchedMs : unwatchedMs,
    watch: async (ask) => {
      const answered = new AbortController();
      const watching = setTimeout(() => void untilSomebodyWaits(answered.signal), watchAfterMs);
      try {
        return await ask();
      } finally {
        clearTimeout(watching);
        answered.abort();
      }
    },
    kill: async () => {
      await another(AbortSignal.timeout(killMs), async (other) => {
        await other.query(`KILL QUERY ${id}`);
      });
    },
  };
}

const waiting = `SELECT COUNT(*) AS waiting FROM information_schema.processlist
   WHERE state LIKE 'Waiting for table%lock' AND time >= 2`;
