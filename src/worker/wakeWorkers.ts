import type { WorkerTools } from './workerTools.js';

/** Tells all workers that there may be something to do. A call that is lost is made good by their next poll. */
export async function wakeWorkers(tools: WorkerTools): Promise<void> {
  await tools.signals.send('work').catch(() => undefined);
}
