import { createConnection, type Connection, type ConnectionOptions } from 'mysql2';
import type { Socket } from 'node:net';
import { StowageError } from '../../../errors.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { signChallenge } from './ed25519.js';
import { connectToServer, resolveServer, type AllowAddress, type ServerAddress } from '../../network/serverAddress.js';
import { isError } from '../../../isError.js';
import { unlessAborted } from '../../../unlessAborted.js';
import { refuseUnverifiableHost, tlsOptions } from '../../network/tls.js';
import { asServiceError } from '../errors/serverErrors.js';
import { asServerFailure } from '../errors/serverFailure.js';
import { foundSettingsQuery, ownSessionStatement, readFoundSettings, type FoundSettings } from './serverSettings.js';
import { refuseUnsupportedServer } from './supportedServers.js';

/** A row with every value as text. */
export type Row = Readonly<Record<string, string | null>>;

/** One connection of ours to a server, for questions; data is never read through it. */
export type Session = {
  /** The address that answered: what a tool is given, so that it cannot be led elsewhere. */
  readonly server: ServerAddress;
  /** What was set when it had logged in, before it set anything itself: what a tool of the same account begins with. */
  readonly found: FoundSettings;
  /**
   * `?` in the statement stands for a value; all rows of a compound statement come as one list. Throws what the server
   * says as a StowageError; see `isServerError`.
   */
  query(
    sql: string,
    values?: readonly (string | number | readonly string[])[],
    options?: {
      /** Without an answer by then the session is closed. Default 120 s. */
      readonly timeoutMs?: number;
    },
  ): Promise<readonly Row[]>;
  close(): void;
};

export type SessionOptions = {
  readonly signal: AbortSignal;
  readonly allowAddress: AllowAddress;
  /** Called for each answer of the server. */
  readonly onAnswer?: () => void;
  /** For connecting and logging in. Default 10 s. */
  readonly connectTimeoutMs?: number;
};

const defaultConnectTimeoutMs = 10_000;
const queryTimeoutMs = 120_000;

/** Whoever opens a session closes it. Throws SERVICE_UNREACHABLE, SERVICE_AUTH or the signal's reason. */
export async function openSession(connection: ServiceConnection, options: SessionOptions): Promise<Session> {
  const { signal } = options;
  const timeoutMs = options.connectTimeoutMs ?? defaultConnectTimeoutMs;
  signal.throwIfAborted();
  // A look-up of a name cannot be aborted.
  const addresses = await unlessAborted(signal, () => resolveServer(connection.host, options.allowAddress));
  const { server, socket } = await connectToServer(connection, addresses, { signal, timeoutMs });
  return logIn(connection, server, socket, { ...options, timeoutMs });
}

