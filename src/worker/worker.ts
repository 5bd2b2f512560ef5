import { backupJob } from '../backups/backupJob.js';
import type { Destination } from '../backups/retention/retainedBackups.js';
import { restoreJob } from '../restores/restoreJob.js';
import type { Lease } from '../postgres/contracts/jobQueue.js';
import { createAdoptions } from './expiredLeases/adoption.js';
import { runBackup } from './runs/backupRun.js';
import { claimJob, type Claimed } from './claim.js';
import { createAudits } from './sweeping/auditRun.js';
import { createDeletions } from './sweeping/deletionRun.js';
import { startHeartbeat, type Heartbeat } from './heartbeat.js';
import { Interruption } from './interruption.js';
import { createPresence, type WorkerProcess } from './presence.js';
import { createMarkKeeper } from './sweeping/markKeeper.js';
import { freeKeptTargets } from './runs/keptTargets.js';
import { reapExpiredLeases, reapLostRestores } from './expiredLeases/reaper.js';
import { startRepeating, type Repeating } from './repeating.js';
import { runRestore } from './runs/restoreRun.js';
import { applyRetention } from './retention/retentionRun.js';
import { createRetentionSweep } from './retention/retentionSweep.js';
import { runnableEngines } from './runnableEngines.js';
import { removeAbandonedWorkFolders } from './runs/workFolder.js';
import { refuseWrongClock } from './wrongClock.js';
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
export function createWorker(tools: WorkerTools, self: WorkerProcess): Worker {
  // By attempt: one that lost its lease may still be ending when this worker claims the next attempt of the same job.
  const running = new Set<{ readonly lease: Lease; readonly heartbeat: Heartbeat; done: Promise<void> }>();
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  let graceIsOver = false;
  const runnable = runnableEngines(tools);
  const presence = createPresence(tools, self, runnable);
  const loops: Repeating[] = [];
  const subscriptions: (() => void)[] = [];

  async function run(claimed: Claimed, heartbeat: Heartbeat): Promise<void> {
    const { jobId, attempt } = claimed.lease;
    try {
      const end = await (claimed.kind === 'BACKUP'
        ? runBackup(tools, claimed, heartbeat)
        : runRestore(tools, claimed, heartbeat));
      tools.log.info({ jobId, kind: claimed.kind, attempt, end }, 'An attempt has ended');
      if (claimed.kind === 'RESTORE' && end === 'CANCELLED') targets.wake();
      if (claimed.kind === 'BACKUP' && end === 'SUCCEEDED' && claimed.request.planId !== null) {
        const { planId, fileEndpointId } = claimed.request;
        await retain({ planId, fileEndpointId });
        deletions.wake();
      }
    } catch (error) {
      // The lease runs out and the reaper ends the attempt: nothing is lost by saying it here alone.
      tools.log.error({ err: error, jobId, attempt }, 'The end of an attempt could not be recorded');
    } finally {
      heartbeat.stop();
    }
  }

  /** Whether there may be something to claim; else a round, which comes every few seconds, looks before it tries. */
  let called = true;
  function callToClaim(): void {
    called = true;
    claims.wake();
  }

  async function claimAll(): Promise<void> {
    const isCalled = called;
    called = false;
    if (!isCalled && (await tools.queue.nextDue()) === undefined) return;
    const engines = (await runnable()).map(({ name }) => name);
    while (running.size < self.concurrency && !isStopping() && engines.length > 0) {
      const claimed = await claimJob(tools, engines);
      if (claimed === undefined) return;
      begin(claimed);
      // The call to cancel may have come between the claim and here.
      await cancelIfRequested(claimed.lease.jobId);
    }
  }

  function begin(claimed: Claimed): void {
    const { lease, askedAtMs } = claimed;
    const heartbeat = startHeartbeat({
      queue: tools.queue,
      lease,
      askedAtMs,
      times: tools.times,
      cancelRequested: () => cancelRequested(lease),
    });
    const attempt = { lease, heartbeat, done: Promise.resolve() };
    running.add(attempt);
    if (graceIsOver) heartbeat.interrupt(new Interruption('DRAINING'));
    attempt.done = run(claimed, heartbeat).finally(() => {
      running.delete(attempt);
      callToClaim();
    });
  }

  async function cancelRequested({ kind, jobId, attempt }: Lease): Promise<boolean> {
    const { store } = tools;
    const { state } = kind === 'BACKUP' ? await store.load(backupJob, jobId) : await store.load(restoreJob, jobId);
    return state.status === 'RUNNING' && state.current.number === attempt && state.cancelRequestedBy !== null;
  }

  async function cancelIfRequested(jobId: string): Promise<void> {
    for (const { lease, heartbeat } of running) {
      if (lease.jobId === jobId && (await cancelRequested(lease))) heartbeat.interrupt(new Interruption('CANCELLED'));
    }
  }

  /** What fails at one destination is tried again by the next sweep, and keeps no other from its turn. */
  async function retain(destination: Destination): Promise<void> {
    try {
      await refuseWrongClock(tools);
      await applyRetention(tools, destination, stopping.signal);
    } catch (error) {
      if (!isStopping()) tools.log.warn({ err: error, ...destination }, 'Retention could not be applied yet');
    }
  }

  const destinationsToPrune = createRetentionSweep(tools);
  async function sweep(): Promise<void> {
    for (const destination of await destinationsToPrune()) {
      if (isStopping()) return;
      await retain(destination);
    }
    deletions.wake();
  }

  const adoptLost = createAdoptions(tools);
  async function adopt(): Promise<void> {
    for (const destination of await adoptLost(stopping.signal)) {
      if (isStopping()) return;
      await retain(destination);
      deletions.wake();
    }
  }

  /** What cannot be shown keeps the worker from nothing: it is taken for lost then. */
  async function shown(what: 'drain' | 'leave'): Promise<void> {
    try {
      await presence[what]();
    } catch (error) {
      tools.log.warn({ err: error }, 'That this worker stops could not be shown');
    }
  }

  const repeat = (name: string, everyMs: number, work: () => Promise<unknown>) =>
    startRepeating({
      everyMs,
      work,
      onError: (error) => tools.log.error({ err: error, loop: name }, 'A round failed'),
    });
  const reports = repeat('report', tools.times.heartbeat, () => presence.report());
  const claims = repeat('claim', tools.times.poll, claimAll);
  const deleteDecided = createDeletions(tools);
  const keepMarks = createMarkKeeper(tools);
  const audit = createAudits(tools);
  const deletions = repeat('delete', tools.times.reap, () => deleteDecided(stopping.signal));
  const targets = repeat('free targets', tools.times.reap, () => freeKeptTargets(tools, stopping.signal));

  return {
    async start() {
      if ((await runnable()).length === 0) {
        tools.log.warn('No dump tools are installed here: this worker waits until some are');
      }
      await removeAbandonedWorkFolders(tools.workRoot);
      await presence.report();
      if (isStopping()) return;
      loops.push(
        claims,
        deletions,
        targets,
        repeat('reap', tools.times.reap, () => reapExpiredLeases(tools, stopping.signal)),
        repeat('adopt', tools.times.reap, adopt),
        repeat('reap restores', tools.times.reap, () => reapLostRestores(tools, stopping.signal)),
        repeat('sweep', tools.times.sweep, sweep),
        repeat('audit', Math.min(60_000, tools.times.audit), () => audit(stopping.signal)),
        repeat('mark', Math.ceil(tools.times.mark / 20), () => keepMarks(stopping.signal)),
      );
      subscriptions.push(
        tools.signals.subscribe('work', () => {
          callToClaim();
          deletions.wake();
        }),
        tools.signals.subscribe('cancel', (jobId) => {
          // A failure to look is made good by the next heartbeat.
          void cancelIfRequested(jobId).catch(() => undefined);
        }),
      );
      for (const loop of [reports, ...loops]) loop.start();
    },

    async stop() {
      stopping.abort();
      for (const unsubscribe of subscriptions) unsubscribe();
      const grace = setTimeout(() => {
        graceIsOver = true;
        for (const { heartbeat } of running) heartbeat.interrupt(new Interruption('DRAINING'));
      }, tools.times.grace);
      await Promise.all([shown('drain'), ...loops.map((loop) => loop.stop())]);
      while (running.size > 0) await Promise.all([...running].map(({ done }) => done));
      clearTimeout(grace);
      await reports.stop();
      await shown('leave');
    },
  };
}
