import type { Writable } from 'node:stream';
import type { EngineContext } from './engineContext.js';
import type { Inventory } from './inventory.js';
import type { StoredStep } from './pipeline/storedStep.js';
import type { ToolEnd } from './process/toolEnd.js';

export type RestoreContext = EngineContext & {
  /** What the part passed before it was stored, in this order; the restore undoes it from the last to the first. */
  readonly steps: readonly StoredStep[];
  /**
   * Called once everything that the restore tool needs is there, in the work folder and on the way to the server. The
   * tool starts when it has resolved. When it rejects, the tool does not start, and `restore` throws the same error.
   */
  readonly mayStart?: () => Promise<unknown>;
};

/** What is restored, and by which restore: its sessions on the server are found by that id. */
export type RestoreSource = { readonly restoreId: string; readonly inventory: Inventory };

/** What a target is checked for. */
export type RestoreRequirements = Pick<RestoreSource, 'inventory'> & {
  /** Those that are replayed. Absent: not known. */
  readonly parts?: readonly { readonly name: string; readonly longestStatementBytes?: number }[];
};

export type RestorePreflight = {
  readonly warnings: readonly string[];
  /** The restored data begins to change by itself as soon as it is there, for example by events that run. */
  readonly changesByItself: boolean;
};

export type RunningRestore = {
  /** Takes the stored bytes. */
  readonly stored: Writable;
  /** Plain bytes that reached the tool so far; for progress only. */
  writtenBytes(): number;
  readonly ended: Promise<ToolEnd & { readonly failure: Error | null }>;
};
