import { serverSentence } from './serverSentences.js';

/** An error of the driver without the statement and the values that the driver adds to it. */
export class ServerFailure extends Error {
  constructor(
    message: string,
    readonly errno: number | undefined,
    readonly code: string | undefined,
    readonly sqlState: string | undefined,
  ) {
    super(message);
    this.name = 'ServerFailure';
  }
}

/**
 * Every error of our own sessions passes through this function. The driver's error holds the statement with its values
 * (`sql`), and its message may repeat data. Neither may reach a log, an event or an answer.
 */
export function asServerFailure(error: unknown): ServerFailure {
  if (error instanceof ServerFailure) return error;
  if (typeof error !== 'object' || error === null)
    return new ServerFailure(String(error), undefined, undefined, undefined);
  const errno = 'errno' in error && typeof error.errno === 'number' ? error.errno : undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const sqlState = 'sqlState' in error && typeof error.sqlState === 'string' ? error.sqlState : undefined;
  const serverText = 'sqlMessage' in error && typeof error.sqlMessage === 'string' ? error.sqlMessage : undefined;
  const message = 'message' in error ? String(error.message) : 'The driver failed without a message.';
  const isServers = errno !== undefined && errno > 0;
  const text = isServers ? serverSentence({ number: errno, sqlState, text: serverText ?? message }) : message;
  return new ServerFailure(text, errno, code, sqlState);
}
