import { createClaiming } from './claiming.js';
import type { ClaimedJob, JobKind, RunEnd } from './jobKind.js';
import { createPresence, type Presence, type WorkerProcess } from './presence.js';
import { runnableEngines } from './runnableEngines.js';
import { removeAbandonedWorkFolders } from './runs/workFolder.js';
import { createUpkeep, repeatLogged } from './upkeep.js';
import type { WorkerTools } from './workerTools.js';

export interface Worker {
  /** Begins to claim jobs of the engines whose tools are installed. */
  start(): Promise<void>;
  /**
   * Claims no more jobs. Lets running jobs finish within the grace time, and hands back the others. Returns when no
   * child process, timer or subscription of this worker is left.
   */
  stop(): Promise<void>;
}

/** Runs jobs of these kinds, at most `concurrency` at once. It claims jobs of the first kind first. */
export function createWorker(tools: WorkerTools, kinds: readonly JobKind[], self: WorkerProcess): Worker {
  const stopping = new AbortController();
  const runnable = runnableEngines(tools);
  const presence = createPresence(tools, self, runnable);
  const upkeep = createUpkeep(tools, kinds, stopping.signal);
  const { deletions } = upkeep;
  const { concurrency } = self;
  const claiming = createClaiming(tools, { kinds, concurrency, runnable, stopping: stopping.signal, afterEnd });
  const { attempts } = claiming;
  const reports = repeatLogged(tools, 'report', tools.times.heartbeat, () => presence.report());
  const loops = [claiming.loop, ...upkeep.loops];
  const subscriptions: (() => void)[] = [];

  async function afterEnd({ kind, request }: ClaimedJob, end: RunEnd): Promise<void> {
    await kind.afterEnd?.(upkeep, request, end);
  }

  function subscribe(): void {
    subscriptions.push(
      tools.signals.subscribe('work', () => {
        claiming.call();
        deletions.wake();
      }),
      // The next heartbeat repairs a failure here, because it checks for cancellation too.
      tools.signals.subscribe('cancel', (jobId) => void attempts.cancelIfRequested(jobId).catch(() => undefined)),
    );
  }

  return {
    async start() {
      if ((await runnable()).length === 0) {
        tools.log.warn('No dump tools are installed here: this worker waits until some are');
      }
      await removeAbandonedWorkFolders(tools.workRoot);
      await presence.report();
      if (stopping.signal.aborted) return;
      subscribe();
      for (const loop of [reports, ...loops]) loop.start();
    },

    async stop() {
      stopping.abort();
      for (const unsubscribe of subscriptions) unsubscribe();
      const grace = setTimeout(() => attempts.handBack(), tools.times.grace);
      await Promise.all([reportEnd(tools, presence, 'drain'), ...loops.map((loop) => loop.stop())]);
      await attempts.ended();
      clearTimeout(grace);
      await reports.stop();
      await reportEnd(tools, presence, 'leave');
    },
  };
}

/** A failure does not stop the worker. Other processes then consider this worker lost. */
async function reportEnd({ log }: WorkerTools, presence: Presence, what: 'drain' | 'leave'): Promise<void> {
  try {
    await presence[what]();
  } catch (error) {
    log.warn({ err: error }, 'The stop of this worker could not be reported');
  }
}
