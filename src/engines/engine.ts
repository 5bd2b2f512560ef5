import type { CheckStep } from '../check.js';
import type { EngineContext, InventoryContext } from './engineContext.js';
import type { Inventory } from './inventory.js';
import type { FoundDifference, Loss } from './inventoryDifference.js';
import type { PartSpec } from './preflightReport.js';
import type { TableState, UnsureTable } from './rowCounting.js';
import type { PrepareDumpContext, PreparedDump } from './runningDump.js';
import type {
  RestoreContext,
  RestorePreflight,
  RestoreRequirements,
  RestoreSource,
  RunningRestore,
} from './runningRestore.js';
import type { ServiceConnection } from './serviceConnection.js';

/**
 * One database system: how it is checked, dumped, restored and inventoried. Failures are StowageErrors with a failure
 * code. docs/adding-an-engine.md describes how to add one.
 */
export interface Engine {
  /** As the API calls it, in capital letters. */
  readonly name: string;
  readonly defaultPort: number;
  /** The programs that a worker needs to run its jobs, by the names in `tools`. */
  readonly programs: readonly string[];
  /** Whether a login may name the database that knows the user (`authSource`). */
  readonly takesAuthSource: boolean;
  /**
   * Versions of what is installed on this machine, by program. Throws TOOL_MISSING naming the program and its package.
   */
  tools(): Promise<Readonly<Record<string, string>>>;
  /**
   * Validate: steps by name, within `timeoutMs`. A failure is a step of the answer. Throws only the signal's reason.
   */
  check(
    connection: ServiceConnection,
    options: { signal: AbortSignal; timeoutMs: number },
  ): Promise<readonly CheckStep[]>;
  /**
   * Finds everything that would end or cut the dump before anything is uploaded, and prepares the dump. The caller
   * closes it. Throws SERVICE_UNREACHABLE, SERVICE_AUTH, SERVICE_PRIVILEGE, SERVICE_SETTING, TOOL_…
   */
  prepareDump(connection: ServiceConnection, context: PrepareDumpContext): Promise<PreparedDump>;
  inventory(connection: ServiceConnection, context: InventoryContext): Promise<Inventory>;
  /**
   * Counts these tables of an inventory as its dump holds them. Where the number of rows differs, it also reads when
   * the table was changed. Leaves out tables that no longer exist.
   */
  recount(
    connection: ServiceConnection,
    tables: readonly UnsureTable[],
    source: Inventory,
    context: InventoryContext,
  ): Promise<readonly TableState[]>;
  /** Refuses what a restore would overwrite (TARGET_EXISTS) or cannot do, before anything is sent. */
  restorePreflight(
    target: ServiceConnection,
    source: RestoreRequirements,
    context: EngineContext,
  ): Promise<RestorePreflight>;
  /**
   * Starts the steps back, followed by the restore tool. The caller writes the stored bytes to `stored` and ends it.
   * Where another restore makes one of the same databases on that server, no statement runs: TARGET_EXISTS.
   */
  restore(
    target: ServiceConnection,
    part: PartSpec,
    source: RestoreSource,
    context: RestoreContext,
  ): Promise<RunningRestore>;
  /** The command that a person types to restore the plain bytes of a part from standard input. */
  restoreByHand(part: PartSpec): string;
  /** What must be installed for that command, as the end of a sentence without its full stop. */
  readonly restoreByHandNeeds: string;
  /** Null: the target lacks nothing because of it. Only the engine knows what a difference means. */
  judgeDifference(
    difference: FoundDifference,
    context: { readonly expected: Inventory; readonly actual: Inventory; readonly changesByItself: boolean },
  ): Loss | null;
  /** Ends what this restore left running on the server, and nothing else. True: nothing of it is left there. */
  endOurSessions(target: ServiceConnection, restoreId: string, context: EngineContext): Promise<boolean>;
}
