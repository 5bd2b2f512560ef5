import { StowageError } from '../../../errors.js';
import type { Line } from '../../conversation/conversation.js';
import type { Conversations } from '../../conversation/conversations.js';
import { ConversationError, type Row } from '../../conversation/answer.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { connectToServer, resolveServer, type AllowAddress, type ServerAddress } from '../../network/serverAddress.js';
import { isError } from '../../../isError.js';
import type { MariadbLogin } from '../../mariadb/mariadbDriver.js';
import { outsideText } from '../../../outsideText.js';
import { unlessAborted } from '../../../unlessAborted.js';
import { refuseUnverifiableHost, tlsOptions } from '../../network/tls.js';
import { asServiceError } from '../errors/serverErrors.js';
import { asServerFailure } from '../errors/serverFailure.js';
import { foundSettingsQuery, ownSessionStatement, readFoundSettings, type FoundSettings } from './serverSettings.js';
import { refuseUnsupportedServer } from '../../mariadb/supportedServers.js';

export type { Row };

/** One connection of ours to a server, for queries. The data of a dump never passes through it. */
export type Session = {
  /** The address that answered. A tool gets this address, so that it cannot connect to another server. */
  readonly server: ServerAddress;
  /**
   * The settings after the login, before the session sets anything. A tool with the same account starts with these
   * settings.
   */
  readonly found: FoundSettings;
  /**
   * `?` in the statement stands for a value. All rows of a compound statement are returned as one list. Throws an error
   * of the server as a StowageError (see `isServerError`).
   */
  query(
    sql: string,
    values?: readonly (string | number | readonly string[])[],
    options?: QuestionLimits,
  ): Promise<readonly Row[]>;
  close(): void;
};

export type QuestionLimits = {
  /** The time limit for an answer. After it the session is closed. Default 120 s. */
  readonly timeoutMs?: number;
  /** The memory limit for an answer. A larger answer closes the session. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Receives the rows of a long answer in batches of some hundred rows. The result is then empty. */
  readonly onRows?: (rows: readonly Row[]) => void;
};

export type SessionOptions = {
  readonly conversations: Conversations;
  readonly signal: AbortSignal;
  readonly allowAddress: AllowAddress;
  /** Called for each answer of the server. */
  readonly onAnswer?: () => void;
  /** The time limit for connecting and logging in. Default 10 s. */
  readonly connectTimeoutMs?: number;
};

/** The module that implements MariaDB's protocol, for `createConversations`. */
export const mariadbDriver = new URL('../../mariadb/mariadbDriver.js', import.meta.url);

const defaultConnectTimeoutMs = 10_000;
const queryTimeoutMs = 120_000;
const defaultAnswerBytes = 64 * 1024 * 1024;
const settingsAnswerBytes = 1024 * 1024;
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
  { conversations, ...limits }: Pick<SessionOptions, 'conversations' | 'signal'> & { readonly timeoutMs: number },
): Promise<Line> {
  const { host, port, username } = connection;
  return conversations.connect(JSON.stringify([host, address, port, username]), address, port, limits);
}

/** Logs in over an open connection, and owns the connection from then on. */
export async function logIn(
  connection: ServiceConnection,
  server: ServerAddress,
  line: Line,
  options: Pick<SessionOptions, 'signal' | 'onAnswer'> & { readonly timeoutMs: number },
): Promise<Session> {
  const { signal, onAnswer } = options;
  const close = () => {
    signal.removeEventListener('abort', close);
    line.close();
  };
  signal.addEventListener('abort', close, { once: true });
  const query: Session['query'] = async (sql, values = [], limits = {}) => {
    const all = { signal, timeoutMs: queryTimeoutMs, maxBytes: defaultAnswerBytes, ...limits };
    const rows = await line.ask(sql, values, all).catch((error: unknown) => {
      throw asSessionError(connection, signal, error);
    });
    onAnswer?.();
    return rows;
  };
  try {
    refuseUnverifiableHost(connection);
    const limits = { signal, timeoutMs: options.timeoutMs, maxBytes: loginAnswerBytes };
    await line.logIn(loginOf(connection), limits).catch((error: unknown) => {
      throw asSessionError(connection, signal, error);
    });
    return { server, found: await makeIndependent(connection, query), query, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** The signal's own reason, and a defect of Stowage, are returned unchanged. */
function asSessionError(connection: ServiceConnection, signal: AbortSignal, error: unknown): unknown {
  if (signal.aborted || !(error instanceof ConversationError)) return error;
  return asServiceError(connection, asServerFailure(error));
}

/**
 * Sets every variable that an answer may depend on, and undoes the effects of `init_connect`. Returns the settings
 * before.
 */
async function makeIndependent(connection: ServiceConnection, query: Session['query']): Promise<FoundSettings> {
  const askVersion = async () => shortText((await query('SELECT VERSION() AS version'))[0]?.['version']);
  const found = await findSettings(query).catch(async (error: unknown) => {
    // 1109: the server has no list of variables like MariaDB's, so it is too old, or is not MariaDB.
    if (serverErrorNumber(error) === 1109) await refuseUnsupportedServer(connection, askVersion, new Map());
    throw error;
  });
  await refuseUnsupportedServer(connection, askVersion, found);
  await query(ownSessionStatement(found));
  if ((found.get('init_connect')?.value ?? '') !== '') {
    await query('ROLLBACK');
    await query('UNLOCK TABLES');
  }
  return found;
}

/** The first query runs with the server's own settings, so a setting may make it fail. */
async function findSettings(query: Session['query']): Promise<FoundSettings> {
  try {
    return readFoundSettings(await query(foundSettingsQuery, [], { maxBytes: settingsAnswerBytes }));
  } catch (error) {
    if (!abortedBySetting.has(serverErrorNumber(error) ?? 0)) throw error;
    const [before = {}] = await query(`SELECT ${limits.map((name) => `@@${name} AS ${name}`).join()} LIMIT 1`);
    await query(`SET SESSION ${limits.map((name) => `${name}=${limitless[name]}`).join()}`);
    const found = new Map(readFoundSettings(await query(foundSettingsQuery, [], { maxBytes: settingsAnswerBytes })));
    for (const name of limits) {
      const setting = found.get(name);
      if (setting !== undefined) found.set(name, { ...setting, value: before[name] ?? setting.value });
    }
    return found;
  }
}

/** 1104 max_join_size, 1114 no room for a temporary table, 1290 no memory for the session, 1969 max_statement_time. */
const abortedBySetting = new Set([1104, 1114, 1290, 1969]);
const limitless: Readonly<Record<string, string>> = {
  max_statement_time: '0',
  tmp_disk_table_size: '18446744073709551615',
  max_session_mem_used: '9223372036854775807',
  sql_big_selects: '1',
};
const limits = Object.keys(limitless);

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

/** The login in the form that `mariadbDriver.ts` expects. */
function loginOf(connection: ServiceConnection): MariadbLogin {
  const tls = tlsOptions(connection);
  return {
    host: connection.host,
    user: connection.username ?? '',
    password: connection.password?.reveal() ?? '',
    tls: tls === undefined ? null : { verify: tls.rejectUnauthorized, ca: tls.ca ?? null },
  };
}
