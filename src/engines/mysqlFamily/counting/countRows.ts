import type { Inventory } from '../../inventory.js';
import type { Named } from '../catalog/catalog.js';
import { isOutsideSnapshot } from '../catalog/storageEngines.js';
import { quoteName } from '../privileges/grants.js';
import { isChangedTable } from '../errors/serverErrors.js';
import { serverErrorNumber, type Session } from '../session/session.js';

export type TableToCount = Named & {
  /** Counts a system-versioned table together with its history. */
  readonly history: boolean;
  /** An estimate. Null: unknown. */
  readonly sizeBytes: number | null;
  /** A count shows the rows at the time when it runs, also in a snapshot. */
  readonly outsideSnapshot: boolean;
};

export type BatchCount = {
  readonly rows: ReadonlyMap<TableToCount, number>;
  /** Tables whose count would take longer than the given time. */
  readonly slow: readonly TableToCount[];
};

/**
 * The tables of an inventory that have rows of their own. `history`: whether the history of system-versioned tables
 * counts.
 */
export function countedTables(
  { databases }: Inventory,
  { history }: { readonly history: boolean },
): readonly TableToCount[] {
  return databases.flatMap(({ name: database, tables, objects }) => {
    const versioned = new Set(objects['systemVersionedTables']);
    return tables
      .filter(({ rows }) => rows !== null)
      .map(({ name, sizeBytes, engine }) => ({
        ...{ database, name, sizeBytes, history: history && versioned.has(name) },
        outsideSnapshot: isOutsideSnapshot(engine),
      }));
  });
}

/** Tables that one statement counts. */
export type Work = { readonly tables: readonly TableToCount[]; readonly sizeBytes: number; readonly isLarge: boolean };

const together = { tables: 50, sizeBytes: 4 * 1024 * 1024 };
/** A locked table is left out after this time, so that our own locks block no session for longer. */
const lockWaitSeconds = 1;

/**
 * Returns the smallest tables first. Small tables share a statement, because the round trip takes longer than the
 * count.
 */
export function inBatches(tables: readonly TableToCount[]): readonly Work[] {
  const batches: TableToCount[][] = [];
  let current: TableToCount[] = [];
  let sizeBytes = 0;
  for (const table of [...tables].sort((a, b) => bytes(a) - bytes(b))) {
    const fits = current.length < together.tables && sizeBytes + bytes(table) <= together.sizeBytes;
    if (!fits || current.length === 0) {
      current = [];
      sizeBytes = 0;
      batches.push(current);
    }
    current.push(table);
    sizeBytes += bytes(table);
  }
  return batches.map(asWork);
}

export function asWork(tables: readonly TableToCount[]): Work {
  const sizeBytes = tables.reduce((sum, table) => sum + bytes(table), 0);
  return { tables, sizeBytes, isLarge: sizeBytes > together.sizeBytes };
}

function bytes({ sizeBytes }: TableToCount): number {
  return sizeBytes ?? 0;
}

/**
 * Counts within `limitMs`. The result has no entry for a table that is locked, was altered or no longer exists. Locks
 * are held until the transaction of the session ends, or without a transaction until the statement ends.
 */
export async function countBatch(
  session: Session,
  batch: readonly TableToCount[],
  limitMs: number,
): Promise<BatchCount> {
  const until = performance.now() + limitMs;
  try {
    return { rows: await queryCounts(session, batch, limitMs), slow: [] };
  } catch (error) {
    const number = serverErrorNumber(error);
    if (!isOfOneTable(number)) throw error;
    if (batch.length === 1) return { rows: new Map(), slow: isStatementTimeout(number) ? batch : [] };
  }
  const rows = new Map<TableToCount, number>();
  const slow: TableToCount[] = [];
  for (const table of batch) {
    const leftMs = until - performance.now();
    if (leftMs < leastMs) {
      slow.push(table);
      continue;
    }
    const counted = await countBatch(session, [table], leftMs);
    for (const [each, count] of counted.rows) rows.set(each, count);
    slow.push(...counted.slow);
  }
  return { rows, slow };
}

const leastMs = 10;

export function isStatementTimeout(number: number | undefined): boolean {
  return number === 1969 || number === 3024;
}

/** 1205: another session has locked the table. 1317: we or an administrator ended the count. */
function isOfOneTable(number: number | undefined): boolean {
  return isStatementTimeout(number) || number === 1205 || number === 1317 || isChangedTable(number);
}

async function queryCounts(
  session: Session,
  batch: readonly TableToCount[],
  limitMs: number,
): Promise<ReadonlyMap<TableToCount, number>> {
  const counts = batch.map(({ database, name, history }, index) => {
    const from = `${quoteName(database)}.${quoteName(name)}${history ? ' FOR SYSTEM_TIME ALL' : ''}`;
    return `SELECT ${index} AS position, COUNT(*) AS counted FROM ${from}`;
  });
  const rows = await session.dialect.limitedSelect(
    session,
    counts.join(' UNION ALL '),
    { seconds: Math.max(0.01, limitMs / 1000), lockWaitSeconds, readsFewRows: !asWork(batch).isLarge },
    { timeoutMs: limitMs + answerMs },
  );
  return new Map(
    rows.flatMap((row): [TableToCount, number][] => {
      const table = batch[Number(row['position'])];
      return table === undefined ? [] : [[table, Number(row['counted'])]];
    }),
  );
}

/** How much longer than its limit a statement may take until the connection counts as broken. */
const answerMs = 60_000;
