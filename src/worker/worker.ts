import { backupJob } from '../jobs/backupJob.js';
import { restoreJob } from '../restores/restoreJob.js';
import type { Lease } from '../postgres/contracts/jobQueue.js';
import { runBackup } from './backupRun.js';
import { claimJob, type Claimed } from './claim.js';
import { deleteDecidedBackups } from './deletionRun.js';
import { startHeartbeat, type Heartbeat } from './heartbeat.js';
import { Interruption } from './interruption.js';
import { reapExpiredLeases } from './reaper.js';
import { startRepeating, type Repeating } from './repeating.js';
import { runRestore } from './restoreRun.js';
import { applyRetention, destinationsOfPlans } from './retentionRun.js';
import { runnableEngines } from './runnableEngines.js';
import type { WorkerTools } from './workerTools.js';

export interface Worker {
  /** Begins to claim jobs, of the engines whose tools are installed. */
  start(): Promise<void>;
  /**
   * Claims no more, lets what runs finish within the grace time, hands back what did not, and returns when no child
   * process, timer or subscription of it is left.
   */
  stop(): Promise<void>;
}

/** Dumps and restores, at most `concurrency` jobs at once. */
export function createWorker(tools: WorkerTools, { concurrency }: { readonly concurrency: number }): Worker {
  const running = new Map<
    string,
    { readonly lease: Lease; readonly heartbeat: Heartbeat; readonly done: Promise<void> }
  >();
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  const runnable = runnableEngines(tools);
  const loops: Repeating[] = [];
  const subscriptions: (() => void)[] = [];

  async function run(claimed: Claimed, heartbeat: Heartbeat): Promise<void> {
    const { jobId } = claimed.lease;
    try {
      const end =
        claimed.kind === 'BACKUP'
          ? await runBackup(tools, claimed, heartbeat.signal)
          : await runRestore(tools, claimed, heartbeat.signal);
      tools.log.info({ jobId, kind: claimed.kind, attempt: claimed.lease.attempt, end }, 'An attempt has ended');
      if (claimed.kind === 'BACKUP' && end === 'SUCCEEDED' && claimed.request.planId !== null) {
        const { planId, fileEndpointId } = claimed.request;
        await applyRetention(tools, { planId, fileEndpointId });
        deletions.wake();
      }
    } catch (error) {
      // The lease runs out and the reaper ends the attempt: nothing is lost by saying it here alone.
      tools.log.error({ err: error, jobId }, 'The end of an attempt could not be recorded');
    } finally {
      heartbeat.stop();
      running.delete(jobId);
      claims.wake();
    }
  }

  async function claimAll(): Promise<void> {
    const engines = await runnable();
    while (running.size < concurrency && !isStopping() && engines.length > 0) {
      const claimed = await claimJob(tools, engines);
      if (claimed === undefined) return;
      const heartbeat = startHeartbeat({
        queue: tools.queue,
        lease: claimed.lease,
        times: tools.times,
        cancelRequested: () => cancelRequested(claimed.lease),
      });
      const { lease } = claimed;
      running.set(lease.jobId, { lease, heartbeat, done: run(claimed, heartbeat) });
      // The call to cancel may have come between the claim and here.
      await cancelIfRequested(lease.jobId);
    }
  }

  async function cancelRequested({ kind, jobId }: Lease): Promise<boolean> {
    const { store } = tools;
    const { state } = kind === 'BACKUP' ? await store.load(backupJob, jobId) : await store.load(restoreJob, jobId);
    return state.status === 'RUNNING' && state.cancelRequestedBy !== null;
  }

  async function cancelIfRequested(jobId: string): Promise<void> {
    const run = running.get(jobId);
    if (run !== undefined && (await cancelRequested(run.lease))) run.heartbeat.interrupt(new Interruption('CANCELLED'));
  }

  async function sweep(): Promise<void> {
    for (const destination of await destinationsOfPlans(tools.dataSource.manager)) {
      if (isStopping()) return;
      await applyRetention(tools, destination);
    }
    deletions.wake();
  }

  const repeat = (name: string, everyMs: number, work: () => Promise<unknown>) =>
    startRepeating({
      everyMs,
      work,
      onError: (error) => tools.log.error({ err: error, loop: name }, 'A round failed'),
    });
  const claims = repeat('claim', tools.times.poll, claimAll);
  const deletions = repeat('delete', tools.times.sweep, () => deleteDecidedBackups(tools, stopping.signal));

  return {
    async start() {
      if ((await runnable()).length === 0) {
        tools.log.warn('No dump tools are installed here: this worker waits until some are');
      }
      loops.push(
        claims,
        deletions,
        repeat('reap', tools.times.reap, () => reapExpiredLeases(tools)),
        repeat('sweep', tools.times.sweep, sweep),
      );
      subscriptions.push(
        tools.signals.subscribe('work', () => {
          claims.wake();
          deletions.wake();
        }),
        tools.signals.subscribe('cancel', (jobId) => {
          // A failure to look is made good by the next heartbeat.
          void cancelIfRequested(jobId).catch(() => undefined);
        }),
      );
      for (const loop of loops) loop.start();
    },

    async stop() {
      stopping.abort();
      for (const unsubscribe of subscriptions) unsubscribe();
      await Promise.all(loops.map((loop) => loop.stop()));
      const grace = setTimeout(() => {
        for (const { heartbeat } of running.values()) heartbeat.interrupt(new Interruption('DRAINING'));
      }, tools.times.grace);
      while (running.size > 0) await Promise.all([...running.values()].map(({ done }) => done));
      clearTimeout(grace);
    },
  };
}
