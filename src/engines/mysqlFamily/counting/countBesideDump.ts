import type { Inventory } from '../../inventory.js';
import type { CountedTable, RowCounting } from '../../rowCounting.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { asWork, countBatch, countedTables, inBatches, type TableToCount, type Work } from './countRows.js';
import { countingShareOf, countingShares } from './countingShare.js';
import { countingTime, type CountingTime } from './countingTime.js';
import type { Named } from '../catalog/catalog.js';
import type { Dialect } from '../dialect.js';
import { keyOf } from '../catalog/inventory.js';
import { longStatements, type LongStatements } from './longStatements.js';
import { openSession, serverErrorNumber, type Session, type SessionOptions } from '../session/session.js';

/** A statement starts only if at least this much time is left for it. */
const leastMs = 50;
/** The assumed speed of a count, in bytes per millisecond, until a large table has been counted. */
const usualBytesPerMs = 500_000;

type Settings = Pick<SessionOptions, 'allowAddress' | 'conversations'> & { readonly dialect: Dialect };

/**
 * Counts the rows of the inventory's tables in one snapshot. The snapshot is taken before this returns, so it is nearly
 * the same as the snapshot of a dump that starts next. If a snapshot would keep locks, no snapshot is used: this counts
 * small tables for `firstMs` before it returns, and each table shows the rows at the time of its own count.
 *
 * It releases the locks of a table as soon as it is counted, takes a small share of the dump's time (countingTime.ts),
 * and starts with the smallest tables. It counts a table only if its size fits into the available time. A table that
 * takes longer is counted again when twice the time is available. Returns undefined if there is nothing to count, no
 * session is free, or the server does not answer. The dump itself reports the last case.
 */
export async function countBesideDump(
  connection: ServiceConnection,
  inventory: Inventory,
  settings: Settings,
  signal: AbortSignal,
): Promise<CountingBesideDump | undefined> {
  const tables = countedTables(inventory, { history: settings.dialect.dumpsHistory(inventory) });
  if (tables.length === 0) return undefined;
  const ended = new AbortController();
  let session: Session | undefined;
  try {
    session = await openSession(connection, { ...settings, signal: AbortSignal.any([signal, ended.signal]) });
    if (!(await hasRoom(session))) {
      session.close();
      return undefined;
    }
    const statements = await longStatements(session, connection, settings);
    const inSnapshot = await beginSnapshot(session);
    return await startCounting({ session, statements, inSnapshot, giveUp: () => ended.abort() }, tables);
  } catch {
    session?.close();
    signal.throwIfAborted();
    return undefined;
  }
}

export type CountingBesideDump = RowCounting & {
  /**
   * The dump no longer needs the server. So counting continues at full speed while the rest of the dump is compressed
   * and stored.
   */
  dumpHasEnded(): void;
};

type Counter = {
  readonly session: Session;
  readonly statements: LongStatements;
  readonly inSnapshot: boolean;
  readonly giveUp: () => void;
};

async function startCounting(counter: Counter, tables: readonly TableToCount[]): Promise<CountingBesideDump> {
  const { session, statements } = counter;
  const time = countingTime({ small: countingShares.roomy, large: countingShareOf(session.server) });
  const counted: CountedTable[] = [];
  const late: Named[] = [];
  let present: Work | undefined;
  const run = countInTime(counter, tables, time, { counted, late, onWork: (work) => (present = work) })
    // The session has ended, or the dump was aborted. The finished counts stay.
    .catch(() => statements.kill())
    .finally(() => session.close());
  if (!counter.inSnapshot) await Promise.race([run, time.firstIsUsed]);
  return {
    dumpHasEnded: () => time.dumpHasEnded(),
    async end(limitMs) {
      time.end(limitMs);
      const leftMs = present === undefined ? limitMs : time.leftMs(present);
      const tooLong = setTimeout(() => {
        late.splice(0, late.length, ...tables);
        void statements.kill().finally(counter.giveUp);
      }, leftMs);
      await run;
      clearTimeout(tooLong);
      const done = new Set(counted.map(keyOf));
      return { tables: counted, late: late.filter((table) => !done.has(keyOf(table))) };
    },
  };
}

/**
 * Returns false on a server with a binary log (or Galera) if this session may not switch the log off. Such a server
 * keeps the metadata locks of everything that a transaction has read until the transaction ends. The locks are not kept
 * if the session switches off its binary log, which needs a privilege.
 */
async function beginSnapshot(session: Session): Promise<boolean> {
  try {
    await session.query('SET SESSION sql_log_bin = 0');
  } catch (error) {
    if (serverErrorNumber(error) === undefined) throw error;
    const logging = await session.query(session.dialect.keepsLocks);
    if (logging.length > 0) return false;
  }
  await session.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY');
  return true;
}

type Counts = {
  readonly counted: CountedTable[];
  readonly late: Named[];
  readonly onWork: (work: Work) => void;
};

async function countInTime(
  { session, statements, inSnapshot }: Counter,
  tables: readonly TableToCount[],
  time: CountingTime,
  { counted, late, onWork }: Counts,
): Promise<void> {
  const waiting = inBatches(tables).map((work) => ({ work, neededMs: leastMs }));
  let speed = usualBytesPerMs;
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { work } = next;
    const neededMs = Math.max(next.neededMs, work.isLarge ? work.sizeBytes / speed : 0);
    const availableMs = await time.atLeast(neededMs, work);
    if (availableMs < neededMs) {
      late.push(...work.tables);
      continue;
    }
    onWork(work);
    const limitMs = Math.min(Math.max(availableMs, 2 * neededMs), time.leftMs(work) ?? Infinity, statements.limitMs);
    const begin = performance.now();
    const countNow = () => statements.watch(work.tables, () => countBatch(session, work.tables, limitMs));
    const { rows, slow } = inSnapshot ? await releasingLocks(session, countNow) : await countNow();
    const isBeforeDump = !inSnapshot && !time.isFirstUsed();
    const tookMs = performance.now() - begin;
    time.use(tookMs, work);
    if (work.isLarge) speed = work.sizeBytes / tookMs;
    for (const [{ database, name, outsideSnapshot }, count] of rows) {
      const isBefore = isBeforeDump || (inSnapshot && !outsideSnapshot);
      counted.push({ database, name, rows: count, isBefore });
    }
    if ((time.leftMs(work) ?? 1) <= 0) late.push(...work.tables.filter((table) => !rows.has(table)));
    else if (limitMs < statements.limitMs) {
      waiting.unshift(...slow.map((table) => ({ work: asWork([table]), neededMs: 2 * limitMs })));
    }
  }
}

/**
 * A transaction keeps the metadata lock of each table that it reads, until it ends or rolls back to an earlier
 * savepoint.
 */
async function releasingLocks<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query('SAVEPOINT before_counting');
  try {
    return await work();
  } finally {
    await session.query('ROLLBACK TO SAVEPOINT before_counting');
  }
}

/**
 * Four sessions run at once: the dump tool, the watch of its locks, the count, and the watch of a long count. One more
 * connection stays free. An account or a server may allow only a few.
 */
async function hasRoom(session: Session): Promise<boolean> {
  const [row] = await session.query(
    `SELECT @@max_user_connections AS own, @@max_connections AS everybody,
            ${session.dialect.connectionsNow} AS used`,
  );
  const [own, everybody, used] = [Number(row?.['own']), Number(row?.['everybody']), Number(row?.['used'])];
  return (own === 0 || own >= 5) && everybody - used >= 5;
}
