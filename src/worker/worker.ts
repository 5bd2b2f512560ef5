import { claimJob, type Claimed } from './claim.js';
import { createPresence, type WorkerProcess } from './presence.js';
import { runnableEngines } from './runnableEngines.js';
import { createRunningAttempts } from './runningAttempts.js';
import type { RunEnd } from './runs/attemptEnd.js';
import { removeAbandonedWorkFolders } from './runs/workFolder.js';
import { createUpkeep, repeatLogged } from './upkeep.js';
import type { WorkerTools } from './workerTools.js';

export interface Worker {
  /** Begins to claim jobs of the engines whose tools are installed. */
  start(): Promise<void>;
  /**
   * Claims no more jobs, lets those that run finish within the grace time, hands back the others, and returns when no
   * child process, timer or subscription of this worker is left.
   */
  stop(): Promise<void>;
}

/** Dumps and restores, at most `concurrency` jobs at once. */
export function createWorker(tools: WorkerTools, self: WorkerProcess): Worker {
  const stopping = new AbortController();
  const runnable = runnableEngines(tools);
  const presence = createPresence(tools, self, runnable);
  const upkeep = createUpkeep(tools, stopping.signal);
  const { deletions, targets } = upkeep;
  const attempts = createRunningAttempts(tools, { afterEnd, afterEach: callToClaim });
  const reports = repeatLogged(tools, 'report', tools.times.heartbeat, () => presence.report());
  const claims = repeatLogged(tools, 'claim', tools.times.poll, claimAll);
  const loops = [claims, ...upkeep.loops];
  const subscriptions: (() => void)[] = [];
  /** False: the next round of claims first checks cheaply whether any job is due. */
  let isCalled = true;

  function callToClaim(): void {
    isCalled = true;
    claims.wake();
  }

  async function claimAll(): Promise<void> {
    const wasCalled = isCalled;
    isCalled = false;
    if (!wasCalled && (await tools.queue.nextDue()) === undefined) return;
    const engines = (await runnable()).map(({ name }) => name);
    while (attempts.size < self.concurrency && !stopping.signal.aborted && engines.length > 0) {
      const claimed = await claimJob(tools, engines);
      if (claimed === undefined) return;
      attempts.begin(claimed);
      // A signal to cancel may have come between the claim and the subscription of the attempt.
      await attempts.cancelIfRequested(claimed.lease.jobId);
    }
  }

  async function afterEnd(claimed: Claimed, end: RunEnd): Promise<void> {
    if (claimed.kind === 'RESTORE' && end === 'CANCELLED') targets.wake();
    if (claimed.kind !== 'BACKUP' || end !== 'SUCCEEDED' || claimed.request.planId === null) return;
    const { planId, fileEndpointId } = claimed.request;
    await upkeep.retain({ planId, fileEndpointId });
    deletions.wake();
  }

  function subscribe(): void {
    subscriptions.push(
      tools.signals.subscribe('work', () => {
        callToClaim();
        deletions.wake();
      }),
      // A failure here is repaired by the next heartbeat, which checks for cancellation too.
      tools.signals.subscribe('cancel', (jobId) => void attempts.cancelIfRequested(jobId).catch(() => undefined)),
    );
  }

  /** A failure stops nothing: other processes then take this worker for lost. */
  async function reportLogged(what: 'drain' | 'leave'): Promise<void> {
    try {
      await presence[what]();
    } catch (error) {
      tools.log.warn({ err: error }, 'That this worker stops could not be shown');
    }
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
      await Promise.all([reportLogged('drain'), ...loops.map((loop) => loop.stop())]);
      await attempts.ended();
      clearTimeout(grace);
      await reports.stop();
      await reportLogged('leave');
    },
  };
}
