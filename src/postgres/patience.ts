import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * How long one request waits for a PostgreSQL that does not answer. TypeORM cannot pass the limit to the pool and to
 * its connections, so the limit is a property of the asynchronous context. Work without a limit, such as the work of a
 * worker, waits as long as the connection lasts.
 */
class Patience {
  /** The start of the wait that has no answer yet, by `performance.now()`. Undefined: the last wait had an answer. */
  #awaySinceMs: number | undefined;
  /** A wait has reached the limit. All later waits of the request end at once. */
  #isOver = false;

  constructor(
    private readonly limitMs: number,
    /** Who shares the connections with others. Undefined: the process itself. */
    readonly viewerKey: string | undefined,
  ) {}

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
 * PostgreSQL that does not answer. After each answer the limit starts again. Once a wait has reached the limit, for
 * example for a lock, every later wait of this work ends at once. Viewers share the connections (`FairPlaces`).
 */
export function withPatience<T>(limitMs: number, work: () => T, viewerKey?: string): T {
  return current.run(new Patience(limitMs, viewerKey), work);
}

/** The viewer for whom this work uses connections. Undefined: the work is the process's own. */
export function viewerOfWork(): string | undefined {
  return current.getStore()?.viewerKey;
}

/** The time limit for a wait that begins now. Undefined: there is no limit. */
export function patienceLeftMs(): number | undefined {
  return current.getStore()?.leftMs();
}

/** Call it after each wait for PostgreSQL, with the start of the wait by `performance.now()`. */
export function waitSettled(beganMs: number, isAnswered: boolean): void {
  current.getStore()?.settled(beganMs, isAnswered);
}

const [shortestPauseMs, longestPauseMs] = [50, 500];

/**
 * Waits before a repetition, longer after each failure. Returns false at once if there is no limit or too little of it
 * is left. The caller then gives up.
 */
export async function pauseToRepeat(failures: number): Promise<boolean> {
  const leftMs = patienceLeftMs();
  const pauseMs = Math.min(longestPauseMs, shortestPauseMs * 2 ** (failures - 1));
  if (leftMs === undefined || leftMs <= pauseMs) return false;
  await sleep(pauseMs);
  return true;
}

/** Makes all later waits of this work end at once. The failure has the code of a socket that no longer answers. */
export function noAnswer(): Error {
  current.getStore()?.end();
  return Object.assign(new Error('PostgreSQL did not answer in time'), { code: 'ETIMEDOUT' });
}
