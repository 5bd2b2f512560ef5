import { StowageError } from '../../../errors.js';
import type { Line, LineLimits } from '../../conversation/conversation.js';
import type { Conversations } from '../../conversation/conversations.js';
import { ConversationError, type Row } from '../../conversation/answer.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { connectToServer, resolveServer, type AllowAddress, type ServerAddress } from '../../network/serverAddress.js';
import { isError } from '../../../isError.js';
import type { QuestionLimits, ServerDialect, Session } from './serverDialect.js';
import type { FamilyLogin } from './familyDriver.js';
import { outsideText } from '../../../outsideText.js';
import { unlessAborted } from '../../../unlessAborted.js';
import { refuseUnverifiableHost, tlsOptions } from '../../network/tls.js';
import { asServiceError } from '../errors/serverErrors.js';
import { asServerFailure } from '../errors/serverFailure.js';
import { ownSessionStatement, type FoundSettings } from './serverSettings.js';

export type { QuestionLimits, Row, Session };

export type SessionOptions = Pick<LineLimits, 'mostAnswerBytes'> & {
  readonly conversations: Conversations;
  readonly dialect: ServerDialect;
  readonly signal: AbortSignal;
  readonly allowAddress: AllowAddress;
  /** Called for each answer of the server. */
  readonly onAnswer?: () => void;
  /** The time limit for connecting and logging in. Default 10 s. */
  readonly connectTimeoutMs?: number;
};

const defaultConnectTimeoutMs = 10_000;
const queryTimeoutMs = 120_000;
const defaultAnswerBytes = 64 * 1024 * 1024;
const loginAnswerBytes = 64 * 1024;

/** The caller closes the session. Throws SERVICE_UNREACHABLE, SERVICE_AUTH or the signal's reason. */
export async function openSession(connection: ServiceConnection, options: SessionOptions): Promise<Session> {
  const { signal } = options;
  signal.throwIfAborted();
  // The name look-up cannot be aborted.
  const addresses = await unlessAborted(signal, () => resolveServer(connection.host, options.allowAddress));
  return openSessionAt(connection, addresses, options);
}

/** Like `openSession`. Connects to the first of these addresses that answers. */
export async function openSessionAt(
  connection: ServiceConnection,
  addresses: readonly ServerAddress[],
  options: Omit<SessionOptions, 'allowAddress'>,
): Promise<Session> {
  const timeoutMs = options.connectTimeoutMs ?? defaultConnectTimeoutMs;
  const limits = { ...options, timeoutMs };
  const { server, line } = await connectToServer(connection, addresses, options.signal, (each) =>
    connectLine(connection, each, limits),
  );
  return logIn(connection, server, line, limits);
}

/** Connects to one address without logging in. */
export function connectLine(
  connection: ServiceConnection,
  { address }: ServerAddress,
  { conversations, ...limits }: Pick<SessionOptions, 'conversations'> & LineLimits,
): Promise<Line> {
  const { host, port, username } = connection;
  return conversations.connect(JSON.stringify([host, address, port, username]), address, port, limits);
}

/** Logs in over an open connection, and owns the connection from then on. */
export async function logIn(
  connection: ServiceConnection,
  server: ServerAddress,
  line: Line,
  options: Pick<SessionOptions, 'signal' | 'onAnswer' | 'dialect'> & { readonly timeoutMs: number },
): Promise<Session> {
  const { signal, onAnswer, dialect } = options;
  const close = () => {
    signal.removeEventListener('abort', close);
    line.close();
  };
  signal.addEventListener('abort', close, { once: true });
  const query: Session['query'] = async (sql, values = [], limits = {}) => {
    const all = { signal, timeoutMs: queryTimeoutMs, maxBytes: defaultAnswerBytes, ...limits };
    const rows = await line.ask(sql, values, all).catch((error: unknown) => {
      throw asSessionError(connection, options, error);
    });
    onAnswer?.();
    return rows;
  };
  try {
    refuseUnverifiableHost(connection);
    const limits = { signal, timeoutMs: options.timeoutMs, maxBytes: loginAnswerBytes };
    await line.logIn(loginOf(connection), limits).catch((error: unknown) => {
      throw asSessionError(connection, options, error);
    });
    return { server, found: await makeIndependent(connection, dialect, query), dialect, query, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** The signal's own reason, and a defect of Stowage, are returned unchanged. */
function asSessionError(
  connection: ServiceConnection,
  { signal, dialect }: Pick<SessionOptions, 'signal' | 'dialect'>,
  error: unknown,
): unknown {
  if (signal.aborted || !(error instanceof ConversationError)) return error;
  return asServiceError(connection, asServerFailure(error), dialect.product);
}

/**
 * Sets every variable that an answer may depend on, and undoes the effects of `init_connect`. Returns the settings
 * before.
 */
async function makeIndependent(
  connection: ServiceConnection,
  dialect: ServerDialect,
  query: Session['query'],
): Promise<FoundSettings> {
  const askVersion = async () => shortText((await query('SELECT VERSION() AS version'))[0]?.['version']);
  const found = await dialect.findSettings(query).catch(async (error: unknown) => {
    // 1109, 1142 and 1146: the server has no such list of variables, so it is too old, or is another product.
    if ([1109, 1142, 1146].includes(serverErrorNumber(error) ?? 0)) {
      await dialect.refuseUnsupportedServer(connection, askVersion, new Map());
    }
    throw error;
  });
  await dialect.refuseUnsupportedServer(connection, askVersion, found);
  await query(ownSessionStatement(dialect.settings, found));
  if ((found.get('init_connect')?.value ?? '') !== '') {
    await query('ROLLBACK');
    await query('UNLOCK TABLES');
  }
  return found;
}

/** Opens a session for `work`, and always closes it. */
export async function withSession<T>(
  connection: ServiceConnection,
  options: SessionOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(connection, options);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

/** A version or a name that a server reports about itself, shortened so that it can be stored and shown. */
export function shortText(value: string | null | undefined): string {
  return outsideText(value ?? '', 128);
}

/** The server's own number of an error that `query` threw, for example 1356 for a broken view. */
export function serverErrorNumber(error: unknown): number | undefined {
  const cause: unknown = error instanceof StowageError ? error.cause : error;
  if (isError(cause) && 'errno' in cause && typeof cause.errno === 'number' && cause.errno > 0) return cause.errno;
  return undefined;
}

/** The login in the form that `familyDriver.ts` expects. */
function loginOf(connection: ServiceConnection): FamilyLogin {
  const tls = tlsOptions(connection);
  return {
    host: connection.host,
    user: connection.username ?? '',
    password: connection.password?.reveal() ?? '',
    tls: tls === undefined ? null : { verify: tls.rejectUnauthorized, ca: tls.ca ?? null },
  };
}
