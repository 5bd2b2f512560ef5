import { StowageError } from '../../../errors.js';
import { isError } from '../../../isError.js';
import { outsideText } from '../../../outsideText.js';
import { unlessAborted } from '../../../unlessAborted.js';
import { ConversationError, type Row } from '../../conversation/answer.js';
import type { Line, LineLimits } from '../../conversation/conversation.js';
import type { Conversations } from '../../conversation/conversations.js';
import { connectToServer, resolveServer, type AllowAddress, type ServerAddress } from '../../network/serverAddress.js';
import { refuseUnverifiableHost, tlsOptions } from '../../network/tls.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { asServiceError } from '../errors/serverErrors.js';
import type { MongodbLogin, MongodbQuestion } from './mongodbDriver.js';
import type { QuestionLimits, Reply, RunCommand } from './reply.js';
import { readServer, type MongodbServer } from './server.js';

/** One login of ours at one member. The data of a dump never passes through it. */
export type Session = {
  /** The host and port of this member, out of the hosts of the service. */
  readonly member: ServiceConnection;
  /** The address that answered. A tool gets this address, so that it cannot connect to another server. */
  readonly address: ServerAddress;
  readonly server: MongodbServer;
  /** Throws an error of the server as a StowageError; `serverErrorNumber` returns its number. */
  readonly command: RunCommand;
  /** The same, with the answer in canonical Extended JSON, for values that are stored. */
  readonly exactCommand: RunCommand;
  ask(question: MongodbQuestion, values: readonly string[], limits?: QuestionLimits): Promise<readonly Row[]>;
  close(): void;
};

export type SessionOptions = Pick<LineLimits, 'mostAnswerBytes'> & {
  readonly conversations: Conversations;
  readonly signal: AbortSignal;
  readonly allowAddress: AllowAddress;
  /** Called for each answer of the server. */
  readonly onAnswer?: () => void;
  /** The time limit for connecting and logging in. Default 10 s. */
  readonly connectTimeoutMs?: number;
};

/** The module that implements MongoDB's protocol, for `createConversations`. */
export const mongodbDriver = new URL('./mongodbDriver.js', import.meta.url);

export const defaultConnectTimeoutMs = 10_000;
const answerMs = 120_000;
const answerBytes = 64 * 1024 * 1024;
const loginAnswerBytes = 64 * 1024;

/** Connects to one member. The caller closes the session. Throws SERVICE_UNREACHABLE, SERVICE_AUTH or TOOL_VERSION. */
export async function openMember(member: ServiceConnection, options: SessionOptions): Promise<Session> {
  const { signal } = options;
  signal.throwIfAborted();
  // The name look-up cannot be aborted.
  const addresses = await unlessAborted(signal, () => resolveServer(member.host, options.allowAddress));
  const timeoutMs = options.connectTimeoutMs ?? defaultConnectTimeoutMs;
  const { server, line } = await connectToServer(member, addresses, signal, (each) =>
    connectLine(member, each, { ...options, timeoutMs }),
  );
  return logIn(member, server, line, { ...options, timeoutMs });
}

/** Connects to one address without logging in. */
export function connectLine(
  { host, port, username }: ServiceConnection,
  { address }: ServerAddress,
  { conversations, ...limits }: Pick<SessionOptions, 'conversations'> & LineLimits,
): Promise<Line> {
  return conversations.connect(JSON.stringify([host, address, port, username]), address, port, limits);
}

/** Logs in over an open connection, and owns the connection from then on. */
export async function logIn(
  member: ServiceConnection,
  address: ServerAddress,
  line: Line,
  options: Pick<SessionOptions, 'signal' | 'onAnswer'> & { readonly timeoutMs: number },
): Promise<Session> {
  const { signal, onAnswer, timeoutMs } = options;
  const close = () => {
    signal.removeEventListener('abort', close);
    line.close();
  };
  signal.addEventListener('abort', close, { once: true });
  const asSessionError = (error: unknown) =>
    signal.aborted || !(error instanceof ConversationError) ? error : asServiceError(member, error);
  const ask: Session['ask'] = async (question, values, limits = {}) => {
    const all = { signal, timeoutMs: answerMs, maxBytes: answerBytes, ...limits };
    const rows = await line.ask(question, values, all).catch((error: unknown) => {
      throw asSessionError(error);
    });
    onAnswer?.();
    return rows;
  };
  const commandWith =
    (question: 'COMMAND' | 'EXACT_COMMAND'): RunCommand =>
    async (database, wanted, questionLimits) => {
      const [row] = await ask(question, [database, JSON.stringify(wanted)], questionLimits);
      return JSON.parse(row?.['json'] ?? '{}') as Reply;
    };
  const [command, exactCommand] = [commandWith('COMMAND'), commandWith('EXACT_COMMAND')];
  try {
    refuseUnverifiableHost(member);
    await line
      .logIn(loginOf(member, address, timeoutMs), { signal, timeoutMs, maxBytes: loginAnswerBytes })
      .catch((error: unknown) => {
        throw asSessionError(error);
      });
    return { member, address, server: await readServer(member, command), command, exactCommand, ask, close };
  } catch (error) {
    close();
    throw error;
  }
}

function loginOf(connection: ServiceConnection, { address }: ServerAddress, timeoutMs: number): MongodbLogin {
  const tls = tlsOptions(connection);
  return {
    ...{
      host: tls?.rejectUnauthorized === true ? connection.host : address,
      port: connection.port,
      address,
      timeoutMs,
    },
    ...{ user: connection.username, password: connection.password?.reveal() ?? '', authSource: connection.authSource },
    tls: tls === undefined ? null : { verify: tls.rejectUnauthorized, ca: tls.ca ?? null },
  };
}

/** A version or a name that a server reports about itself, shortened so that it can be stored and shown. */
export function shortText(value: unknown): string {
  return outsideText(typeof value === 'string' ? value : '', 128);
}

/** The server's own number of an error that a session threw, for example 59 for an unknown command. */
export function serverErrorNumber(error: unknown): number | undefined {
  const cause: unknown = error instanceof StowageError ? error.cause : error;
  if (isError(cause) && 'errno' in cause && typeof cause.errno === 'number' && cause.errno > 0) return cause.errno;
  return undefined;
}
