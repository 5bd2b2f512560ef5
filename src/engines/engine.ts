import type { CheckStep } from '../check.js';
import type { EngineContext, InventoryContext } from './engineContext.js';
import type { Inventory } from './inventory.js';
import type { FoundDifference, Loss } from './inventoryDifference.js';
import type { PartSpec } from './preflightReport.js';
import type { ToolVersions } from './process/tools.js';
import type { TableState, UnsureTable } from './rowCounting.js';
import type { ToolReleases } from './toolNeed.js';
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
  /** The name in the API, in capital letters. */
  readonly name: string;
  readonly defaultPort: number;
  /** The programs that a worker needs to run its jobs, by the names in `tools`. */
  readonly programs: readonly string[];
  /**
   * Present: a server needs a tool of its own release or a newer one. Then an error TOOL_VERSION about such a tool has the
   * `release` in its details.
   */
  readonly toolReleases?: ToolReleases;
  /** Whether a login may name the database that knows the user (`authSource`). */
  readonly takesAuthSource: boolean;
  /** Present: the host of a service may name several hosts (see `hostList`). */
  readonly takesSeveralHosts?: true;
  /**
   * The versions of the programs that are installed on this machine, by program, without those that the engine cannot
   * use. Throws TOOL_MISSING naming the program and its package.
   */
  tools(): Promise<ToolVersions>;
  /**
   * Validate: checks steps by name, within `timeoutMs`. A failed check is a step of the answer. Throws only the reason
   * of the signal.
   */
  check(
    connection: ServiceConnection,
    options: { signal: AbortSignal; timeoutMs: number },
  ): Promise<readonly CheckStep[]>;
  /**
   * Finds everything that would end the dump or make it incomplete, before anything is uploaded. Then it prepares the
   * dump. The caller closes it. Throws SERVICE_UNREACHABLE, SERVICE_AUTH, SERVICE_PRIVILEGE, SERVICE_SETTING, TOOL_…
   */
  prepareDump(connection: ServiceConnection, context: PrepareDumpContext): Promise<PreparedDump>;
  inventory(connection: ServiceConnection, context: InventoryContext): Promise<Inventory>;
  /**
   * Counts the rows of these tables of an inventory again. `tables` contains the number of rows that the dump has of
   * each table. If the two numbers of a table differ, this also reads when the table was last changed. The result has
   * no entry for a table that no longer exists.
   */
  recount(
    connection: ServiceConnection,
    tables: readonly UnsureTable[],
    source: Inventory,
    context: InventoryContext,
  ): Promise<readonly TableState[]>;
  /**
   * Refuses a restore that would overwrite something (TARGET_EXISTS) or that cannot succeed, before anything is sent.
   */
  restorePreflight(
    target: ServiceConnection,
    source: RestoreRequirements,
    context: EngineContext,
  ): Promise<RestorePreflight>;
  /**
   * Starts the programs that undo the steps, followed by the restore tool. The caller writes the stored bytes to
   * `stored` and ends it. If another restore is creating one of the same databases on that server, no statement runs
   * and the restore fails with TARGET_EXISTS.
   */
  restore(
    target: ServiceConnection,
    part: PartSpec,
    source: RestoreSource,
    context: RestoreContext,
  ): Promise<RunningRestore>;
  /** The command that a person types to restore the plain bytes of a part from standard input. */
  restoreByHand(part: PartSpec): string;
  /** The programs that must be installed for that command. The text ends a sentence, and has no full stop. */
  readonly restoreByHandNeeds: string;
  /**
   * Judges a difference between the backup and the restored target. Null: the difference is not a loss. Only the engine
   * knows what a difference means.
   */
  judgeDifference(
    difference: FoundDifference,
    context: { readonly expected: Inventory; readonly actual: Inventory; readonly changesByItself: boolean },
  ): Loss | null;
  /**
   * Ends the sessions that this restore left running on the server, and nothing else. Returns true if no such session
   * is left.
   */
  endOurSessions(target: ServiceConnection, restoreId: string, context: EngineContext): Promise<boolean>;
  /** Ends the processes that the engine keeps between jobs. Call it when no job runs any more. */
  close(): Promise<void>;
}
