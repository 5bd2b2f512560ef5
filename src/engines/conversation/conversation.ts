import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { plainOutput, type OutputFilter } from '../process/outputFilter.js';
import { startTool, type ToolCommand } from '../process/startTool.js';
import type { ToolEnd } from '../process/toolEnd.js';
import type { Tools } from '../process/tools.js';
import { collectAnswer, type Answer, type AnswerLimits, type Row } from './answer.js';
import { compiledModule } from './compiledModule.js';
import type { Json } from './driver.js';
import { encodeFrame, readFrames } from './frames.js';
import { asReply, maxReplyBytes, processEnded, type Request } from './messages.js';

/** A connection to a server. Its methods throw a `ConversationError`, or the signal's reason. */
export type Line = {
  logIn(login: Json, limits: Omit<AnswerLimits, 'onRows'>): Promise<void>;
  /**
   * Returns rows with every value as text, or no rows if the limits have `onRows`. An answer that exceeds a limit
   * closes the line.
   */
  ask(question: string, values: readonly Json[], limits: AnswerLimits): Promise<readonly Row[]>;
  close(): void;
};

/** The limits for connecting, and for everything that is asked over the line. */
export type LineLimits = Pick<AnswerLimits, 'signal' | 'timeoutMs'> & {
  /** A ceiling for `maxBytes` of every question. Undefined: there is none. */
  readonly mostAnswerBytes?: number;
};

/**
 * The ceiling for a check. Unlike a job, it runs in the API, where its answers must not delay other clients. They hold
 * the definitions of some ten thousand views.
 */
export const checkAnswerBytes = 32 * 1024 * 1024;

/** A process that communicates with one server. */
export type Conversation = {
  connect(address: string, port: number, limits: LineLimits): Promise<Line>;
  /** The number of open lines. */
  lines(): number;
  hasEnded(): boolean;
  /** Ends the process. Resolves when it has ended. */
  end(): Promise<void>;
};

/** The memory limit of the process, without its program text. Node itself takes about 60 MiB of it. */
const maxDataBytes = 512 * 1024 * 1024;
const maxHeapMiB = 192;
const maxOpenFiles = 256;
const maxConnectAnswerBytes = 64 * 1024;

/**
 * Starts a process for the driver in the module `driver`, with its own limits of memory and descriptors. `onIdle` is
 * called each time its last open line was closed.
 */
export function startConversation(driver: URL, tools: Tools, onIdle: () => void): Conversation {
  const channel = openChannel(driver, tools);
  // An idle process ends with this one.
  channel.keepsAlive(false);
  const open = new Set<number>();
  let lastLine = 0;
  return {
    lines: () => open.size,
    hasEnded: channel.hasEnded,
    end: channel.end,
    async connect(address, port, { mostAnswerBytes = Infinity, ...limits }) {
      const line = (lastLine += 1);
      open.add(line);
      channel.keepsAlive(true);
      const close = () => {
        if (!open.delete(line)) return;
        channel.send({ do: 'CLOSE', line });
        if (open.size > 0) return;
        channel.keepsAlive(false);
        onIdle();
      };
      const ask = (request: Asking, askLimits: AnswerLimits) => channel.ask({ ...request, line }, askLimits, close);
      try {
        await ask({ do: 'CONNECT', address, port }, { maxBytes: maxConnectAnswerBytes, ...limits });
      } catch (error) {
        close();
        throw error;
      }
      return {
        logIn: async (login, loginLimits) => {
          await ask({ do: 'LOG_IN', login }, loginLimits);
        },
        ask: (question, values, { maxBytes, ...askLimits }) =>
          ask({ do: 'ASK', question, values }, { ...askLimits, maxBytes: Math.min(maxBytes, mostAnswerBytes) }),
        close,
      };
    },
  };
}

/** A request without the numbers of its line and of itself. */
type Asking = Without<Exclude<Request, { do: 'CLOSE' }>, 'id' | 'line'>;
type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never;

/** The process, and the requests to it that wait for an answer. */
type Channel = {
  send(request: Request): void;
  ask(request: Asking & { readonly line: number }, limits: AnswerLimits, onBroken: () => void): Answer['rows'];
  readonly hasEnded: () => boolean;
  readonly keepsAlive: (wanted: boolean) => void;
  readonly end: () => Promise<void>;
};

function openChannel(driver: URL, tools: Tools): Channel {
  const ending = new AbortController();
  const started = startTool(
    { ...command(driver), stdin: 'pipe', stdout: 'pipe', filter: plainOutput() },
    tools,
    ending.signal,
  );
  const waiting = new Map<number, Answer>();
  const lost = { message: 'the process that communicates with it has ended', code: processEnded };
  let hasEnded = false;
  let lastId = 0;
  const read = readFrames((value, bytes) => {
    const reply = asReply(value);
    waiting.get(reply.id)?.take(reply, bytes);
  }, maxReplyBytes);
  inTurns(started.stdout, (chunk) => {
    try {
      read(chunk);
    } catch {
      // A process whose answers have the wrong form may have been taken over by its server.
      ending.abort();
    }
  });
  void started.ended.then(() => {
    hasEnded = true;
    for (const answer of [...waiting.values()]) answer.fail(lost);
  });
  const send = (request: Request) => {
    if (!hasEnded) started.stdin?.write(encodeFrame(request));
  };
  return {
    send,
    ask(request, limits, onBroken) {
      const id = (lastId += 1);
      const answer = collectAnswer(limits, onBroken, () => waiting.delete(id));
      if (limits.signal.aborted) return answer.rows;
      waiting.set(id, answer);
      if (hasEnded) answer.fail(lost);
      else send({ ...request, id });
      return answer.rows;
    },
    hasEnded: () => hasEnded,
    keepsAlive: started.keepsAlive,
    end: async () => {
      started.keepsAlive(true);
      ending.abort();
      await started.ended;
    },
  };
}

/**
 * Calls `take` with each chunk, and lets everything else that waits in this process run between two of them. Without
 * the pause, the event loop would read as many chunks in one turn as a fast server fills.
 */
function inTurns(stream: Readable | null, take: (chunk: Buffer) => void): void {
  stream?.on('data', (chunk: Buffer) => {
    take(chunk);
    stream.pause();
    setImmediate(() => stream.resume());
  });
}

function command(driver: URL): Pick<ToolCommand, 'program' | 'args' | 'limits'> {
  const [program, script] = conversationFiles(driver);
  return {
    program,
    args: [`--max-old-space-size=${maxHeapMiB}`, script, compiledModule(driver)],
    limits: { dataBytes: maxDataBytes, openFiles: maxOpenFiles },
  };
}

/** The files that the process needs, in addition to the modules that they import. */
export function conversationFiles(driver: URL): readonly [node: string, script: string, driver: string] {
  const script = compiledModule(new URL('./conversationProcess.js', import.meta.url));
  return [process.execPath, fileURLToPath(script), fileURLToPath(compiledModule(driver))];
}

/** Runs the process without a request. It ends with exit code 0 if it could load everything. */
export function tryConversation(
  driver: URL,
  tools: Tools,
  filter: OutputFilter,
  signal: AbortSignal,
): Promise<ToolEnd> {
  return startTool({ ...command(driver), stdin: 'none', stdout: 'none', filter }, tools, signal).ended;
}
