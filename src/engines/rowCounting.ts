import type { InventoryTable, TableName } from './inventory.js';

/** Counts rows on the server while a dump runs. The caller of the dump ends it. */
export type RowCounting = {
  /** Continues for at most this long, then returns everything that was counted. Never rejects. */
  end(limitMs: number): Promise<readonly CountedTable[]>;
};

/** The rows that the server counted in a table: before the dump's own snapshot (`isBefore`), or while the dump runs. */
export type CountedTable = TableName & { readonly rows: number; readonly isBefore: boolean };

/** The rows that the dump holds of a table. Null: the dump does not hold the table. */
export type UnsureTable = TableName & { readonly rows: number | null };

/** A table as it is now. `rows` null: they could not be counted in time. */
export type TableState = TableName & Pick<InventoryTable, 'rows' | 'changedAt' | 'createdAt'>;
