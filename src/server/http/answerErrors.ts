import { randomUUID } from 'node:crypto';
import type { ErrorRequestHandler, Response } from 'express';
import { badInput, StowageError } from '../../errors.js';
import { apiError, type ErrorLog } from '../apiError.js';
import { retryAfter, TooManyRequests } from '../fairness/tooManyRequests.js';

/** Answers errors that occur before GraphQL in the form of GraphQL. The answer never repeats the body. */
export function answerErrors(log: ErrorLog): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const status = error instanceof StowageError ? statusOf(error, response) : statusOfBodyError(error);
    const shown = status === undefined || error instanceof StowageError ? error : unreadableBody(status);
    response.status(status ?? 500).json({ errors: [apiError(shown, randomUUID(), log)] });
  };
}

function statusOf(error: StowageError, response: Response): number {
  const { code } = error;
  if (error instanceof TooManyRequests) {
    if (!response.hasHeader('Retry-After')) response.set('Retry-After', retryAfter);
    return 429;
  }
  if (code === 'UNAVAILABLE') return 503;
  if (code !== 'UNAUTHENTICATED') return 400;
  return response.statusCode === 429 ? 429 : 401;
}

/** The status of an error of express's JSON parser. An error of decompression is one of zlib with this status. */
function statusOfBodyError(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('status' in error)) return undefined;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}

function unreadableBody(status: number): StowageError {
  const problem = status === 413 ? 'is too large' : 'is not JSON in UTF-8';
  const hint = status === 413 ? 'Send less at once.' : 'Send a JSON object with query, variables and operationName.';
  return badInput([{ path: 'request', problem, hint }]);
}
