import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * How long one request waits for a PostgreSQL that does not answer. TypeORM passes nothing through to the pool and to its
 * connections, so the limit is a property of the asynchronous context. Work without a limit, such as that of a worker,
 * waits as long as the connection lasts.
 */
class Patience {
  /** When the wait began whose answer did not come, by `performance.now()`. Undefined: the last wait had an answer. */
  #awaySinceMs: number | undefined;
  /** A wait has lasted to its limit. All later ones of the request end at once. */
  #isOver = false;

  constructor(private readonly limitMs: number) {}

  leftMs(): number {
    if (this.#isOver) return 0;
    const now = performance.now();
    return Math.max(0, this.limitMs - (now - (this.#awaySinceMs ?? now)));
  }

  end(): void {
    this.#isOver = true;
  }

  settled(beganMs: number, isAnswered: boolean): void {
    this.#awaySinceMs = isAnswered ? undefined : Math.min(beganMs, this.#awaySinceMs ?? beganMs);
  }
}

const current = new AsyncLocalStorage<Patience>();

/**
 * Runs `work`. Its statements, the waits for a connection and the repetitions together wait at most `limitMs` for a
 * PostgreSQL that does not answer. Each answer begins the limit again. Once a wait has lasted to the limit, for example for
 * a lock, every later one of this work ends at once.
 */
export function withPatience<T>(limitMs: number, work: () => T): T {
  return current.run(new Patience(limitMs), work);
}

/** How long a wait that begins now may last. Undefined: there is no limit. */
export function patienceLeftMs(): number | undefined {
  return current.getStore()?.leftMs();
}

/** Call it after each wait for PostgreSQL, with its begin by `performance.now()`. */
export function waitSettled(beganMs: number, isAnswered: boolean): void {
  current.getStore()?.settled(beganMs, isAnswered);
}

const [shortestPauseMs, longestPauseMs] = [50, 500];

/**
 * Waits before a repetition, longer after each failure. False, at once: there is no limit, or too little of it is left,
 * so the caller gives up.
 */
export async function pauseToRepeat(failures: number): Promise<boolean> {
  const leftMs = patienceLeftMs();
  const pauseMs = Math.min(longestPauseMs, shortestPauseMs * 2 ** (failures - 1));
  if (leftMs === undefined || leftMs <= pauseMs) return false;
  await sleep(pauseMs);
  return true;
}

/** Ends the patience of this work. The failure has the code of a socket that no longer answers. */
export function noAnswer(): Error {
  current.getStore()?.end();
  return Object.assign(new Error('PostgreSQL did not answer in time'), { code: 'ETIMEDOUT' });
}
