import type { EngineContext } from './engineContext.js';
import type { TableName } from './inventory.js';
import type { StoredStep } from './pipeline/storedStep.js';
import type { PartSpec, PreflightReport } from './preflightReport.js';
import type { ToolEnd } from './process/toolEnd.js';
import type { RowCounting } from './rowCounting.js';

/** Which accounts of the server a backup contains. */
export type IncludedUsers = 'NONE' | 'WITHOUT_PASSWORDS' | 'WITH_PASSWORD_HASHES';

export type PrepareDumpContext = EngineContext & {
  /** An engine that has no such part ignores it. Absent: NONE. */
  readonly includeUsers?: IncludedUsers;
  /** The steps that each part passes before it is stored, in this order. */
  readonly steps: readonly StoredStep[];
};

/** A server that was checked for a dump, with everything that the dump of its parts needs. */
export type PreparedDump = {
  readonly report: PreflightReport;
  /**
   * Starts the dump tool of a part, followed by the observer and the steps, connected by the kernel. Each part may be
   * dumped once, one after another. The part is complete only when `stored` has ended and `ended` has `failure` null.
   */
  dump(part: PartSpec, context: DumpContext): Promise<RunningDump>;
  /** Idempotent. Returns when no process waits for a dump any more. A dump that has begun continues. */
  close(): Promise<void>;
};

export type DumpContext = EngineContext & {
  /**
   * The dump tool starts only when this has resolved. Everything else is prepared meanwhile. When it rejects, the tool
   * does not start, and `dump` throws the same error.
   */
  readonly mayStart?: Promise<unknown>;
};

export type RunningDump = {
  /**
   * The bytes to store. A chunk is valid only until the next one is requested, because all chunks may lie in the same
   * memory.
   */
  readonly stored: AsyncIterable<Uint8Array> & {
    /** Call it to stop reading. The tools then find their pipe closed. */
    destroy(): void;
  };
  /** The number of bytes read from the database so far; for progress only. */
  readBytes(): number;
  readonly ended: Promise<DumpEnd>;
  /** Absent: the engine cannot count while a dump runs, or the server has no free session. */
  readonly counting?: RowCounting;
};

export type DumpEnd = ToolEnd & {
  /** The number of bytes of the plain dump, counted outside JavaScript. */
  readonly sizeBytes: number;
  /**
   * The number of bytes that the last step reports as written. If a reader received another number, bytes were lost.
   */
  readonly storedSizeBytes: number;
  /** Every table or collection that the dump holds, counted in the stream. Absent: the engine does not count them. */
  readonly tables?: readonly DumpedTable[];
  /** The other objects that the dump defines. Absent: the engine does not search the dump for them. */
  readonly objects?: DumpedObjects;
  /** The longest statement of the dump, including definitions: the size that a target must accept at once. */
  readonly longestStatementBytes?: number;
  /** Warnings of the backup. */
  readonly warnings?: readonly string[];
  /**
   * Null: the dump is complete. Otherwise the error to fail with, for example EMPTY_DUMP, INCOMPLETE_DUMP or
   * TOOL_FAILED.
   */
  readonly failure: Error | null;
};

/** The content of a dump for one table. */
export type DumpedTable = TableName & {
  /** Null: the format of the tool's statements does not show the number. */
  readonly rows: number | null;
  /** The bytes of the statements that fill the table. */
  readonly sizeBytes: number;
  readonly longestStatementBytes: number;
};

export type DumpedObjects = {
  /** The kinds that were searched for, as in the inventory's `objects`. */
  readonly kinds: readonly string[];
  readonly found: readonly DumpedObject[];
  /** FOLDED: the dump may spell a name in another letter case than the inventory does. */
  readonly nameCase: 'DISTINCT' | 'FOLDED';
};

/** A view, a routine or another object that a dump defines. `kind` is the same as in the inventory's `objects`. */
export type DumpedObject = {
  readonly database: string;
  readonly kind: string;
  /** Null: the dump does not show the name, for example because it is in another character set. */
  readonly name: string | null;
};
