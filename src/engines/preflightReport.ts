import type { Inventory } from './inventory.js';

/** What one run of a dump tool makes: one stored object. */
export type PartSpec = {
  /** Unique in the backup, for example `databases`. Any text: the archive escapes it for the name of the object. */
  readonly name: string;
  /** `sql`, `dump` or `archive`. */
  readonly extension: string;
  /** The databases of the inventory that it holds. Absent: all. */
  readonly databases?: readonly string[];
  /** False: the part is stored for a person to read, and no restore replays it. */
  readonly replay?: false;
  /** The connection character set that it is dumped with and must be restored with. Absent: utf8mb4. */
  readonly characterSet?: string;
  /** What dumped it. Absent: not recorded. */
  readonly tool?: { readonly name: string; readonly version: string };
};

export type PreflightReport = {
  readonly inventory: Inventory;
  readonly parts: readonly PartSpec[];
  /** Losses that no flag prevents, naming the object. */
  readonly warnings: readonly string[];
};
