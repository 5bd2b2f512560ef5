import type { Inventory } from '../inventory.js';
import type { PreflightReport } from '../preflightReport.js';
import type { Tools } from '../process/tools.js';
import type { ServiceConnection } from '../serviceConnection.js';
import type { Catalog } from './catalog/catalog.js';
import type { Definitions } from './definitions/readDefinitions.js';
import type { IncludedUsers } from '../runningDump.js';
import type { Accounts } from './privileges/accounts.js';
import type { ServerDialect, Session } from './session/serverDialect.js';

/** The absolute paths of the tools for one server. */
export type FamilyTools = { readonly dump: string; readonly client: string };

/** Everything in which an engine for MariaDB and one for MySQL differ. */
export type Dialect = ServerDialect & {
  /**
   * The tools for a server, or without `server` the newest ones. Throws TOOL_MISSING, also for the other programs of the
   * pipeline, and TOOL_VERSION if no installed version supports the server.
   */
  findTools(tools: Tools, server?: string, signal?: AbortSignal): Promise<FamilyTools>;
  /** The lines of an option file that set TLS. `ca` is the path of a file, as the value of an option. */
  tlsOptions(mode: ServiceConnection['tls']['mode'], ca: string | null): readonly string[];
  /** The folder with the login plugins of a tool. Undefined: the tool has its plugins built in, or none are found. */
  pluginFolder(tool: string): Promise<string | undefined>;

  /** Databases come last, after `--`, so that a name is never read as an option. */
  dumpArguments(report: PreflightReport): readonly string[];
  /** The tool selects no database whose name has a quote, a backslash or a line break. Otherwise it only dumps no events of it. */
  readonly escapesDatabases: boolean;
  /** See `dumpScanner`. */
  readonly oneRowBytes?: number;
  /** The connection character set of a dump. */
  dumpCharacterSet(definitions: Definitions): string;
  /** Whether a dump holds the history of system-versioned tables. */
  readonly dumpsHistory: (inventory: Pick<Inventory, 'databases' | 'toolVersion'>) => boolean;
  /** Throws TOOL_VERSION if the tool cannot dump an object of this kind. */
  refuseUnfitTool(toolVersion: string, catalog: Catalog): void;
  /** Losses that only servers of this kind have, as sentences. */
  findOwnLosses(session: Session, catalog: Catalog, definitions: Definitions): Promise<readonly string[]>;

  /** Reads users, roles and grants. Absent: a backup of such a server contains no accounts. */
  readonly readAccounts?: (session: Session, included: Exclude<IncludedUsers, 'NONE'>) => Promise<Accounts>;

  /** Statements that follow the databases in a dump, because the tool leaves them out. */
  statementsAfterDump(session: Session, catalog: Catalog): Promise<readonly string[]>;

  /** Assignments for a person who restores by hand, for `SET SESSION`. Our own session knows the server and sets more. */
  readonly byHandSettings: string;
  readonly byHandNeeds: string;
};
