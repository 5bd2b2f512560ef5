import { isError } from '../../isError.js';
import { outsideText } from '../../outsideText.js';
import type { DriverError, Value } from './driver.js';
import { answerTooLong, tooSlow, type Reply } from './messages.js';

export type Row = Readonly<Record<string, Value>>;

/** The limits for the answer to one question. */
export type AnswerLimits = {
  readonly signal: AbortSignal;
  /** The time limit for the whole answer. */
  readonly timeoutMs: number;
  /** The approximate memory limit for the whole answer. */
  readonly maxBytes: number;
  /** Receives the rows in batches of some hundred rows. The result is then empty. */
  readonly onRows?: (rows: readonly Row[]) => void;
};

/** The maximum length of a server's sentence. */
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

/** The answer to one request, while it is being received. */
export type Answer = {
  /** Rejects with a ConversationError, or with the reason of the signal. */
  readonly rows: Promise<readonly Row[]>;
  /** Adds a reply, whose text had this many bytes. */
  readonly take: (reply: Reply, bytes: number) => void;
  readonly fail: (error: DriverError) => void;
};

/** The approximate memory of a row and of a value, in addition to its text. */
const rowBytes = 64;
const valueBytes = 16;

/**
 * Collects an answer within its limits. `onBroken` is called if the answer exceeds a limit, because its rest is then
 * ignored. `onEnd` is always called once.
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
        const message = `the answer to one question has more than ${Math.ceil(maxBytes / 1024 / 1024)} MiB`;
        breakOff(new ConversationError({ message, code: answerTooLong }));
      } else if ('columns' in reply) {
        ({ columns } = reply);
      } else if ('rows' in reply) {
        try {
          takeRows(reply.rows);
        } catch (error) {
          // This is a defect of the code that receives the rows, and not a fault of the server.
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

/** A column may be named like a property that every object has. */
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
