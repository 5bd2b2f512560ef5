import type { RequestHandler } from 'express';
import { StowageError } from '../errors.js';

/** Checks a server that requests need. The check fails if it rejects or takes longer than 2 s. */
export type ReadinessChecks = Readonly<Record<string, () => Promise<unknown>>>;

const patienceMs = 2_000;

/** Answers 200 while the process runs. */
export const alive: RequestHandler = (_request, response) => {
  response.type('text').send('ok\n');
};

/** Answers 200 if every check passes, otherwise 503. The body names each check. Answers 503 once the server is closing. */
export function ready(checks: ReadinessChecks, isClosing: () => boolean): RequestHandler {
  return async (_request, response) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await outcomeOf(check)] as const),
    );
    const isReady = !isClosing() && results.every(([, outcome]) => outcome === 'ok');
    response
      .status(isReady ? 200 : 503)
      .json({ ready: isReady, closing: isClosing(), checks: Object.fromEntries(results) });
  };
}

async function outcomeOf(check: () => Promise<unknown>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${patienceMs / 1000} s`), patienceMs);
  });
  // Messages of drivers may contain addresses and names. Anyone may read this page, so it shows only our own messages.
  const failed = (error: unknown) => (error instanceof StowageError ? error.code : 'failed');
  try {
    return await Promise.race([check().then(() => 'ok', failed), late]);
  } finally {
    clearTimeout(timer);
  }
}
