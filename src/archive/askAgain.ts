import { setTimeout as pause } from 'node:timers/promises';
import type { ServiceConnection } from '../engines/serviceConnection.js';
import { StowageError } from '../errors.js';
import type { TakeBackup } from './archive.js';
import type { Limits } from './limits.js';

export type Asked<T> = { readonly answer: T } | { readonly failure: StowageError };

const firstPauseMs = 500;
const longestPauseMs = 10_000;
const defaultPatienceMs = 60_000;

/**
 * Asks a server after its dump. A refused login and a server that does not answer are tried again for a minute, each
 * time with the credentials that are stored then, because a password may change while a dump runs. A final failure is
 * returned and not thrown: the caller decides whether the backup needs the answer. Throws the reason of the limits.
 */
export async function askAgain<T>(
  input: Pick<TakeBackup, 'connection' | 'connectionNow' | 'askAgainMs'>,
  limits: Limits,
  ask: (connection: ServiceConnection) => Promise<T>,
): Promise<Asked<T>> {
  const { signal } = limits;
  const until = performance.now() + (input.askAgainMs ?? defaultPatienceMs);
  let { connection } = input;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return { answer: await ask(connection) };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StowageError)) throw error;
      const mayPass = error.code === 'SERVICE_AUTH' || error.code === 'SERVICE_UNREACHABLE';
      if (!mayPass || performance.now() + pauseMs > until) return { failure: error };
    }
    await limits.outside(() => pause(pauseMs, undefined, { signal })).catch(() => signal.throwIfAborted());
    connection = (await input.connectionNow?.()) ?? connection;
  }
}
