import type { RequestHandler } from 'express';
import { StowageError } from '../errors.js';

/** What must answer before requests make sense: rejects (or takes over 2 s) when it does not. */
export type ReadinessChecks = Readonly<Record<string, () => Promise<unknown>>>;

const patienceMs = 2_000;

/** 200 while the process runs: whoever restarts it needs no more. */
export const alive: RequestHandler = (_request, response) => {
  response.type('text').send('ok\n');
};

/** 200 when every check passes, else 503; the body names each check. 503 as soon as the server begins to close. */
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
  // Messages of drivers may hold addresses and names: anyone may ask here, so only ours are shown.
  const failed = (error: unknown) => (error instanceof StowageError ? error.code : 'failed');
  try {
    return await Promise.race([check().then(() => 'ok', failed), late]);
  } finally {
    clearTimeout(timer);
  }
}
