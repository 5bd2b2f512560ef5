import type { DataSource, QueryRunner } from 'typeorm';

/** How long the server hears nothing of who holds a lock before it takes it away. */
const silenceMs = 60_000;

/**
 * Works while nobody else in the installation holds the lock of that name. Undefined: another does, and nothing was
 * done. The lock belongs to a connection, so it also ends with this process, and soon after this process froze or was
 * cut off. It keeps work from being done twice and is no fence: what must not happen twice has to bear it, for the
 * connection may be lost while the work goes on.
 * @param limitMs after so much silence the server takes the lock away; a minute unless told otherwise
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
      return await heard(runner, limitMs, work);
    } finally {
      // Closing the session would free the lock too, but the connection goes back to the pool.
      await runner.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [name]).catch(() => undefined);
    }
  } finally {
    await runner.release();
  }
}

/** While it works the server hears of this process; it ends the session of one that it does not hear of any more. */
async function heard<T>(runner: QueryRunner, limitMs: number, work: () => Promise<T>): Promise<T> {
  await runner.query(`SET idle_session_timeout = ${limitMs}`);
  let beat: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    // Where the session is gone there is nothing to keep.
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
