import type { Socket } from 'node:net';
import pg from 'pg';
import type { AnswerSink, Driver, DriverConnection, Json, Value } from '../../conversation/driver.js';

/** The data that the driver needs to log in. */
export type PostgresqlLogin = {
  /** The host name that the server's certificate must contain. The driver does not connect by itself. */
  readonly host: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly applicationName: string;
  /** Null: no TLS. If `ca` is null, Node's own CAs are used. */
  readonly tls: { readonly verify: boolean; readonly ca: string | null } | null;
};

/**
 * A question to the driver and not to the server: the process id that the login returned. A pooler invents one
 * (`pg_backend_pid()` returns another).
 */
export const loginProcessId = 'PROCESS ID OF THE LOGIN';

/** The code of a failure if the server speaks another protocol. The message is what it sent. */
export const notPostgresql = 'NOT_POSTGRESQL';
/** The code of a failure if the server asks for the password in the clear, without TLS. */
export const passwordInTheClear = 'PASSWORD_IN_THE_CLEAR';

/** Implements PostgreSQL's protocol with pg. */
export const driver: Driver = {
  converse(socket, onLost): DriverConnection {
    let client: pg.Client | undefined;
    return {
      logIn(login, answer) {
        client = clientOn(socket, login as PostgresqlLogin);
        client.on('error', (error) => {
          answer.fail(failure(error));
          onLost(failure(error));
        });
        refuseOthers(socket, (error) => answer.fail(error));
        client.connect((error: Error | null) => {
          if (error === null || (error as unknown) === undefined) answer.done();
          else answer.fail(failure(error));
        });
      },
      ask(question, values, answer) {
        if (client === undefined) answer.fail(new Error('A statement was sent before the login.'));
        else if (question === loginProcessId) answerProcessId(client, answer);
        else ask(client, question, values, answer);
      },
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: () => socket.destroy(),
    };
  },
};

function clientOn(socket: Socket, { tls, ...login }: PostgresqlLogin): pg.Client {
  // The socket is connected already.
  socket.connect = () => {
    process.nextTick(() => socket.emit('connect'));
    return socket;
  };
  const client = new pg.Client({
    ...{ host: login.host, user: login.user, password: login.password, database: login.database },
    ...{ application_name: login.applicationName, client_encoding: 'UTF8' },
    stream: () => socket,
    ssl: tls === null ? false : { rejectUnauthorized: tls.verify, ...(tls.ca === null ? {} : { ca: tls.ca }) },
  });
  if (tls === null) refuseClearPassword(client);
  return client;
}

/** A hostile server could ask for the password instead of a proof of it, and pg would send it. */
function refuseClearPassword(client: pg.Client): void {
  const { connection } = client as unknown as { readonly connection: NodeJS.EventEmitter };
  const request = 'authenticationCleartextPassword';
  const listen = connection.on.bind(connection);
  // pg adds its own listener when it connects.
  connection.on = (name, listener) => (name === request ? connection : listen(name, listener));
  listen(request, () => {
    const error = new Error('the server asks for the password in the clear');
    connection.emit('error', Object.assign(error, { code: passwordInTheClear }));
  });
}

/** PostgreSQL never speaks first, and its first answers begin with one of few letters (manual, "Message Formats"). */
function refuseOthers(socket: Socket, refuse: (error: Error) => void): void {
  socket.prependOnceListener('data', (chunk: Buffer) => {
    if (/^[RESNv]/.test(chunk.toString('latin1', 0, 1))) return;
    const sent = chunk.toString('latin1', 0, 200).replaceAll(/[^\x20-\x7e]+/g, ' ');
    refuse(Object.assign(new Error(sent.trim()), { code: notPostgresql }));
  });
}

function answerProcessId(client: pg.Client, answer: AnswerSink): void {
  answer.columns(['pid']);
  answer.row([String((client as unknown as { readonly processID: number | null }).processID)]);
  answer.done();
}

const asText = { getTypeParser: () => (value: unknown) => value };

/** Several statements without values return the rows of all of them. */
function ask(client: pg.Client, text: string, values: readonly Json[], answer: AnswerSink): void {
  const config = { text, rowMode: 'array', types: asText, ...(values.length === 0 ? {} : { values: [...values] }) };
  const query = new pg.Query(config);
  let described: unknown;
  query.on('row', (row: unknown, result?: { readonly fields: readonly { readonly name: string }[] }) => {
    if (result !== undefined && result !== described) {
      described = result;
      answer.columns(result.fields.map(({ name }) => name));
    }
    answer.row(row as readonly Value[]);
  });
  query.on('error', (error) => answer.fail(failure(error)));
  query.on('end', () => answer.done());
  client.query(query);
}

/** Errors of the server get a number above 0, because the connection can then be used further. */
function failure(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  return { message: error.message, errno: 1, sqlState: error.code ?? '', sqlMessage: error.message };
}
