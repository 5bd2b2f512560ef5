import type { EngineContext } from './engineContext.js';
import type { TableName } from './inventory.js';
import type { StoredStep } from './pipeline/storedStep.js';
import type { PartSpec, PreflightReport } from './preflightReport.js';
import type { ToolEnd } from './process/toolEnd.js';
import type { RowCounting } from './rowCounting.js';

export type PrepareDumpContext = EngineContext & {
  /** What each part passes before it is stored, in this order. */
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
  /** Idempotent. Returns when no process waits for a dump any more; a dump that has begun goes on. */
  close(): Promise<void>;
};

export type DumpContext = EngineContext & {
  /**
   * The dump tool starts only when this has resolved; everything else is prepared meanwhile. When it rejects, the tool
   * does not start, and `dump` throws the same error.
   */
  readonly mayStart?: Promise<unknown>;
};

export type RunningDump = {
  /** What is to be stored. A chunk is valid until the next one is asked for: all may lie in the same memory. */
  readonly stored: AsyncIterable<Uint8Array> & {
    /** Nobody reads on: the tools find their pipe closed. */
    destroy(): void;
  };
  /** Bytes read from the database so far; for progress only. */
  readBytes(): number;
  readonly ended: Promise<DumpEnd>;
  /** Absent: the engine cannot count beside its dump, or the server has no room for one more session. */
  readonly counting?: RowCounting;
};

export type DumpEnd = ToolEnd & {
  /** Bytes of the plain dump, counted outside JavaScript. */
  readonly sizeBytes: number;
  /** Bytes that the last step reports it wrote: a reader that received another number has lost some. */
  readonly storedSizeBytes: number;
  /** Every table or collection that the dump holds, counted in the stream. Absent: the engine does not count them. */
  readonly tables?: readonly DumpedTable[];
  /** What else the dump defines. Absent: the engine does not search the dump for it. */
  readonly objects?: DumpedObjects;
  /** Of all statements of the dump, those that define something included: what a target must accept at once. */
  readonly longestStatementBytes?: number;
  /** For the warnings of the backup. */
  readonly warnings?: readonly string[];
  /** Null: complete. Otherwise the error to fail with, for example EMPTY_DUMP, INCOMPLETE_DUMP or TOOL_FAILED. */
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

export type DumpedObjects = {
  /** The kinds that were searched for, as in the inventory's `objects`. */
  readonly kinds: readonly string[];
  readonly found: readonly DumpedObject[];
  /** FOLDED: the dump may spell a name in another letter case than the inventory. */
  readonly nameCase: 'DISTINCT' | 'FOLDED';
};

/** A view, a routine or the like that a dump defines, `kind` as in the inventory's `objects`. */
export type DumpedObject = {
  readonly database: string;
  readonly kind: string;
  /** Null: the dump does not show it, for example because it is in another character set. */
  readonly name: string | null;
};
