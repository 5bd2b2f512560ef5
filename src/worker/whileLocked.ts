import type { DataSource, QueryRunner } from 'typeorm';

/** The server releases the lock after this time without a query on the connection. */
const silenceMs = 60_000;

/**
 * Runs `work` while no other process of the installation holds the lock of that name. Returns undefined if another
 * process holds the lock, because `work` then did not run. The lock belongs to a connection, so it ends with this
 * process. It also ends soon after this process froze or lost its connection. The lock avoids double work but is not a
 * fence: `work` must be idempotent, because after a lost connection two processes may run it at once.
 * @param limitMs the server releases the lock after this time without a query; default one minute
 */
export async function whileLocked<T>(
  dataSource: DataSource,
  name: string,
  work: () => Promise<T>,
  limitMs: number = silenceMs,
): Promise<T | undefined> {
  const runner = dataSource.createQueryRunner();
  try {
    const rows: unknown = await runner.query('SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked', [name]);
    const [answer] = rows as readonly { readonly locked: boolean }[];
    if (answer?.locked !== true) return undefined;
    try {
      return await withKeepAlive(runner, limitMs, work);
    } finally {
      // Closing the session would release the lock too, but the connection returns to the pool.
      await runner.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [name]).catch(() => undefined);
    }
  } finally {
    await runner.release();
  }
}

/** Keeps the session alive while `work` runs. The server ends the session of a process that sends nothing. */
async function withKeepAlive<T>(runner: QueryRunner, limitMs: number, work: () => Promise<T>): Promise<T> {
  await runner.query(`SET idle_session_timeout = ${limitMs}`);
  let beat: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    // A session that has ended needs no keep-alive.
    beat = beat.then(() => runner.query('SELECT')).catch(() => undefined);
  }, limitMs / 4);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await beat;
    await runner.query('RESET idle_session_timeout').catch(() => undefined);
  }
}