/** Logs in over a socket that is connected already, and owns it from then on. */
export async function logIn(
  connection: ServiceConnection,
  server: ServerAddress,
  socket: Socket,
  options: Pick<SessionOptions, 'signal' | 'onAnswer'> & { readonly timeoutMs: number },
): Promise<Session> {
  const { signal, onAnswer } = options;
  try {
    refuseUnverifiableHost(connection);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  const mysql = createConnection({
    ...loginOptions(connection),
    // Its own timers would outlive it, and keep the process alive.
    connectTimeout: 0,
    stream: () => socket,
  });
  // Errors while nothing waits for an answer are told by the next query.
  mysql.on('error', () => undefined);
  const close = () => mysql.destroy();
  signal.addEventListener('abort', close, { once: true });
  const query: Session['query'] = async (sql, values = [], { timeoutMs = queryTimeoutMs } = {}) => {
    const rows = await answer(connection, { signal, timeoutMs, close }, (done) => ask(mysql, sql, values, done));
    onAnswer?.();
    return rows;
  };
  const closeSession = () => {
    signal.removeEventListener('abort', close);
    close();
  };
  try {
    const limits = { signal, timeoutMs: options.timeoutMs, close };
    await answer(connection, limits, (done) => mysql.connect((error) => done(error, [])));
    return { server, found: await makeIndependent(connection, query), query, close: closeSession };
  } catch (error) {
    closeSession();
    throw error;
  }
}

/** Sets all that an answer may depend on, and undoes what `init_connect` has begun. Gives what was set before. */
async function makeIndependent(connection: ServiceConnection, query: Session['query']): Promise<FoundSettings> {
  const askVersion = async () => (await query('SELECT VERSION() AS version'))[0]?.['version'];
  const found = await findSettings(query).catch(async (error: unknown) => {
    // 1109: a server without MariaDB's list of variables is another one, or an old one.
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

/** The first question to the server is asked under whatever settings there are. */
async function findSettings(query: Session['query']): Promise<FoundSettings> {
  try {
    return readFoundSettings(await query(foundSettingsQuery));
  } catch (error) {
    if (!abortedBySetting.has(serverErrorNumber(error) ?? 0)) throw error;
    const [before = {}] = await query(`SELECT ${limits.map((name) => `@@${name} AS ${name}`).join()} LIMIT 1`);
    await query(`SET SESSION ${limits.map((name) => `${name}=${limitless[name]}`).join()}`);
    const found = new Map(readFoundSettings(await query(foundSettingsQuery)));
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

/** Opens a session for `work` alone and closes it, whatever happens. */
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

/** The server's own number of an error that `query` threw, for example 1356 for a broken view. */
export function serverErrorNumber(error: unknown): number | undefined {
  const cause: unknown = error instanceof StowageError ? error.cause : error;
  if (isError(cause) && 'errno' in cause && typeof cause.errno === 'number' && cause.errno > 0) return cause.errno;
  return undefined;
}

function loginOptions(connection: ServiceConnection): ConnectionOptions {
  const tls = tlsOptions(connection);
  return {
    host: connection.host,
    port: connection.port,
    user: connection.username ?? '',
    password: connection.password?.reveal() ?? '',
    charset: 'utf8mb4',
    authPlugins: {
      client_ed25519: () => (challenge) =>
        signChallenge(connection.password?.reveal() ?? '', challenge.subarray(0, 32)),
    },
    multipleStatements: false,
    ...(tls === undefined ? {} : { ssl: { ...tls, verifyIdentity: tls.rejectUnauthorized } }),
    typeCast: (field) => field.string(),
  };
}

type Done = (error: unknown, rows: readonly Row[]) => void;

function ask(mysql: Connection, sql: string, values: readonly unknown[], done: Done): void {
  mysql.query({ sql, values: [...values] }, (error, rows) => {
    done(error, Array.isArray(rows) ? rowsOf(rows) : []);
  });
}

/** A compound statement answers with a result for each of its statements, and with its own, which has no rows. */
function rowsOf(answered: readonly unknown[]): readonly Row[] {
  if (!Array.isArray(answered[0])) return answered as readonly Row[];
  return answered.filter((each) => Array.isArray(each)).flat() as readonly Row[];
}

/** A destroyed connection never calls back: the signal and the time limit answer for it. */
function answer(
  connection: ServiceConnection,
  limits: { readonly signal: AbortSignal; readonly timeoutMs: number; readonly close: () => void },
  start: (done: Done) => void,
): Promise<readonly Row[]> {
  const { signal, timeoutMs, close } = limits;
  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', give);
    };
    const give = () => {
      settle();
      reject(asError(signal.reason));
    };
    const timer = setTimeout(() => {
      settle();
      close();
      reject(asServiceError(connection, new Error(`no answer within ${timeoutMs / 1000} s`)));
    }, timeoutMs);
    if (signal.aborted) {
      give();
      return;
    }
    signal.addEventListener('abort', give, { once: true });
    start((error, rows) => {
      settle();
      if (error === null || error === undefined) resolve(rows);
      else reject(asServiceError(connection, asServerFailure(error)));
    });
  });
}

function asError(reason: unknown): Error {
  return isError(reason) ? reason : new Error(String(reason));
}
