import { StowageError, type ErrorCode } from '../../../errors.js';
import { isError } from '../../../isError.js';
import { asSentence } from '../../asSentence.js';
import { answerTooLong, processEnded } from '../../conversation/messages.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { notPostgresql, passwordInTheClear } from '../session/postgresqlDriver.js';
import { sentenceOf } from './serverSentence.js';

/** The failure code for a SQLSTATE (manual, "PostgreSQL Error Codes"). */
export function codeOfSqlState(sqlState: string): ErrorCode {
  if (sqlState === '42501') return 'SERVICE_PRIVILEGE';
  if (busy.has(sqlState)) return 'SERVICE_BUSY';
  if (sqlState.startsWith('28')) return 'SERVICE_AUTH';
  if (sqlState.startsWith('08') || sqlState.startsWith('57P') || sqlState === '53300') return 'SERVICE_UNREACHABLE';
  return 'TOOL_FAILED';
}

// 40001 conflict with recovery on a standby, 40P01 deadlock, 55P03 lock timeout, 55006 object in use.
const busy = new Set(['40001', '40P01', '55P03', '55006']);

/** The SQLSTATE of an error that a session threw. Undefined: the error is not the server's. */
export function sqlStateOf(error: unknown): string | undefined {
  const cause: unknown = error instanceof StowageError ? error.cause : error;
  if (isError(cause) && 'sqlState' in cause && typeof cause.sqlState === 'string') return cause.sqlState;
  return undefined;
}

/** The failure to report for an error of our own connection. */
export function asServiceError(connection: ServiceConnection, error: unknown): StowageError {
  if (error instanceof StowageError) return error;
  const where = `${connection.host}:${connection.port}`;
  const sqlState = sqlStateOf(error);
  const code = isError(error) && 'code' in error ? error.code : undefined;
  const text = isError(error) ? error.message : String(error);
  if (sqlState !== undefined && sqlState !== '') return ofServer(connection, sqlState, text, error);
  if (code === notPostgresql) return ofOtherServer(where, text);
  if (code === passwordInTheClear) {
    return new StowageError('SERVICE_AUTH', `${where} asks for the password in the clear, without TLS.`, {
      help: 'Set the TLS mode of the service to VERIFY or REQUIRE, or let the server use scram-sha-256 (pg_hba.conf).',
    });
  }
  if (/does not support SSL/.test(text)) {
    return new StowageError('SERVICE_UNREACHABLE', `${where} does not offer TLS.`, {
      help: 'Set up TLS on the server, or set the TLS mode of the service to OFF.',
      retriable: false,
      cause: error,
    });
  }
  if (typeof code === 'string' && /CERT|SSL|TLS|ALTNAME/.test(code)) {
    return new StowageError('SERVICE_UNREACHABLE', asSentence(`The TLS connection to ${where} failed: ${text}`), {
      help: 'Give the CA of the server to the service (tls.ca), use the host name of the certificate, or set the TLS mode to REQUIRE.',
      retriable: false,
      cause: error,
    });
  }
  if (code === answerTooLong || code === processEnded) {
    return new StowageError('SERVICE_UNREACHABLE', asSentence(`The conversation with ${where} ended: ${text}`), {
      help: 'Check that host and port belong to a PostgreSQL server. If the server has very many objects, back up fewer databases with one service.',
      cause: error,
    });
  }
  return new StowageError('SERVICE_UNREACHABLE', asSentence(`The connection to ${where} broke: ${text}`), {
    cause: error,
  });
}

function ofServer(connection: ServiceConnection, sqlState: string, text: string, cause: unknown): StowageError {
  const where = `${connection.host}:${connection.port}`;
  const sentence = sentenceOf(sqlState, text);
  const code = codeOfSqlState(sqlState);
  if (code === 'SERVICE_AUTH') {
    return new StowageError(
      code,
      asSentence(`${where} refused the login of '${connection.username ?? ''}': ${sentence}`),
      {
        help: /pg_hba\.conf/.test(sentence)
          ? 'Allow this account from the address of the worker in pg_hba.conf of the server, with scram-sha-256. If the entry needs TLS, set the TLS mode of the service to REQUIRE or VERIFY.'
          : 'Check the user name and the password of the service, and that the role may log in (ALTER ROLE … LOGIN).',
        cause,
      },
    );
  }
  return new StowageError(code, asSentence(`${where} answered: ${sentence}`), {
    // A login loads the libraries that these settings name.
    ...(sqlState === '58P01' ? { help: missingLibrary } : {}),
    ...{ details: { sqlState }, cause },
  });
}

const missingLibrary =
  'If the file is a library, session_preload_libraries or local_preload_libraries of the database or the account names it, and nobody can connect. Install it on the server, or run ALTER DATABASE … RESET session_preload_libraries in another database.';

/** MariaDB and MySQL send their version first. */
function ofOtherServer(where: string, sent: string): StowageError {
  const mariadb = /(\d+\.\d+\.\d+)-MariaDB/.exec(sent)?.[1];
  const mysql = /\b(\d\.\d+\.\d+)\b/.exec(sent)?.[1];
  const what =
    mariadb !== undefined
      ? `a MariaDB ${mariadb}`
      : mysql !== undefined
        ? `a MySQL ${mysql}`
        : 'another kind of server';
  return new StowageError('TOOL_VERSION', `The server at ${where} is ${what}, not a PostgreSQL.`, {
    help: 'A service with the engine POSTGRESQL needs a PostgreSQL server. Correct host and port, or choose the engine of this server.',
  });
}
