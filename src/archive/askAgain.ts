import { setTimeout as pause } from 'node:timers/promises';
import type { ServiceConnection } from '../engines/serviceConnection.js';
import { StowageError } from '../errors.js';
import type { TakeBackup } from './archive.js';
import type { Limits } from './limits.js';

export type Asked<T> = { readonly answer: T } | { readonly failure: StowageError };

const firstPauseMs = 500;
const longestPauseMs = 10_000;
const defaultPatienceMs = 60_000;

/** Failures that may be temporary: a refused login, a server that does not answer, and a lock of another session. */
const passing: ReadonlySet<string> = new Set(['SERVICE_AUTH', 'SERVICE_UNREACHABLE', 'SERVICE_BUSY']);

/**
 * Queries the server after everything has been dumped. Failures that may be temporary are retried for a minute, or for
 * `askAgainMs`. Each try uses the credentials that are stored at that moment, because a password may be changed while a
 * dump runs. If the stored credentials cannot be read, the last known ones are used. The last failure is returned and
 * not thrown, because the caller decides whether the backup needs the answer. Throws the reason of the limits, and
 * errors that are not StowageErrors.
 */
export async function askAgain<T>(
  input: Pick<TakeBackup, 'connection' | 'connectionNow' | 'askAgainMs'>,
  limits: Limits,
  ask: (connection: ServiceConnection) => Promise<T>,
): Promise<Asked<T>> {
  const { signal } = limits;
  const patienceMs = input.askAgainMs ?? defaultPatienceMs;
  let { connection } = input;
  let until: number | undefined;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return { answer: await ask(connection) };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StowageError)) throw error;
      // The minute begins with the first failure, because a query that waits for a lock fails only after a minute.
      until ??= performance.now() + patienceMs;
      if (!passing.has(error.code) || performance.now() + pauseMs > until) return { failure: error };
    }
    await limits.outside(() => pause(pauseMs, undefined, { signal })).catch(() => signal.throwIfAborted());
    connection = (await input.connectionNow?.().catch(() => undefined)) ?? connection;
  }
}
