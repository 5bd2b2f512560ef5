import type { Inventory, InventoryTable, TableName } from '../engines/inventory.js';
import type { CountedTable, TableState, UnsureTable } from '../engines/rowCounting.js';
import type { DumpedTable } from '../engines/runningDump.js';

/** The knowledge after a dump: the inventory before it, the content of the dump, and the counts of the server. */
export type DumpedRows = {
  readonly before: Inventory;
  readonly dumped: readonly DumpedTable[];
  readonly counted: readonly CountedTable[];
};

/** The result of comparing the dump with the server. */
export type Comparison = {
  /** Tables that did not change, but that the dump does not hold or holds with another number of rows. */
  readonly lost: readonly LostTable[];
  /** Tables that changed, and for which the dump holds fewer rows than the server counted both before and after it. */
  readonly fewer: readonly LostTable[];
  /** Tables whose rows could not be counted in time. */
  readonly notCompared: readonly TableName[];
};
/** `dumped` is null if the dump does not hold the table. */
export type LostTable = TableName & { readonly dumped: number | null; readonly counted: number | null };

/**
 * The tables to check again: tables that are not in the dump, and tables whose count on the server differs from the
 * dump or is missing.
 */
export function unsureTables({ before, dumped, counted }: DumpedRows): readonly UnsureTable[] {
  const held = byName(dumped);
  const counts = byName(counted);
  return expectedTables(before).flatMap(({ table, ...name }): readonly UnsureTable[] => {
    const found = held.get(keyOf(name));
    if (found === undefined) return isExpected(table) ? [{ ...name, rows: null }] : [];
    if (table.rows === null || found.rows === null) return [];
    return found.rows === counts.get(keyOf(name))?.rows ? [] : [{ ...name, rows: found.rows }];
  });
}

/** Tables that the dump does not hold, or whose rows in the dump differ from the server's earlier count. */
export function doubtfulTables(rows: DumpedRows): readonly LostTable[] {
  const counts = byName(rows.counted);
  return unsureTables(rows).flatMap(({ database, name, rows: dumped }) => {
    const counted = counts.get(keyOf({ database, name }))?.rows ?? null;
    return dumped !== null && counted === null ? [] : [{ database, name, dumped, counted }];
  });
}

/** @param states the states of `unsureTables` after the dump, without tables that no longer exist */
export function compareWithServer(rows: DumpedRows, states: readonly TableState[]): Comparison {
  const held = byName(rows.dumped);
  const counts = byName(rows.counted);
  const now = byName(states);
  const tables = new Map(expectedTables(rows.before).map(({ table, ...name }) => [keyOf(name), table]));
  const lost: LostTable[] = [];
  const fewer: LostTable[] = [];
  const notCompared: TableName[] = [];
  for (const { database, name } of unsureTables(rows)) {
    const key = keyOf({ database, name });
    const [before, state, found] = [tables.get(key), now.get(key), held.get(key)];
    const earlier = counts.get(key);
    const first = earlier?.rows ?? null;
    if (before === undefined) continue;
    if (found === undefined) {
      const isGone = state === undefined || !isSameTable(before, state);
      if (!isGone) lost.push({ database, name, dumped: null, counted: state.rows ?? first });
      continue;
    }
    if (found.rows === null || state === undefined || state.rows === found.rows) continue;
    const last = state.rows;
    const counted = last ?? first;
    if (counted === null) notCompared.push({ database, name });
    else if (isUnchanged(before, state, earlier)) lost.push({ database, name, dumped: found.rows, counted });
    else if (earlier?.isBefore === true && last !== null && found.rows < Math.min(earlier.rows, last)) {
      fewer.push({ database, name, dumped: found.rows, counted: Math.min(earlier.rows, last) });
    }
  }
  return { lost, fewer, notCompared };
}

/** Some servers do not report when a definition was created. */
function isSameTable(before: InventoryTable, { createdAt }: TableState): boolean {
  return (before.createdAt ?? null) === (createdAt ?? null);
}

/**
 * If the server reports the time of the last change, this time decides. A server forgets the time when it closes a
 * table. In that case the counts before and after the dump must be equal too. A table without times may have changed.
 */
function isUnchanged(before: InventoryTable, state: TableState, earlier: CountedTable | undefined): boolean {
  if (before.changedAt === undefined || state.changedAt === undefined) return false;
  if (before.changedAt !== state.changedAt || !isSameTable(before, state)) return false;
  if (earlier !== undefined && state.rows !== null && earlier.rows !== state.rows) return false;
  return before.changedAt !== null || (earlier?.isBefore === true && state.rows !== null);
}

/** Whether a dump contains such a table depends on the tool. */
function isExpected({ rows, rowsEstimated }: InventoryTable): boolean {
  return rows !== null || !rowsEstimated;
}

function expectedTables({ databases }: Inventory): readonly (TableName & { readonly table: InventoryTable })[] {
  return databases.flatMap(({ name: database, tables }) =>
    tables.map((table) => ({ database, name: table.name, table })),
  );
}

/** Unique for each table. */
function keyOf({ database, name }: TableName): string {
  return JSON.stringify([database, name]);
}

function byName<T extends TableName>(all: readonly T[]): ReadonlyMap<string, T> {
  return new Map(all.map((one) => [keyOf(one), one]));
}
