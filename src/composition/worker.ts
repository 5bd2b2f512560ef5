import type { WorkerConfig } from '../config.js';
import { notYetAvailable } from '../errors.js';
import type { Log } from '../log.js';
import type { Running } from '../untilStopped.js';

/** `stowage worker`: dumps and restores. */
export function startWorker(_config: WorkerConfig, _log: Log): Promise<Running> {
  return Promise.reject(notYetAvailable('The worker is not built yet.'));
}
