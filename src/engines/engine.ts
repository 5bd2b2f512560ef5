import type { CheckStep } from '../check.js';
import type { EngineContext, InventoryContext } from './engineContext.js';
import type { Inventory } from './inventory.js';
import type { FoundDifference, Loss } from './inventoryDifference.js';
import type { PartSpec, PreflightReport } from './preflightReport.js';
import type { TableState, UnsureTable } from './rowCounting.js';
import type { DumpContext, ReadyDump, RunningDump } from './runningDump.js';
import type { RestoreContext, RestorePreflight, RestoreSource, RunningRestore } from './runningRestore.js';
import type { ServiceConnection } from './serviceConnection.js';

export type EngineName = 'MARIADB' | 'MYSQL' | 'POSTGRESQL' | 'MONGODB';

/** One database system: how it is checked, dumped, restored, inventoried. Failures are StowageErrors with a failure code. */
export interface Engine {
  readonly name: EngineName;
  readonly defaultPort: number;
  /** What is installed on this machine. Missing tools: TOOL_MISSING naming them and the package. */
  tools(): Promise<Readonly<Record<string, string>>>;
  /** Validate: steps by name, within `timeoutMs`. Never throws for what it finds. */
  check(
    connection: ServiceConnection,
    options: { signal: AbortSignal; timeoutMs: number },
  ): Promise<readonly CheckStep[]>;
  /** All that can be found out before anything is uploaded; throws SERVICE_UNREACHABLE, SERVICE_AUTH, SERVICE_PRIVILEGE, TOOL_… */
  preflight(connection: ServiceConnection, context: EngineContext): Promise<PreflightReport>;
  inventory(connection: ServiceConnection, context: InventoryContext): Promise<Inventory>;
  /**
   * Counts these tables of an inventory as its dump holds them and, where it finds other numbers of rows, reads when they
   * were changed. What is not there any more is left out.
   */
  recount(
    connection: ServiceConnection,
    tables: readonly UnsureTable[],
    source: Inventory,
    context: InventoryContext,
  ): Promise<readonly TableState[]>;
  /** Makes ready, while the preflight still asks the server, what `dump` would only make then. Whoever calls it closes it. */
  readyDump?(context: EngineContext): Promise<ReadyDump>;
  /**
   * Starts the dump tool followed by the compressor, connected by the kernel. `compressed` is what is to be stored.
   * A backup may be called complete only when `compressed` has ended and `ended` says failure null.
   */
  dump(
    connection: ServiceConnection,
    part: PartSpec,
    report: PreflightReport,
    context: DumpContext,
  ): Promise<RunningDump>;
  /** Refuses what a restore would overwrite (TARGET_EXISTS) or cannot do, before anything is sent. */
  restorePreflight(
    target: ServiceConnection,
    source: Pick<RestoreSource, 'inventory'> & {
      readonly parts?: readonly { readonly name: string; readonly longestStatementBytes?: number }[];
    },
    context: EngineContext,
  ): Promise<RestorePreflight>;
  /**
   * Starts the decompressor followed by the restore tool. Write the stored bytes to `compressed` and end it. Where
   * another restore is making one of the same databases on that server, no statement runs: TARGET_EXISTS.
   */
  restore(
    target: ServiceConnection,
    part: PartSpec,
    source: RestoreSource,
    context: RestoreContext,
  ): Promise<RunningRestore>;
  /** The line a person types to restore a part, given the download command to put in front of it. */
  restoreByHand(part: PartSpec, download: string): string;
  /** What must be installed for that line, in a sentence. */
  readonly restoreByHandNeeds: string;
  /** Null: the target holds no less for it. Only the engine knows what a difference means. */
  judgeDifference(
    difference: FoundDifference,
    context: { readonly expected: Inventory; readonly actual: Inventory; readonly changesByItself: boolean },
  ): Loss | null;
  /** Ends what this restore left running on the server, and no other; true when nothing of it is left there. */
  endOurSessions(target: ServiceConnection, restoreId: string, context: EngineContext): Promise<boolean>;
}
