import type { InventoryTable, TableName } from './inventory.js';

/** Counts rows on the server while a dump runs. The caller of the dump ends it. */
export type RowCounting = {
  /** Continues for at most this long, then returns everything that was counted. Never rejects. */
  end(limitMs: number): Promise<CountedRows>;
};

export type CountedRows = {
  readonly tables: readonly CountedTable[];
  /** Tables that were not counted for lack of time. Counting them now would delay the end of the backup. */
  readonly late: readonly TableName[];
};

/**
 * The number of rows that the server counted in a table: before the snapshot of the dump (`isBefore`), or while the
 * dump runs.
 */
export type CountedTable = TableName & { readonly rows: number; readonly isBefore: boolean };

/** The number of rows of a table in the dump. Null: the dump does not hold the table. */
export type UnsureTable = TableName & { readonly rows: number | null };

/** The current state of a table. `rows` is null if they could not be counted in time. */
export type TableState = TableName & Pick<InventoryTable, 'rows' | 'changedAt' | 'createdAt'>;
