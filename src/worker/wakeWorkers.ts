import type { WorkerTools } from './workerTools.js';

/** Signals all workers that a job may be due. A lost signal is repaired by their next poll. */
export async function wakeWorkers(tools: WorkerTools): Promise<void> {
  await tools.signals.send('work').catch(() => undefined);
}
