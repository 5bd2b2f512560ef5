import type { Inventory } from './inventory.js';

export type PreflightReport = {
  readonly inventory: Inventory;
  readonly parts: readonly PartSpec[];
  /** Losses that no flag prevents, naming the object. */
  readonly warnings: readonly string[];
};

/** What one run of a dump tool makes: one stored object. */
export type PartSpec = {
  /** For example `databases`. */
  readonly name: string;
  /** `sql`, `dump` or `archive`. */
  readonly extension: string;
  /** The connection character set that it is dumped with and must be restored with. Absent: utf8mb4. */
  readonly characterSet?: string;
  /** What dumped it. Absent: not recorded. */
  readonly tool?: { readonly name: string; readonly version: string };
};
