import type { Writable } from 'node:stream';
import type { EngineContext } from './engineContext.js';
import type { Inventory } from './inventory.js';
import type { StoredStep } from './pipeline/storedStep.js';
import type { PartSpec } from './preflightReport.js';
import type { ToolEnd } from './process/toolEnd.js';

export type RestoreContext = EngineContext & {
  /**
   * The steps that the part passed before it was stored, in this order. The restore undoes them from the last to the
   * first.
   */
  readonly steps: readonly StoredStep[];
  /**
   * Called once everything that the restore tool needs is ready, in the work folder and on the way to the server. The
   * tool starts when it has resolved. When it rejects, the tool does not start, and `restore` throws the same error.
   */
  readonly mayStart?: () => Promise<unknown>;
};

/** The inventory to restore, and the id of the restore. Its sessions on the server can be found by this id. */
export type RestoreSource = { readonly restoreId: string; readonly inventory: Inventory };

/** The data for the check of a target. */
export type RestoreRequirements = Pick<RestoreSource, 'inventory'> & {
  /** The parts that a restore replays. Absent: unknown. */
  readonly parts?: readonly (Pick<PartSpec, 'name' | 'databases'> & { readonly longestStatementBytes?: number })[];
};

export type RestorePreflight = {
  readonly warnings: readonly string[];
  /** The restored data changes without a client as soon as it exists, for example because events run. */
  readonly changesByItself: boolean;
};

export type RunningRestore = {
  /** Receives the stored bytes. */
  readonly stored: Writable;
  /** The number of plain bytes that reached the tool so far; for progress only. */
  writtenBytes(): number;
  readonly ended: Promise<ToolEnd & { readonly failure: Error | null }>;
};
