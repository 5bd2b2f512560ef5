import type { DataSource } from 'typeorm';

/**
 * Works while nobody else in the installation holds the lock of that name. Undefined: another does, and nothing was
 * done. The lock belongs to a connection, so it also ends with this process. It keeps work from being done twice and is
 * no fence: what must not happen twice has to bear it, for the connection may be lost while the work goes on.
 */
export async function whileLocked<T>(
  dataSource: DataSource,
  name: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const runner = dataSource.createQueryRunner();
  try {
    const rows: unknown = await runner.query('SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked', [name]);
    const [answer] = rows as readonly { readonly locked: boolean }[];
    if (answer?.locked !== true) return undefined;
    try {
      return await work();
    } finally {
      // Closing the session would free the lock too, but the connection goes back to the pool.
      await runner.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [name]).catch(() => undefined);
    }
  } finally {
    await runner.release();
  }
}
