import type { InventoryTable, TableName } from './inventory.js';

/** Counts rows on the server beside a dump. Whoever started the dump ends it. */
export type RowCounting = {
  /** Goes on for at most so long, then gives all that was counted. Never rejects. */
  end(limitMs: number): Promise<readonly CountedTable[]>;
};

/** A table and how many rows the server counts in it: before the dump's own snapshot (`isBefore`), or while it runs. */
export type CountedTable = TableName & { readonly rows: number; readonly isBefore: boolean };

/** A table and the rows that the dump holds of it; null: the dump does not hold the table. */
export type UnsureTable = TableName & { readonly rows: number | null };

/** A table as it is now. `rows` null: it could not be counted in time. */
export type TableState = TableName & Pick<InventoryTable, 'rows' | 'changedAt' | 'createdAt'>;
