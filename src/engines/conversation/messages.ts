import type { DriverError, Json, Value } from './driver.js';

/**
 * A message from Stowage to the process that communicates with a server. The sender numbers lines (connections) and
 * requests.
 */
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

/**
 * Checks that the value is a reply. A process that was taken over by its server may send anything. Throws a TypeError.
 * After that, ignore everything that the process sends.
 */
export function asReply(value: unknown): Reply {
  if (!isRecord(value) || typeof value['id'] !== 'number') throw new TypeError('A reply has no id.');
  const { columns, rows, failed } = value;
  const hasOneAnswer = Object.keys(value).length === 2;
  const isAnswer =
    (isTexts(columns) && columns.every((name) => name !== null)) ||
    (Array.isArray(rows) && rows.every(isTexts)) ||
    (isRecord(failed) && isDriverError(failed)) ||
    value['done'] === true;
  if (!hasOneAnswer || !isAnswer) throw new TypeError('A reply has an unknown form.');
  return value as Reply;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is readonly Value[] {
  return Array.isArray(value) && value.every((each) => each === null || typeof each === 'string');
}

function isDriverError({ message, code, errno, sqlState, sqlMessage }: Readonly<Record<string, unknown>>): boolean {
  const texts = [code, sqlState, sqlMessage].every((each) => each === undefined || typeof each === 'string');
  return typeof message === 'string' && texts && (errno === undefined || typeof errno === 'number');
}

/** A larger row ends its connection. Other data of this size without a complete row ends it too. */
export const maxRowBytes = 48 * 1024 * 1024;

/** JSON may write one byte as six (`\u0001`). */
export const maxReplyBytes = 6 * maxRowBytes + 1024 * 1024;

/** The code of a failure if a server sends more data than the limit. */
export const answerTooLong = 'ANSWER_TOO_LONG';
/** The code of a failure if the answer took too long. */
export const tooSlow = 'ETIMEDOUT';
/** The code of a failure if the process ended before the answer. */
export const processEnded = 'CONVERSATION_ENDED';
