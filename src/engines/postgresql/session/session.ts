import { StowageError } from '../../../errors.js';
import { outsideText } from '../../../outsideText.js';
import { unlessAborted } from '../../../unlessAborted.js';
import { ConversationError, type Row } from '../../conversation/answer.js';
import type { Line, LineLimits } from '../../conversation/conversation.js';
import type { Conversations } from '../../conversation/conversations.js';
import type { Json } from '../../conversation/driver.js';
import { connectToServer, resolveServer, type AllowAddress, type ServerAddress } from '../../network/serverAddress.js';
import { refuseUnverifiableHost, tlsOptions } from '../../network/tls.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { asServiceError, sqlStateOf } from '../errors/serverErrors.js';
import { loginProcessId, type PostgresqlLogin } from './postgresqlDriver.js';
import { unlimited } from './limits.js';
import { readServerVersion, type ServerVersion } from './serverVersion.js';

export type { Row };

/** One connection of ours to one database of a server, for queries. The data of a dump never passes through it. */
export type Session = {
  /** The address that answered. A tool gets this address, so that it cannot connect to another server. */
  readonly server: ServerAddress;
  readonly database: string;
  readonly version: ServerVersion;
  /** `$1`, `$2`, … in the statement stand for values. Throws an error of the server as a StowageError. */
  query(sql: string, values?: readonly Json[], options?: QuestionLimits): Promise<readonly Row[]>;
  /** The process id that the login returned, which is not that of the server's process behind a pooler. */
  loginPid(): Promise<string>;
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

export type SessionOptions = Pick<LineLimits, 'mostAnswerBytes'> & {
  readonly conversations: Conversations;
  readonly signal: AbortSignal;
  readonly allowAddress: AllowAddress;
  /** Called for each answer of the server. */
  readonly onAnswer?: () => void;
  /** The time limit for connecting and logging in. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Default `stowage`. */
  readonly applicationName?: string;
};

/** The module that implements PostgreSQL's protocol, for `createConversations`. */
export const postgresqlDriver = new URL('./postgresqlDriver.js', import.meta.url);

const defaultConnectTimeoutMs = 10_000;
const queryTimeoutMs = 120_000;
const defaultAnswerBytes = 64 * 1024 * 1024;
const loginAnswerBytes = 64 * 1024;
/** The limit for an answer about all objects of a database. Definitions of about a hundred thousand tables fit. */
export const catalogBytes = 1024 * 1024 * 1024;

/**
 * Connects to a database of a server, or, without `database`, to the first of the usual ones that accepts the account. The
 * caller closes the session. Throws SERVICE_UNREACHABLE, SERVICE_AUTH, TOOL_VERSION or the signal's reason.
 */
export async function openSession(
  connection: ServiceConnection,
  options: SessionOptions,
  database?: string,
): Promise<Session> {
  options.signal.throwIfAborted();
  // The name look-up cannot be aborted.
  const addresses = await unlessAborted(options.signal, () => resolveServer(connection.host, options.allowAddress));
  return openSessionAt(connection, addresses, options, database);
}

/** Like `openSession`. Connects to the first of these addresses that answers. */
export async function openSessionAt(
  connection: ServiceConnection,
  addresses: readonly ServerAddress[],
  options: Omit<SessionOptions, 'allowAddress'>,
  database?: string,
): Promise<Session> {
  const timeoutMs = options.connectTimeoutMs ?? defaultConnectTimeoutMs;
  const limits = { ...options, timeoutMs };
  const tries = database === undefined ? usualDatabases(connection) : [database];
  for (const [index, name] of tries.entries()) {
    const { server, line } = await connectToServer(connection, addresses, options.signal, (each) =>
      connectLine(connection, each, limits),
    );
    try {
      return await logIn(connection, server, line, limits, name);
    } catch (error) {
      if (index === tries.length - 1 || !mayBeAnotherDatabase(error)) throw error;
    }
  }
  throw new Error('There is no database to connect to.');
}

/**
 * 3D000: no such database. 42501: no CONNECT privilege. 55000: it accepts no connections. 28000: pg_hba.conf. A login event
 * trigger belongs to one database.
 */
function mayBeAnotherDatabase(error: unknown): boolean {
  return ['3D000', '42501', '55000', '28000'].includes(sqlStateOf(error) ?? '') || isOfLoginTrigger(error);
}

function usualDatabases({ databases, username }: ServiceConnection): readonly string[] {
  return [...new Set(['postgres', ...(databases ?? []).slice(0, 5), username ?? '', 'template1'])].filter(
    (name) => name !== '',
  );
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
  options: Pick<SessionOptions, 'signal' | 'onAnswer' | 'applicationName'> & { readonly timeoutMs: number },
  database: string,
): Promise<Session> {
  const { signal, onAnswer } = options;
  const close = () => {
    signal.removeEventListener('abort', close);
    line.close();
  };
  signal.addEventListener('abort', close, { once: true });
  const ask = async (question: string, values: readonly Json[], limits: QuestionLimits) => {
    const all = { signal, timeoutMs: queryTimeoutMs, maxBytes: defaultAnswerBytes, ...limits };
    const rows = await line.ask(question, values, all).catch((error: unknown) => {
      throw asSessionError(connection, signal, error);
    });
    onAnswer?.();
    return rows;
  };
  const query: Session['query'] = (sql, values = [], limits = {}) => ask(sql, values, limits);
  try {
    refuseUnverifiableHost(connection);
    const limits = { signal, timeoutMs: options.timeoutMs, maxBytes: loginAnswerBytes };
    await line
      .logIn(loginOf(connection, database, options.applicationName ?? 'stowage'), limits)
      .catch((error: unknown) => {
        throw withLoginTrigger(database, asSessionError(connection, signal, error));
      });
    const version = await readServerVersion(connection, (sql) => query(sql, [], { maxBytes: loginAnswerBytes }));
    const settings = [...unlimited(version.major), ...independentSettings];
    await query(settings.map((setting) => `SET ${setting}`).join('; '));
    const loginPid = async () => (await ask(loginProcessId, [], {}))[0]?.['pid'] ?? '';
    return { server, database, version, query, loginPid, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Every setting that an answer may depend on, whatever the server, the database or the role sets. */
const independentSettings = [
  "search_path = ''",
  'lock_timeout = 60000',
  "default_transaction_isolation = 'read committed'",
  'row_security = off',
  'standard_conforming_strings = on',
  'quote_all_identifiers = off',
  'client_min_messages = warning',
  "datestyle = 'ISO'",
  "intervalstyle = 'postgres'",
  'extra_float_digits = 3',
  "bytea_output = 'hex'",
  // The text of a default of type money depends on it.
  "lc_monetary = 'C'",
];

/** The signal's own reason, and a defect of Stowage, are returned unchanged. */
function asSessionError(connection: ServiceConnection, signal: AbortSignal, error: unknown): unknown {
  if (signal.aborted || !(error instanceof ConversationError)) return error;
  return asServiceError(connection, error);
}

/** Of all code of a customer, only event triggers for logins (since version 17) run during a login, and may RAISE. */
function isOfLoginTrigger(error: unknown): boolean {
  return sqlStateOf(error)?.startsWith('P0') === true;
}

function withLoginTrigger(database: string, error: unknown): unknown {
  if (!(error instanceof StowageError) || !isOfLoginTrigger(error)) return error;
  return new StowageError(
    'SERVICE_AUTH',
    `A login event trigger of the database '${database}' refused the login. Its text may hold data and is left out.`,
    {
      help: "The log of the server has the text. Let the trigger accept the account of the service, or disable it (ALTER EVENT TRIGGER … DISABLE). SELECT evtname FROM pg_event_trigger WHERE evtevent = 'login' shows its name.",
      ...{ details: error.details, cause: error.cause },
    },
  );
}

/** Opens a session for `work`, and always closes it. */
export async function withSession<T>(
  connection: ServiceConnection,
  options: SessionOptions,
  database: string | undefined,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(connection, options, database);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

/** A name or a version that a server reports, shortened so that it can be stored and shown. */
export function shortText(value: string | null | undefined): string {
  return outsideText(value ?? '', 128);
}

function loginOf(connection: ServiceConnection, database: string, applicationName: string): PostgresqlLogin {
  const tls = tlsOptions(connection);
  const user = connection.username ?? '';
  // PostgreSQL ends a name at this byte, so a longer text could mean another name.
  if ([user, database].some((name) => name.includes('\0'))) {
    throw new StowageError('BAD_INPUT', 'A name contains a zero byte.');
  }
  return {
    host: connection.host,
    ...{ user, password: connection.password?.reveal() ?? '', database, applicationName },
    tls: tls === undefined ? null : { verify: tls.rejectUnauthorized, ca: tls.ca ?? null },
  };
}
