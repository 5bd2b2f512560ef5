import { quoteName } from '../catalog/names.js';
import { sqlStateOf } from '../errors/serverErrors.js';
import type { Session } from '../session/session.js';

/**
 * pg_restore holds the locks of one statement at a time. Of a table with thousands of partitions these are thousands. The server
 * has some room beyond its settings, so a target with too few locks is only named. `needed` are numbers.
 */
export async function locksWarning(session: Session, needed: readonly string[]): Promise<readonly string[]> {
  const most = Math.max(0, ...needed.map(Number));
  if (most === 0) return [];
  const [row] = await session.query(
    `SELECT current_setting('max_locks_per_transaction')::bigint AS each, current_setting('max_connections')::bigint
            + current_setting('max_prepared_transactions')::bigint AS sessions`,
  );
  const [each, sessions] = [Number(row?.['each']), Number(row?.['sessions'])];
  if (most <= each * sessions) return [];
  return [
    `A table of the backup has so many partitions that a statement of the restore may need about ${most} locks, and the target has room for about ${each * sessions} (max_locks_per_transaction = ${each}). The restore may fail. Set max_locks_per_transaction = ${Math.ceil((1.5 * most) / sessions)} on the target and restart it.`,
  ];
}

/** An extension of the backup may load a provider when it is created, so a missing provider does not refuse the restore. */
export async function labelsWarning(session: Session, providers: readonly string[]): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const provider of providers) if (!(await isLoaded(session, provider))) missing.push(provider);
  if (missing.length === 0) return [];
  return [
    `The backup has security labels of these providers, which the target has not loaded: ${missing.join(', ')}. The restore fails at them, unless an extension of the backup loads the provider. Add its library to shared_preload_libraries of the target and restart it.`,
  ];
}

/** The server searches for the provider before it searches for the table, which does not exist. */
async function isLoaded(session: Session, provider: string): Promise<boolean> {
  try {
    await session.query(`SECURITY LABEL FOR ${quoteName(provider)} ON TABLE pg_catalog."no such table" IS NULL`);
  } catch (error) {
    if (sqlStateOf(error) === undefined) throw error;
    return sqlStateOf(error) !== '22023';
  }
  return true;
}
