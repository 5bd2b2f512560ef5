import { connect, type Socket } from 'node:net';
import type { AnswerSink, Driver, DriverConnection, DriverError, Value } from './driver.js';
import { encodeFrame, readFrames } from './frames.js';
import { answerTooLong, maxRowBytes, type Reply, type Request } from './messages.js';

/**
 * The process that communicates with one server. It reads requests from standard input and writes answers to standard
 * output. Its first argument is the URL of the module of a driver. It ends when its standard input ends. A defect of
 * the client library ends it too, because only errors that the library reports are handled here.
 */

/** How many bytes of rows are collected for one reply. */
const batchBytes = 64 * 1024;
/** Added for each value, because short values cost the reader more time than their bytes. */
const valueBytes = 32;
/** The maximum length of an error of a client library, in characters. */
const maxTextLength = 4_096;
/** How often this checks whether a server sends an endless row. */
const checkEveryMs = 20;

/** A connection, from the first attempt to its end. */
type Line = {
  readonly socket: Socket;
  driver: DriverConnection | undefined;
  /** The requests that wait for an answer. */
  readonly waiting: Set<AnswerSink>;
  /** The number of bytes that had been read from the socket when the library last reported a row or an answer. */
  understoodBytes: number;
};

const { driver } = (await import(process.argv[2] ?? '')) as { readonly driver: Driver };
const lines = new Map<number, Line>();

process.stdin.on(
  'data',
  readFrames((value) => handle(value as Request), Number.MAX_SAFE_INTEGER),
);
process.stdin.once('end', () => process.exit(0));
process.stdout.on('error', () => process.exit(0));
process.stdout.on('drain', () => {
  for (const { driver: each } of lines.values()) each?.resume();
});
setInterval(refuseEndlessValues, checkEveryMs).unref();

function handle(request: Request): void {
  if (request.do === 'CLOSE') {
    close(request.line);
    return;
  }
  if (request.do === 'CONNECT') {
    open(request);
    return;
  }
  const line = lines.get(request.line);
  const sink = replies(request.id, line);
  if (line?.driver === undefined) {
    sink.fail(new Error('The connection is closed.'));
  } else if (request.do === 'LOG_IN') {
    line.driver.logIn(request.login, sink);
  } else {
    line.driver.ask(request.question, request.values, sink);
  }
}

function open({ id, line: number, address, port }: Extract<Request, { do: 'CONNECT' }>): void {
  const socket = connect({ host: address, port, noDelay: true, keepAlive: true });
  const line: Line = { socket, driver: undefined, waiting: new Set(), understoodBytes: 0 };
  lines.set(number, line);
  const sink = replies(id, line);
  socket.once('error', (error) => sink.fail(error));
  socket.once('connect', () => {
    line.driver = driver.converse(socket, (error) => lose(line, error));
    sink.done();
  });
}

function close(number: number): void {
  const line = lines.get(number);
  lines.delete(number);
  if (line !== undefined) breakOff(line, new Error('The connection is closed.'));
}

/** Ends the connection. When a client library closes, it may leave questions without an answer. */
function breakOff(line: Line, error: unknown): void {
  line.driver?.close();
  line.socket.destroy();
  lose(line, error);
}

function lose(line: Line, error: unknown): void {
  for (const sink of [...line.waiting]) sink.fail(error);
}

/** The sink of one request: collects its rows into replies, and pauses the server while the reader is slower. */
function replies(id: number, line: Line | undefined): AnswerSink {
  let rows: (readonly Value[])[] = [];
  let bytes = 0;
  let ended = false;
  const understood = () => {
    if (line !== undefined) line.understoodBytes = line.socket.bytesRead;
  };
  const send = (reply: Reply) => {
    if (!process.stdout.write(encodeFrame(reply))) line?.driver?.pause();
  };
  const flush = () => {
    if (rows.length > 0) send({ id, rows });
    rows = [];
    bytes = 0;
  };
  const end = (reply: Reply) => {
    if (ended) return;
    ended = true;
    understood();
    line?.waiting.delete(sink);
    flush();
    send(reply);
  };
  const sink: AnswerSink = {
    columns(names) {
      if (ended) return;
      understood();
      flush();
      send({ id, columns: names });
    },
    row(values) {
      if (ended) return;
      understood();
      rows.push(values);
      bytes += values.reduce((sum, value) => sum + (value?.length ?? 0) + valueBytes, 0);
      if (bytes >= batchBytes) flush();
    },
    done: () => end({ id, done: true }),
    fail(error) {
      const failed = described(error);
      end({ id, failed });
      // The server did not report this error. Its further bytes could be read as the answer to the next question.
      const isOfServer = failed.errno !== undefined && failed.errno > 0;
      if (!isOfServer && line !== undefined && !line.socket.destroyed) breakOff(line, error);
    },
  };
  understood();
  line?.waiting.add(sink);
  return sink;
}

function refuseEndlessValues(): void {
  for (const line of lines.values()) {
    if (line.socket.bytesRead - line.understoodBytes <= maxRowBytes) continue;
    breakOff(
      line,
      Object.assign(new Error(`the server sent more than ${maxRowBytes / 1024 / 1024} MiB without a complete row`), {
        code: answerTooLong,
      }),
    );
  }
}

/** Omits the statement and its values, which a client library adds to its errors. */
function described(error: unknown): DriverError {
  if (typeof error !== 'object' || error === null) return { message: String(error) };
  const text = (name: string) => {
    const value: unknown = Reflect.get(error, name);
    return typeof value === 'string' ? { [name]: value.slice(0, maxTextLength) } : {};
  };
  const errno: unknown = Reflect.get(error, 'errno');
  return {
    message: 'The client library reported no reason.',
    ...text('message'),
    ...text('code'),
    ...text('sqlState'),
    ...text('sqlMessage'),
    ...(typeof errno === 'number' ? { errno } : {}),
  };
}
