import type { Writable } from 'node:stream';
import type { CheckStep } from '../check.js';
import type { Secret } from '../secret.js';
import type { JsonValue } from '../json.js';

export type EngineName = 'MARIADB' | 'MYSQL' | 'POSTGRESQL' | 'MONGODB';

/** How to reach one database server. */
export type ServiceConnection = {
  readonly host: string;
  readonly port: number;
  readonly username: string | null;
  readonly password: Secret | null;
  readonly authSource: string | null;
  readonly tls: { readonly mode: 'OFF' | 'REQUIRE' | 'VERIFY'; readonly ca: string | null };
  /** Null: all that are not the system's. */
  readonly databases: readonly string[] | null;
};

/** What a database server holds, as a restore and the next backup are compared with. Plain JSON: it lies in backup.json. */
export type Inventory = {
  readonly serverVersion: string;
  readonly toolVersion: string;
  /** Bytes as the server reckons them, an estimate. */
  readonly sizeBytes: number | null;
  readonly databases: readonly InventoryDatabase[];
  /**
   * Whether names of databases, tables and views that differ in letter case alone are two names (DISTINCT) or one
   * (FOLDED). Absent: not recorded.
   */
  readonly nameCase?: 'DISTINCT' | 'FOLDED';
  /** Settings of the server that decide what it computes anew at a restore. Absent: not recorded. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How the definitions below were taken: two that were taken in another way are not compared. Absent: none were taken. */
  readonly definitionsTaken?: { readonly normalisation: number; readonly server: string };
};
export type InventoryDatabase = {
  readonly name: string;
  readonly tables: readonly InventoryTable[];
  /** Everything else by kind, for example `views`, `procedures`, `functions`, `triggers`, `events`, `sequences`: names. */
  readonly objects: Readonly<Record<string, readonly string[]>>;
  /** Engine specific, for example character set and collation. */
  readonly properties: Readonly<Record<string, string>>;
  /** What a target must accept at once: the longest statement of the dump, or an estimate of its largest row. */
  readonly largestRowBytes?: number;
  /** Definitions of `objects`, by kind and name. Absent: not taken. */
  readonly definitions?: Readonly<Record<string, Readonly<Record<string, Definition>>>>;
  /**
   * What a server must offer to hold this database, for example `engine ARCHIVE` or `type uuid`, each with the names of
   * the objects that need it. Absent: not recorded.
   */
  readonly needs?: Readonly<Record<string, readonly string[]>>;
};
/** What an object is, without what a restore may change: a digest to compare, and its parts, to name what differs. */
export type Definition = {
  /** SHA-256 of the normalised definition, hex. */
  readonly hash: string;
  /** By name, for example a column: the text, or its digest where it is long. Absent: the definition is one part, or too large. */
  readonly parts?: Readonly<Record<string, string>>;
};
export type InventoryTable = {
  readonly name: string;
  /** Null, and no estimate: it has no rows of its own. Null, and an estimate: it may be in the backup or not. */
  readonly rows: number | null;
  readonly rowsEstimated: boolean;
  readonly sizeBytes: number | null;
  /**
   * When it was last written to; null: not since the server opened it; absent: the server does not tell reliably. Not
   * stored.
   */
  readonly changedAt?: string | null;
  /** When its definition was made, where the server tells. Not stored. */
  readonly createdAt?: string | null;
  /** The server's word, for example `BASE TABLE` or `SYSTEM VERSIONED`. This and what follows, absent: not recorded. */
  readonly type?: string;
  readonly engine?: string;
  readonly rowFormat?: string;
  readonly collation?: string;
  /** Absent also where the definition changed while the table was dumped. */
  readonly definition?: Definition;
};

export type EngineContext = {
  /** A folder of the job alone, 0700, on tmpfs where there is one; removed afterwards by whoever made it. */
  readonly workFolder: string;
  /** Aborting kills the tool's whole process group. */
  readonly signal: AbortSignal;
  /** Called for each answer of the server: a long series of questions is told from silence by it. */
  readonly onAnswer?: () => void;
  /**
   * How long a session of somebody else may wait for a lock of ours before we give way (SERVICE_BUSY). Null, or left out:
   * as long as it takes.
   */
  readonly lockPatienceMs?: number | null;
  /** How long we wait for a lock of somebody else (SERVICE_BUSY, naming who holds it). Left out: as long as it takes. */
  readonly lockWaitMs?: number;
};

export type InventoryContext = EngineContext & {
  /**
   * How long rows may be counted; what does not fit in stays an estimate. 0: rows, sizes and times are not asked for.
   * Default 20 s.
   */
  readonly countingMs?: number;
};

export type TableName = { readonly database: string; readonly name: string };

/** A table and how many rows the server counts in it: before the dump's own snapshot (`isBefore`), or while it runs. */
export type CountedTable = TableName & { readonly rows: number; readonly isBefore: boolean };

/** A table and the rows that the dump holds of it; null: the dump does not hold the table. */
export type UnsureTable = TableName & { readonly rows: number | null };

