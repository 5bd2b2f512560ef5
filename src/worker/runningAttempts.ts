import type { Lease } from '../postgres/contracts/jobQueue.js';
import type { Claimed } from './claim.js';
import { handlings } from './handlings.js';
import { startHeartbeat, type Heartbeat } from './heartbeat.js';
import { Interruption } from './interruption.js';
import type { RunEnd } from './runs/attemptEnd.js';
import { runBackup } from './runs/backupRun.js';
import { runRestore } from './runs/restoreRun.js';
import type { WorkerTools } from './workerTools.js';

/** The attempts that one worker runs now, each with the heartbeat of its lease. */
export interface RunningAttempts {
  readonly size: number;
  begin(claimed: Claimed): void;
  /** Interrupts the attempt of this job if its cancellation was requested. */
  cancelIfRequested(jobId: string): Promise<void>;
  /** Interrupts every attempt, also those that begin later, so that they hand their jobs back. */
  handBack(): void;
  /** Resolves when no attempt runs. */
  ended(): Promise<void>;
}

type AfterEnd = (claimed: Claimed, end: RunEnd) => Promise<void>;

/** `afterEnd` runs when the end of an attempt was appended, and `afterEach` when an attempt takes no place any more. */
export function createRunningAttempts(
  tools: WorkerTools,
  { afterEnd, afterEach }: { readonly afterEnd: AfterEnd; readonly afterEach: () => void },
): RunningAttempts {
  // By attempt: one that lost its lease may still be ending when this worker claims the next attempt of the same job.
  const running = new Set<{ readonly lease: Lease; readonly heartbeat: Heartbeat; done: Promise<void> }>();
  let handsBack = false;

  return {
    get size() {
      return running.size;
    },

    begin(claimed) {
      const { lease, askedAtMs } = claimed;
      const { queue, times } = tools;
      const heartbeat = startHeartbeat({
        ...{ queue, lease, askedAtMs, times },
        cancelRequested: () => cancelRequested(tools, lease),
      });
      const attempt = { lease, heartbeat, done: Promise.resolve() };
      running.add(attempt);
      if (handsBack) heartbeat.interrupt(new Interruption('DRAINING'));
      attempt.done = run(tools, claimed, heartbeat, afterEnd).finally(() => {
        running.delete(attempt);
        afterEach();
      });
    },

    async cancelIfRequested(jobId) {
      for (const { lease, heartbeat } of running) {
        if (lease.jobId !== jobId || !(await cancelRequested(tools, lease))) continue;
        heartbeat.interrupt(new Interruption('CANCELLED'));
      }
    },

    handBack() {
      handsBack = true;
      for (const { heartbeat } of running) heartbeat.interrupt(new Interruption('DRAINING'));
    },

    async ended() {
      while (running.size > 0) await Promise.all([...running].map(({ done }) => done));
    },
  };
}

async function run(tools: WorkerTools, claimed: Claimed, heartbeat: Heartbeat, afterEnd: AfterEnd): Promise<void> {
  const { jobId, attempt } = claimed.lease;
  try {
    const end = await runClaimed(tools, claimed, heartbeat);
    tools.log.info({ jobId, kind: claimed.kind, attempt, end }, 'An attempt has ended');
    await afterEnd(claimed, end);
  } catch (error) {
    // The lease expires and the reaper ends the attempt, so logging is enough.
    tools.log.error({ err: error, jobId, attempt }, 'The end of an attempt could not be recorded');
  } finally {
    heartbeat.stop();
  }
}

function runClaimed(tools: WorkerTools, claimed: Claimed, heartbeat: Heartbeat): Promise<RunEnd> {
  switch (claimed.kind) {
    case 'BACKUP':
      return runBackup(tools, claimed, heartbeat);
    case 'RESTORE':
      return runRestore(tools, claimed, heartbeat);
  }
}

async function cancelRequested({ store }: WorkerTools, { kind, jobId, attempt }: Lease): Promise<boolean> {
  const { state } = await store.load(handlings[kind].decider, jobId);
  return state.status === 'RUNNING' && state.current.number === attempt && state.cancelRequestedBy !== null;
}
