import type { WorkerConfig } from '../config.js';
import type { Log } from '../log.js';
import type { Running } from '../untilStopped.js';
import { Closing } from './closing.js';
import { openShared } from './shared.js';
import { startWorkerRole } from './workerRole.js';

/** `stowage worker`: dumps and restores. */
export function startWorker(config: WorkerConfig, log: Log): Promise<Running> {
  const closing = new Closing(log);
  return closing.guard(async () => {
    const shared = await openShared(config, log, closing);
    await startWorkerRole(shared, config, log, closing);
    return { stop: () => closing.close() };
  });
}
