import type { WorkerTools } from './workerTools.js';

/** Signals all workers that a job may be due. If a signal is lost, their next poll finds the job. */
export async function wakeWorkers(tools: WorkerTools): Promise<void> {
  await tools.signals.send('work').catch(() => undefined);
}
