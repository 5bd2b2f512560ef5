import { isError } from '../../isError.js';
import { outsideText } from '../../outsideText.js';
import type { DriverError, Value } from './driver.js';
import { answerTooLong, tooSlow, type Reply } from './messages.js';

export type Row = Readonly<Record<string, Value>>;

/** What one question may cost. */
export type AnswerLimits = {
  readonly signal: AbortSignal;
  /** For the whole answer. */
  readonly timeoutMs: number;
  /** Of the whole answer, about as it is in memory. */
  readonly maxBytes: number;
  /** Takes the rows as they come, some hundreds at a time, in place of the result. */
  readonly onRows?: (rows: readonly Row[]) => void;
};

/** Of a server's sentence. */
const mostChars = 1_000;

/** The reason why there is no answer, with what the client library reported about it. */
export class ConversationError extends Error implements DriverError {
  readonly code?: string;
  readonly errno?: number;
  readonly sqlState?: string;
  readonly sqlMessage?: string;

  constructor({ message, ...facts }: DriverError) {
    super(outsideText(message, mostChars));
    this.name = 'ConversationError';
    if (facts.code !== undefined) this.code = outsideText(facts.code, 64);
    if (facts.errno !== undefined) this.errno = facts.errno;
    if (facts.sqlState !== undefined) this.sqlState = outsideText(facts.sqlState, 8);
    if (facts.sqlMessage !== undefined) this.sqlMessage = outsideText(facts.sqlMessage, mostChars);
  }
}

/** The answer to one request, while it comes. */
export type Answer = {
  /** Rejects with a ConversationError, or with the reason of the signal. */
  readonly rows: Promise<readonly Row[]>;
  /** Takes a reply, whose text had so many bytes. */
  readonly take: (reply: Reply, bytes: number) => void;
  readonly fail: (error: DriverError) => void;
};

/** What a row, and what a value, takes in memory beside its text, about. */
const rowBytes = 64;
const valueBytes = 16;

/**
 * Collects an answer within its limits. `onBroken` is called when a limit is broken: nobody waits for the rest any more.
 * `onEnd` is called once in any case.
 */
export function collectAnswer(limits: AnswerLimits, onBroken: () => void, onEnd: () => void): Answer {
  const { signal, timeoutMs, maxBytes, onRows } = limits;
  const { promise, resolve, reject } = promiseOfRows();
  const rows: Row[] = [];
  let columns: readonly string[] = [];
  let size = 0;

  const settle = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    onEnd();
  };
  const failWith = (error: Error) => {
    settle();
    reject(error);
  };
  const breakOff = (error: Error) => {
    onBroken();
    failWith(error);
  };
  const onAbort = () => breakOff(isError(signal.reason) ? signal.reason : new Error(String(signal.reason)));
  const onTimeout = () =>
    breakOff(new ConversationError({ message: `no answer within ${timeoutMs / 1000} s`, code: tooSlow }));
  const timer = setTimeout(onTimeout, timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();

  const takeRows = (values: readonly (readonly Value[])[]) => {
    const made = values.map((each) => rowOf(columns, each));
    if (onRows === undefined) rows.push(...made);
    else onRows(made);
  };
  return {
    rows: promise,
    fail: (error) => failWith(new ConversationError(error)),
    take(reply, bytes) {
      size += bytes + rowBytes;
      if ('rows' in reply) size += reply.rows.length * (rowBytes + columns.length * valueBytes);
      if (size > maxBytes) {
        const message = `more than ${Math.ceil(maxBytes / 1024 / 1024)} MiB came in answer to one question`;
        breakOff(new ConversationError({ message, code: answerTooLong }));
      } else if ('columns' in reply) {
        ({ columns } = reply);
      } else if ('rows' in reply) {
        try {
          takeRows(reply.rows);
        } catch (error) {
          // A defect of the code that takes the rows, and no fault of the server.
          breakOff(isError(error) ? error : new Error(String(error)));
        }
      } else if ('failed' in reply) {
        failWith(new ConversationError(reply.failed));
      } else {
        settle();
        resolve(rows);
      }
    },
  };
}

/** A column may have any name, also that of a property of every object. */
function rowOf(columns: readonly string[], values: readonly Value[]): Row {
  return Object.fromEntries(columns.map((name, place) => [name, values[place] ?? null]));
}

function promiseOfRows() {
  let resolve: (rows: readonly Row[]) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<readonly Row[]>((onDone, onFailure) => {
    resolve = onDone;
    reject = onFailure;
  });
  return { promise, resolve, reject };
}
