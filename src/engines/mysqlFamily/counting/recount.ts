import { setTimeout as pause } from 'node:timers/promises';
import type { InventoryContext } from '../../engineContext.js';
import type { Inventory } from '../../inventory.js';
import type { TableState, UnsureTable } from '../../rowCounting.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { readTimes, type Named, type TableTimes } from '../catalog/catalog.js';
import { countAll } from './countAll.js';
import { countedTables } from './countRows.js';
import { keyOf } from '../catalog/inventory.js';
import { withPatientSession } from '../locks/ownLockWaits.js';
import { defaultCountingMs, type FamilySettings } from '../checks/preflight.js';
import type { Session } from '../session/session.js';

/** Counts single tables of a backup's inventory again, and reads when they were changed. */
export async function recountTables(
  connection: ServiceConnection,
  tables: readonly UnsureTable[],
  source: Inventory,
  settings: FamilySettings,
  context: InventoryContext,
): Promise<readonly TableState[]> {
  const { countingMs = defaultCountingMs, onAnswer, signal } = context;
  const wanted = new Set(tables.map(keyOf));
  const toCount = countedTables(source, { history: settings.dialect.dumpsHistory(source) }).filter((one) =>
    wanted.has(keyOf(one)),
  );
  return withPatientSession(connection, { ...settings, ...context }, async (session) => {
    const counts = await countAll(session, toCount, { budgetMs: countingMs, onAnswer });
    const rowsOf = (table: Named) => counts.get(keyOf(table)) ?? null;
    const isConfirmed = (table: UnsureTable) => table.rows !== null && rowsOf(table) === table.rows;
    const doubtful = tables.filter((table) => !isConfirmed(table));
    const contradicts = (table: UnsureTable) => table.rows !== null && rowsOf(table) !== null;
    const times = await readSettledTimes(session, doubtful, { source, signal, contradicts });
    return tables.flatMap((table): readonly TableState[] => {
      const { database, name } = table;
      const state = { database, name, rows: rowsOf(table) };
      if (isConfirmed(table)) return [state];
      const known = times.get(keyOf(table));
      return known === undefined ? [] : [{ ...state, ...known }];
    });
  });
}

type Times = Omit<TableTimes, 'isFresh'>;

/**
 * A server reports the time of the last change in seconds. So a table that is written to all the time may show the same
 * time as before the dump. If that time is very recent, it is read once more, because such a table then shows a later
 * time. It is also read once more if the count contradicts the dump, because InnoDB shows the rows of a commit a moment
 * before it sets the time.
 */
async function readSettledTimes(
  session: Session,
  tables: readonly UnsureTable[],
  {
    source,
    signal,
    contradicts,
  }: {
    readonly source: Inventory;
    readonly signal: AbortSignal;
    readonly contradicts: (table: UnsureTable) => boolean;
  },
): Promise<ReadonlyMap<string, Times>> {
  const before = new Map(
    source.databases.flatMap(({ name: database, tables: all }) =>
      all.map(({ name, changedAt }) => [keyOf({ database, name }), changedAt] as const),
    ),
  );
  const found = new Map<string, Times>();
  const read = async (all: readonly UnsureTable[]): Promise<readonly UnsureTable[]> => {
    const unsettled: UnsureTable[] = [];
    for (const table of all) {
      const times = await readTimes(session, table);
      found.delete(keyOf(table));
      if (times === undefined) continue;
      const { isFresh, ...known } = times;
      found.set(keyOf(table), known);
      const isSame = known.changedAt === before.get(keyOf(table));
      if (isSame && (isFresh || contradicts(table))) unsettled.push(table);
    }
    return unsettled;
  };
  const unsettled = await read(tables);
  if (unsettled.length > 0) {
    for (let pausedMs = 0; pausedMs < settlingMs; pausedMs += tickMs) {
      await pause(tickMs, undefined, { signal });
      // Reports the answer as progress, so that the job does not count as stalled.
      await session.query('DO 0');
    }
    await read(unsettled);
  }
  return found;
}

const settlingMs = 2_000;
const tickMs = 200;
