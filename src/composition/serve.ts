import type { ServeConfig } from '../config.js';
import type { Log } from '../log.js';
import type { Running } from '../untilStopped.js';
import { startApi } from './apiRole.js';
import { Closing } from './closing.js';
import { openShared } from './shared.js';

/** `stowage serve`: the API. */
export function startServe(config: ServeConfig, log: Log): Promise<Running> {
  const closing = new Closing(log);
  return closing.guard(async () => {
    const shared = await openShared(config, log, closing);
    await startApi(shared, config, log, closing);
    return { stop: () => closing.close() };
  });
}
