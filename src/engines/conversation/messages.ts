import type { DriverError, Json, Value } from './driver.js';

/** From Stowage to the process that talks to a server. Lines (connections) and requests are numbered by the sender. */
export type Request =
  | {
      readonly do: 'CONNECT';
      readonly id: number;
      readonly line: number;
      readonly address: string;
      readonly port: number;
    }
  | { readonly do: 'LOG_IN'; readonly id: number; readonly line: number; readonly login: Json }
  | {
      readonly do: 'ASK';
      readonly id: number;
      readonly line: number;
      readonly question: string;
      readonly values: readonly Json[];
    }
  | { readonly do: 'CLOSE'; readonly line: number };

/** The answer to a request. `DONE` or `FAILED` ends it. */
export type Reply =
  | { readonly id: number; readonly columns: readonly string[] }
  | { readonly id: number; readonly rows: readonly (readonly Value[])[] }
  | { readonly id: number; readonly done: true }
  | { readonly id: number; readonly failed: DriverError };

/** A row of a larger size ends its connection, and so does anything else of this size that is no row. */
export const maxRowBytes = 48 * 1024 * 1024;

/** JSON may write one byte as six (`\u0001`). */
export const maxReplyBytes = 6 * maxRowBytes + 1024 * 1024;

/** The code of a failure where a server sends more than it was asked for. */
export const answerTooLong = 'ANSWER_TOO_LONG';
/** The code of a failure where the answer took too long. */
export const tooSlow = 'ETIMEDOUT';
/** The code of a failure where the process ended before the answer. */
export const processEnded = 'CONVERSATION_ENDED';
