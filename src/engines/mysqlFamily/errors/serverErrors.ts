import { StowageError, type ErrorCode } from '../../../errors.js';
import { isError } from '../../../isError.js';
import { asSentence } from '../../asSentence.js';
import { answerTooLong, processEnded } from '../../conversation/messages.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { loginWayOut, passwordLogin, tlsWayOut, unknownLogin } from './refusedLogin.js';
import { wayOut, type Product } from './wayOut.js';

/** The failure code of a job for an error number of the server or the client library (manuals, "Error Codes"). */
export function codeOfServerError(number: number): ErrorCode {
  if (unreachable.has(number)) return 'SERVICE_UNREACHABLE';
  if (refusedLogin.has(number)) return 'SERVICE_AUTH';
  if (lackingPrivilege.has(number)) return 'SERVICE_PRIVILEGE';
  // ER_LOCK_WAIT_TIMEOUT.
  if (number === 1205) return 'SERVICE_BUSY';
  // CR_AUTH_PLUGIN_CANNOT_LOAD: the client library on the worker lacks the plugin.
  if (number === 2059) return 'TOOL_MISSING';
  return 'TOOL_FAILED';
}

/**
 * A table changed during the dump. 1146: the table no longer exists. 1412: the table was altered after the snapshot.
 */
export function isChangedTable(number: number | undefined): boolean {
  return number === 1146 || number === 1412;
}

// 1040 too many connections, 1053 shutdown in progress, 1129/1130 host blocked or not allowed, 1927 connection killed,
// 2002–2006 and 2013 cannot connect or connection lost, 2026 TLS, 2055 connection lost while reading.
const unreachable = new Set([1040, 1053, 1129, 1184, 1203, 1226, 1927, 2002, 2003, 2005, 2006, 2013, 2026, 2055]);
const refusedLogin = new Set([1045, 1130, 1251, 1524, 1698, 1820, 1862, 3159, 4150, 4151]);
const lackingPrivilege = new Set([1044, 1095, 1142, 1143, 1227, 1370, 1410, 1419]);

/**
 * The number in a line that a MariaDB or MySQL tool printed, for example "Got error: 2003: ..." or "ERROR 1045
 * (28000)". The server's file functions have numbers of one or two digits.
 */
export function errorNumberIn(line: string): number | undefined {
  const found =
    /\berror:? (\d{4})\b/i.exec(line) ??
    /\((\d{4})\)\s*$/.exec(line) ??
    /^ERROR (\d{1,2}) \(HY000\)/.exec(line) ??
    /\bGot error: (\d{1,2}): /.exec(line);
  return found === null ? undefined : Number(found[1]);
}

/** The failure to report for an error of our own connection. */
export function asServiceError(connection: ServiceConnection, error: unknown, product: Product): StowageError {
  if (error instanceof StowageError) return error;
  const where = `${connection.host}:${connection.port}`;
  const { number, code, text } = facts(error);
  if (number !== undefined && number > 0) {
    const failure = codeOfServerError(number);
    if (failure === 'SERVICE_AUTH') {
      return new StowageError(
        failure,
        asSentence(`${where} refused the login of '${connection.username ?? ''}': ${text}`),
        {
          ...loginWayOut(number),
          cause: error,
        },
      );
    }
    const way = failure === 'SERVICE_PRIVILEGE' ? {} : { ...wayOut(product, number, 'DUMP'), ...loginWayOut(number) };
    return new StowageError(failure, asSentence(`${where} answered: ${text}`), { ...way, cause: error });
  }
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') {
    return new StowageError('SERVICE_UNREACHABLE', `${where} does not offer TLS.`, {
      help: 'Set up TLS on the server, or set the TLS mode of the service to OFF.',
      retriable: false,
      cause: error,
    });
  }
  if (code !== undefined && /CERT|SSL|TLS|ALTNAME/.test(code)) {
    return new StowageError('SERVICE_UNREACHABLE', asSentence(`The TLS connection to ${where} failed: ${text}`), {
      help: tlsWayOut(text),
      retriable: false,
      cause: error,
    });
  }
  if (code === 'AUTH_SWITCH_PLUGIN_ERROR' || code === 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED') {
    const { plugin, is } = unknownLogin(text) ?? { plugin: 'a plugin', is: 'a way that Stowage does not know' };
    return new StowageError(
      'SERVICE_AUTH',
      `${where} lets '${connection.username ?? ''}' log in only with ${plugin} (${is}), which Stowage does not support.`,
      { help: passwordLogin(product), cause: error },
    );
  }
  if (code === answerTooLong) {
    return new StowageError(
      'SERVICE_UNREACHABLE',
      asSentence(`${where} sends more data than a ${product} server does: ${text}`),
      {
        help: `Check that host and port belong to a ${product} server. If the server has very many objects, back up fewer databases with one service.`,
        retriable: false,
        cause: error,
      },
    );
  }
  if (code === processEnded) {
    return new StowageError('SERVICE_UNREACHABLE', `The conversation with ${where} ended unexpectedly.`, {
      help: `The answer could not be read, or took too much memory. If it happens again, check that host and port belong to a ${product} server.`,
      cause: error,
    });
  }
  return new StowageError('SERVICE_UNREACHABLE', asSentence(`The connection to ${where} broke: ${text}`), {
    cause: error,
  });
}

type Facts = { readonly number: number | undefined; readonly code: string | undefined; readonly text: string };

function facts(error: unknown): Facts {
  if (!isError(error)) return { number: undefined, code: undefined, text: String(error) };
  const number = 'errno' in error && typeof error.errno === 'number' ? error.errno : undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const text = 'sqlMessage' in error && typeof error.sqlMessage === 'string' ? error.sqlMessage : error.message;
  return { number, code, text };
}