/** A table as it is now. `rows` null: it could not be counted in time. */
export type TableState = TableName & Pick<InventoryTable, 'rows' | 'changedAt' | 'createdAt'>;

/** Counts rows on the server beside a dump. Whoever started the dump ends it. */
export type RowCounting = {
  /** Goes on for at most so long, then gives all that was counted. Never rejects. */
  end(limitMs: number): Promise<readonly CountedTable[]>;
};

export type DumpContext = EngineContext & {
  /**
   * All that the dump tool needs is made ready meanwhile; the tool itself starts only when this has resolved, and never
   * when it rejects: `dump` then throws what it rejected with.
   */
  readonly mayStart?: Promise<unknown>;
  /** Of `readyDump` with the same work folder; the dump takes it over. */
  readonly ready?: ReadyDump;
};

export type RestoreContext = EngineContext & {
  /**
   * Called once all that the restore tool needs is there, in the work folder and on the way to the server. The tool
   * starts when it has resolved, and never when it rejects: `restore` then throws what it rejected with.
   */
  readonly mayStart?: () => Promise<unknown>;
};

/** What a dump needs besides the dump tool: it runs, and waits for bytes. */
export type ReadyDump = {
  /** Returns when nothing of it runs any more; where a dump has taken it over that is the dump's, and it returns at once. */
  close(): Promise<void>;
};

/** A tool that was started as the head of its own process group, without a shell and with a cleared environment. */
export type RunningTool = {
  /** Settles when the process and its group are gone; never rejects for how the tool ended. */
  readonly ended: Promise<ToolEnd>;
};
export type ToolEnd = {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last lines of standard error, cleared of secrets, at most 4 KiB. */
  readonly lastLines: string;
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

export type PreflightReport = {
  readonly inventory: Inventory;
  readonly parts: readonly PartSpec[];
  /** Losses that no flag prevents, naming the object. */
  readonly warnings: readonly string[];
};

export type DumpEnd = ToolEnd & {
  /** Bytes of the plain dump, counted outside JavaScript. */
  readonly sizeBytes: number;
  /** Bytes that the compressor says it wrote: whoever read another number of them has lost some. */
  readonly compressedSizeBytes: number;
  /** Every table or collection that the dump holds, counted in the stream. */
  readonly tables: readonly DumpedTable[];
  /** What else the dump defines, of these `kinds`. Absent: the engine does not look for any. */
  readonly objects?: { readonly kinds: readonly string[]; readonly found: readonly DumpedObject[] };
  /** Of all statements of the dump, those that define something included: what a target must accept at once. */
  readonly longestStatementBytes?: number;
  /** What the backup should say of how it went. */
  readonly warnings?: readonly string[];
  /** Null: complete. Else the failure, such as EMPTY_DUMP or INCOMPLETE_DUMP or TOOL_FAILED, as the error to fail with. */
  readonly failure: Error | null;
};

/** What a dump holds of one table. */
export type DumpedTable = TableName & {
  /** Null: the layout of the tool's statements does not show it. */
  readonly rows: number | null;
  /** Bytes of the statements that fill it. */
  readonly sizeBytes: number;
  readonly longestStatementBytes: number;
};

/** A view, a routine or the like that a dump defines, `kind` as in the inventory's `objects`. */
export type DumpedObject = {
  readonly database: string;
  readonly kind: string;
  /** Null: the dump does not show it, for example because it is in another character set. */
  readonly name: string | null;
};

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
export type RunningDump = {
  /** A chunk is not used any more once the next is asked for: all may lie in the same memory. */
  readonly compressed: AsyncIterable<Uint8Array> & {
    /** Nobody reads on: the tools find their pipe closed. */
    destroy(): void;
  };
  /** Bytes read from the database so far; for progress only. */ readBytes(): number;
  readonly ended: Promise<DumpEnd>;
  /** Absent: the engine cannot count beside its dump, or the server has no room for one more session. */
  readonly counting?: RowCounting;
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

export type InventoryDifference = {
  readonly path: string;
  readonly expected: string | null;
  readonly actual: string | null;
};

/** A difference together with what it is about. `expected` null: the target has what the backup does not. */
export type FoundDifference = InventoryDifference & {
  readonly what: 'DATABASE' | 'PROPERTY' | 'TABLE' | 'ROWS' | 'FIELD' | 'OBJECT' | 'DEFINITION';
  readonly database: string;
  /** `tables`, or the kind of `objects`. */
  readonly kind?: string;
  /** Of the table or object. */
  readonly name?: string;
  /** The property, the field of the table, or the part of the definition; absent: the definition as a whole. */
  readonly part?: string;
};

/** A difference by which the target holds less than the backup. */
export type Loss = {
  /** What is otherwise: the second half of a sentence, for example "the table 'shop.t' has no column 'c'". */
  readonly sentence: string;
  /** What to do in exactly this case. */
  readonly help: string;
};
export type { JsonValue };
