import type { Inventory } from '../../inventory.js';
import type { CountedTable, RowCounting } from '../../rowCounting.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { countBatch, countedTables, inBatches, type TableToCount } from './countRows.js';
import { dumpsHistory } from '../catalog/history.js';
import { longStatements, type LongStatements } from './longStatements.js';
import type { AllowAddress } from '../../network/serverAddress.js';
import { openSession, serverErrorNumber, type Session } from '../session/session.js';

/** Counting takes at most this share of the time since the dump began, and `firstMs` at the beginning. */
const share = 0.1;
const firstMs = 1_000;
/** A statement starts only if it may take this long. */
const leastMs = 50;

type Settings = { readonly allowAddress: AllowAddress };

/**
 * Counts the rows of the inventory's tables in one snapshot. The snapshot is taken before this returns, so it is nearly
 * the snapshot of a dump that starts then. If a snapshot would keep locks, this counts for `firstMs` before it returns,
 * and then counts each table at a different time.
 *
 * It releases the locks of a table as soon as it is counted, takes a small share of the dump's time, and starts with
 * the smallest tables. A table that takes longer than its share is counted again when the share has doubled. Returns
 * undefined if there is nothing to count, no session is free, or the server does not answer. The dump itself reports
 * the last case.
 */
export async function countBesideDump(
  connection: ServiceConnection,
  inventory: Inventory,
  settings: Settings,
  signal: AbortSignal,
): Promise<RowCounting | undefined> {
  const tables = countedTables(inventory, { history: dumpsHistory(inventory) });
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

type Work = {
  readonly session: Session;
  readonly statements: LongStatements;
  readonly inSnapshot: boolean;
  readonly giveUp: () => void;
};

async function startCounting(work: Work, tables: readonly TableToCount[]): Promise<RowCounting> {
  const time = dumpTime();
  const counted: CountedTable[] = [];
  const run = countInTime(work, tables, time, counted)
    // The session has ended, or the dump was aborted. The finished counts stay.
    .catch(() => work.statements.kill())
    .finally(() => work.session.close());
  if (!work.inSnapshot) await Promise.race([run, time.firstIsUsed]);
  return {
    async end(limitMs) {
      time.end(limitMs);
      const late = setTimeout(() => void work.statements.kill().finally(work.giveUp), limitMs);
      await run;
      clearTimeout(late);
      return counted;
    },
  };
}

/**
 * False on a server with a binary log (or Galera). Such a server keeps the metadata locks of everything that a
 * transaction has read until the transaction ends. It does not if the session does not write to the log, which needs a
 * privilege.
 */
async function beginSnapshot(session: Session): Promise<boolean> {
  try {
    await session.query('SET SESSION sql_log_bin = 0');
  } catch (error) {
    if (serverErrorNumber(error) === undefined) throw error;
    const logging = await session.query(
      `SELECT 1 FROM information_schema.global_variables
        WHERE variable_name IN ('LOG_BIN', 'WSREP_ON') AND variable_value = 'ON'`,
    );
    if (logging.length > 0) return false;
  }
  await session.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY');
  return true;
}

async function countInTime(
  { session, statements, inSnapshot }: Work,
  tables: readonly TableToCount[],
  time: DumpTime,
  counted: CountedTable[],
): Promise<void> {
  const batches = [...inBatches(tables)];
  let neededMs = leastMs;
  for (let next = batches.shift(); next !== undefined; next = batches.shift()) {
    const batch = next;
    const availableMs = await time.atLeast(neededMs);
    if (availableMs < neededMs) return;
    const limitMs = Math.min(availableMs, statements.limitMs);
    const begin = performance.now();
    const ask = () => statements.watch(batch, () => countBatch(session, batch, limitMs));
    const { rows, slow } = inSnapshot ? await releasingLocks(session, ask) : await ask();
    const isBeforeDump = !inSnapshot && !time.isFirstUsed();
    time.use(performance.now() - begin);
    for (const [{ database, name, outsideSnapshot }, count] of rows) {
      const isBefore = isBeforeDump || (inSnapshot && !outsideSnapshot);
      counted.push({ database, name, rows: count, isBefore });
    }
    if (slow.length === 0 || limitMs === statements.limitMs) continue;
    batches.unshift(...slow.map((table) => [table]));
    neededMs = 2 * limitMs;
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

type DumpTime = {
  /** Waits until this much time may be used, or until the dump has ended. Returns the time that may then be used. */
  atLeast(ms: number): Promise<number>;
  use(ms: number): void;
  end(limitMs: number): void;
  /** Resolves when `firstMs` have passed. */
  readonly firstIsUsed: Promise<void>;
  isFirstUsed(): boolean;
};

function dumpTime(): DumpTime {
  const begin = performance.now();
  let usedMs = 0;
  let endsAt: number | undefined;
  let wake: () => void = () => undefined;
  let isFirstUsed = false;
  let tell: () => void = () => undefined;
  const firstIsUsed = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const availableMs = () => {
    const now = performance.now();
    return endsAt === undefined ? firstMs + share * (now - begin) - usedMs : endsAt - now;
  };
  return {
    atLeast: async (ms) => {
      while (endsAt === undefined && availableMs() < ms) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.max(1, (ms - availableMs()) / share));
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return availableMs();
    },
    use: (ms) => {
      usedMs += ms;
      if (usedMs < firstMs) return;
      isFirstUsed = true;
      tell();
    },
    end: (limitMs) => {
      endsAt = performance.now() + limitMs;
      wake();
    },
    firstIsUsed,
    isFirstUsed: () => isFirstUsed,
  };
}

/**
 * Four sessions run at once: the dump tool, the watch of its locks, the count, and the watch of a long count. One more
 * connection stays free. An account or a server may allow only a few.
 */
async function hasRoom(session: Session): Promise<boolean> {
  const [row] = await session.query(
    `SELECT @@max_user_connections AS own, @@max_connections AS everybody,
            (SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'THREADS_CONNECTED') AS used`,
  );
  const [own, everybody, used] = [Number(row?.['own']), Number(row?.['everybody']), Number(row?.['used'])];
  return (own === 0 || own >= 5) && everybody - used >= 5;
}
