import type { RunnableEngine } from './runnableEngines.js';
import type { WorkerTools } from './workerTools.js';

/** The properties of a worker process besides its id. */
export type WorkerProcess = {
  readonly host: string;
  readonly pid: number;
  readonly programVersion: string;
  /** The number of jobs that it runs at once. */
  readonly concurrency: number;
};

export type Presence = {
  /** Reports that the worker runs, and which engines it can run. Called at each heartbeat. */
  report(): Promise<void>;
  /** Reports from now on that the worker is stopping. */
  drain(): Promise<void>;
  /** Reports that the worker has stopped. */
  leave(): Promise<void>;
};

/** Reports this worker to the registry. While jobs wait that no worker can run, it logs a warning. */
export function createPresence(
  tools: WorkerTools,
  self: WorkerProcess,
  runnable: () => Promise<readonly RunnableEngine[]>,
): Presence {
  let draining = false;
  let warnedOf = '';

  async function report(): Promise<void> {
    const engines = (await runnable()).flatMap(({ name, tools: versions }) =>
      Object.entries(versions).flatMap(([tool, all]) => all.map((version) => ({ engine: name, tool, version }))),
    );
    // The worker counts as lost only after several missed heartbeats.
    await tools.workers.report({ ...self, id: tools.workerId, engines, draining, lostAfterMs: tools.times.lease });
  }

  async function warnOfJobsWithoutWorker(): Promise<void> {
    const waiting = await tools.workers.withoutWorker();
    const engines = waiting.map(({ engine }) => engine).join(', ');
    if (engines !== warnedOf && waiting.length > 0) {
      tools.log.warn({ waiting }, `Jobs wait for a worker with the tools for ${engines}`);
    }
    warnedOf = engines;
  }

  return {
    async report() {
      await report();
      if (!draining) await warnOfJobsWithoutWorker();
    },
    drain() {
      draining = true;
      return report();
    },
    leave: () => tools.workers.leave(tools.workerId),
  };
}
