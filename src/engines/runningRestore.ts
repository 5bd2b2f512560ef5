import type { Writable } from 'node:stream';
import type { EngineContext } from './engineContext.js';
import type { Inventory } from './inventory.js';
import type { ToolEnd } from './process/runningTool.js';

export type RestoreContext = EngineContext & {
  /**
   * Called once all that the restore tool needs is there, in the work folder and on the way to the server. The tool
   * starts when it has resolved, and never when it rejects: `restore` then throws what it rejected with.
   */
  readonly mayStart?: () => Promise<unknown>;
};

/** What is restored, and by which restore: its sessions on the server are found by that. */
export type RestoreSource = { readonly restoreId: string; readonly inventory: Inventory };

export type RestorePreflight = {
  readonly warnings: readonly string[];
  /** What is restored begins to change by itself as soon as it is there, for example by events that run. */
  readonly changesByItself: boolean;
};

export type RunningRestore = {
  readonly compressed: Writable;
  /** Plain bytes that reached the tool so far; for progress only. */ writtenBytes(): number;
  readonly ended: Promise<ToolEnd & { readonly failure: Error | null }>;
};
