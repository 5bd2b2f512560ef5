import { createConnection, type AuthPlugin, type Connection } from 'mysql2';
import type { Socket } from 'node:net';
import type { AnswerSink, Driver, DriverConnection, Json, Value } from '../../conversation/driver.js';

/** The data that a driver needs to log in. */
export type FamilyLogin = {
  /** The host name that the server's certificate must contain. The driver does not connect by itself. */
  readonly host: string;
  readonly user: string;
  readonly password: string;
  /** Null: no TLS. If `ca` is null, the CAs of the system are used. */
  readonly tls: { readonly verify: boolean; readonly ca: string | null } | null;
};

/** The login plugins of a server, by name, in addition to those of mysql2. */
export type LoginPlugins = (login: FamilyLogin) => Readonly<Record<string, AuthPlugin>>;

/** Implements the protocol of MySQL and MariaDB with mysql2. */
export function familyDriver(plugins: LoginPlugins): Driver {
  return {
    converse(socket, onLost): DriverConnection {
      let mysql: Connection | undefined;
      return {
        logIn(login, answer) {
          mysql = connect(socket, login as FamilyLogin, plugins);
          mysql.on('error', (error) => {
            answer.fail(error);
            onLost(error);
          });
          mysql.connect((error) => (error === null ? answer.done() : answer.fail(error)));
        },
        ask(question, values, answer) {
          if (mysql === undefined) answer.fail(new Error('A statement was sent before the login.'));
          else ask(mysql, question, values, answer);
        },
        pause: () => mysql?.pause(),
        resume: () => mysql?.resume(),
        close: () => mysql?.destroy(),
      };
    },
  };
}

function connect(socket: Socket, login: FamilyLogin, plugins: LoginPlugins): Connection {
  const { host, user, password, tls } = login;
  return createConnection({
    host,
    user,
    password,
    charset: 'utf8mb4',
    // No time limit here: the process that sends the question has one.
    connectTimeout: 0,
    stream: () => socket,
    authPlugins: plugins(login),
    multipleStatements: false,
    ...(tls === null
      ? {}
      : {
          ssl: {
            rejectUnauthorized: tls.verify,
            verifyIdentity: tls.verify,
            ...(tls.ca === null ? {} : { ca: tls.ca }),
          },
        }),
    rowsAsArray: true,
    typeCast: (field) => field.string(),
  });
}

/** A compound statement returns one result for each of its statements, and a last result without rows for itself. */
function ask(mysql: Connection, sql: string, values: readonly Json[], answer: AnswerSink): void {
  mysql
    .query({ sql, values: [...values] })
    .on('fields', (fields: readonly { readonly name: string }[] | undefined) => {
      if (fields !== undefined) answer.columns(fields.map(({ name }) => name));
    })
    .on('result', (row: unknown) => {
      if (Array.isArray(row)) answer.row(row as readonly Value[]);
    })
    .on('error', (error: unknown) => answer.fail(error))
    .on('end', () => answer.done());
}
