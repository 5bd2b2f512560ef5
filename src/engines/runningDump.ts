import type { EngineContext } from './engineContext.js';
import type { TableName } from './inventory.js';
import type { ToolEnd } from './process/runningTool.js';
import type { RowCounting } from './rowCounting.js';

export type DumpContext = EngineContext & {
  /**
   * All that the dump tool needs is made ready meanwhile; the tool itself starts only when this has resolved, and never
   * when it rejects: `dump` then throws what it rejected with.
   */
  readonly mayStart?: Promise<unknown>;
  /** Of `readyDump` with the same work folder; the dump takes it over. */
  readonly ready?: ReadyDump;
};

/** What a dump needs besides the dump tool: it runs, and waits for bytes. */
export type ReadyDump = {
  /** Returns when nothing of it runs any more; where a dump has taken it over that is the dump's, and it returns at once. */
  close(): Promise<void>;
};

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
