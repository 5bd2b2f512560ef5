import { StowageError, type ErrorCode, type StowageErrorOptions } from '../../../errors.js';
import { isError } from '../../../isError.js';
import { asSentence } from '../../asSentence.js';
import { answerTooLong, processEnded } from '../../conversation/messages.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { withoutDocuments } from './withoutDocuments.js';

/** The failure code for an error number of MongoDB (https://www.mongodb.com/docs/manual/reference/error-codes/). */
export function codeOfServerError(number: number): ErrorCode {
  if (number === 18 || number === 11) return 'SERVICE_AUTH';
  if (number === 13 || number === 8000) return 'SERVICE_PRIVILEGE';
  if (unreachable.has(number)) return 'SERVICE_UNREACHABLE';
  return 'TOOL_FAILED';
}

// 6 HostUnreachable, 7 HostNotFound, 89 NetworkTimeout, 91 ShutdownInProgress, 189 PrimarySteppedDown,
// 10107 NotWritablePrimary, 11600 InterruptedAtShutdown, 11602 InterruptedDueToReplStateChange, 13435 and 13436 NotPrimary.
const unreachable = new Set([6, 7, 89, 91, 189, 10107, 11600, 11602, 13435, 13436]);

type WayOut = Pick<StowageErrorOptions, 'help' | 'retriable'>;

/** What a person should do after this error of the server. Empty for other numbers. */
export function wayOut(number: number | undefined): WayOut {
  return number === undefined ? {} : (ways[number] ?? {});
}

const ways: Readonly<Record<number, WayOut>> = {
  11: { help: 'Check the user name and the authSource of the service: the user must be defined in that database.' },
  18: {
    help: 'Check the user name, the password and the authSource of the service. The authSource is the database in which the user was created; without it, Stowage uses admin.',
  },
  50: { help: 'A time limit of the server ended the command. Stowage tries again.', retriable: true },
  121: {
    help: 'Documents of the backup do not match the validator of the collection. Stowage restores with bypassDocumentValidation, so the user of the target may lack this right: give it the role restore or dbAdmin.',
  },
  13297: {
    help: 'The target has a database whose name differs only in letter case. Drop it, or restore into another service.',
  },
  11000: {
    help: 'Two documents of the backup are equal in a unique index. The documents changed while they were dumped. Take the backup from a replica set without naming databases, so that it is from a single instant.',
  },
};

/** The failure to report for an error of our own connection. */
export function asServiceError(connection: ServiceConnection, error: unknown): StowageError {
  if (error instanceof StowageError) return error;
  const where = `${connection.host}:${connection.port}`;
  const { number, code, text } = facts(error);
  const sentence = withoutDocuments(text);
  if (code === 'OTHER_SERVER') return otherServer(where, text);
  if (number !== undefined && number > 0) return answered(connection, where, number, sentence, error);
  if (code !== undefined && /CERT|SSL|TLS|ALTNAME/.test(code)) {
    return new StowageError('SERVICE_UNREACHABLE', asSentence(`The TLS connection to ${where} failed: ${sentence}`), {
      help: 'Compare the TLS mode and the CA of the service with the certificate of the server (net.tls in mongod.conf).',
      retriable: false,
      cause: error,
    });
  }
  if (/wire version/i.test(text)) {
    return new StowageError('TOOL_VERSION', asSentence(`The server at ${where} is too old: ${sentence}`), {
      help: 'MongoDB 4.4 and later is supported. Upgrade the server.',
      cause: error,
    });
  }
  if (code === answerTooLong || code === processEnded) {
    return new StowageError('SERVICE_UNREACHABLE', asSentence(`The conversation with ${where} ended: ${sentence}`), {
      help: 'Check that host and port belong to a MongoDB server. If it has very many collections, back up fewer databases with one service.',
      cause: error,
    });
  }
  return new StowageError('SERVICE_UNREACHABLE', asSentence(`The connection to ${where} broke: ${sentence}`), {
    help: 'Check that host and port belong to a MongoDB server. A server that requires TLS closes connections without it: set the TLS mode of the service.',
    cause: error,
  });
}

function answered(
  connection: ServiceConnection,
  where: string,
  number: number,
  sentence: string,
  error: unknown,
): StowageError {
  const failure = codeOfServerError(number);
  const message =
    failure === 'SERVICE_AUTH'
      ? `${where} refused the login of '${connection.username ?? ''}': ${sentence}`
      : `${where} answered: ${sentence}`;
  return new StowageError(failure, asSentence(message), { ...wayOut(number), cause: error });
}

/** A server that speaks first is not MongoDB. MySQL and MariaDB send their version. */
function otherServer(where: string, greeting: string): StowageError {
  const version = /\d+\.\d+\.\d+(?:-\d+\.\d+\.\d+)?[\w.+~-]*/.exec(greeting)?.[0];
  const mariadb = /(\d+\.\d+\.\d+)-MariaDB/.exec(greeting)?.[1];
  const what =
    mariadb !== undefined
      ? `MariaDB ${mariadb}`
      : version !== undefined
        ? `MySQL ${version}`
        : 'a server of another kind';
  return new StowageError('TOOL_VERSION', `The server at ${where} is ${what}, not MongoDB.`, {
    help: 'A service with the engine MONGODB needs a MongoDB server. Correct host and port, or choose the engine of this server.',
  });
}

function facts(error: unknown) {
  if (!isError(error)) return { number: undefined, code: undefined, text: String(error) };
  const number = 'errno' in error && typeof error.errno === 'number' ? error.errno : undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const text = 'sqlMessage' in error && typeof error.sqlMessage === 'string' ? error.sqlMessage : error.message;
  return { number, code, text };
}
