import type { Inventory } from './inventory.js';

/** The output of one run of a dump tool: one stored object. */
export type PartSpec = {
  /**
   * Unique in the backup, for example `databases`. It may be any text, because the archive escapes it for the name of
   * the object.
   */
  readonly name: string;
  /** `sql`, `dump` or `archive`. */
  readonly extension: string;
  /** The databases of the inventory that the part holds. Absent: all. */
  readonly databases?: readonly string[];
  /** False: the part is stored for a person to read, and no restore replays it. */
  readonly replay?: false;
  /** The connection character set of the dump, which the restore must use too. Absent: utf8mb4. */
  readonly characterSet?: string;
  /** The program that dumped the part. Absent: not recorded. */
  readonly tool?: { readonly name: string; readonly version: string };
};

export type PreflightReport = {
  readonly inventory: Inventory;
  readonly parts: readonly PartSpec[];
  /** Losses that no option prevents. Each names the object. */
  readonly warnings: readonly string[];
};
