import { startHeartbeat, type Heartbeat } from './heartbeat.js';
import { Interruption } from './interruption.js';
import type { ClaimedJob, RunEnd } from './jobKind.js';
import type { WorkerTools } from './workerTools.js';

/** The running attempts of one worker, each with the heartbeat of its lease. */
export interface RunningAttempts {
  readonly size: number;
  begin(claimed: ClaimedJob): void;
  /** Interrupts the attempt of this job if its cancellation was requested. */
  cancelIfRequested(jobId: string): Promise<void>;
  /** Interrupts every attempt, also those that begin later, so that they hand their jobs back. */
  handBack(): void;
  /** Resolves when no attempt runs. */
  ended(): Promise<void>;
}

type AfterEnd = (claimed: ClaimedJob, end: RunEnd) => Promise<void>;

/**
 * `afterEnd` runs when the end of an attempt was appended, and `afterEach` when an attempt no longer occupies a place.
 */
export function createRunningAttempts(
  tools: WorkerTools,
  { afterEnd, afterEach }: { readonly afterEnd: AfterEnd; readonly afterEach: () => void },
): RunningAttempts {
  // The key is the attempt, because an attempt that lost its lease may still be ending when this worker claims the next
  // attempt of the same job.
  const running = new Set<{ readonly claimed: ClaimedJob; readonly heartbeat: Heartbeat; done: Promise<void> }>();
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
        cancelRequested: () => cancelRequested(tools, claimed),
      });
      const attempt = { claimed, heartbeat, done: Promise.resolve() };
      running.add(attempt);
      if (handsBack) heartbeat.interrupt(new Interruption('DRAINING'));
      attempt.done = run(tools, claimed, heartbeat, afterEnd).finally(() => {
        running.delete(attempt);
        afterEach();
      });
    },

    async cancelIfRequested(jobId) {
      for (const { claimed, heartbeat } of running) {
        if (claimed.lease.jobId !== jobId || !(await cancelRequested(tools, claimed))) continue;
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

async function run(tools: WorkerTools, claimed: ClaimedJob, heartbeat: Heartbeat, afterEnd: AfterEnd): Promise<void> {
  const { jobId, attempt } = claimed.lease;
  try {
    const end = await claimed.kind.run(tools, claimed, heartbeat);
    tools.log.info({ jobId, kind: claimed.kind.name, attempt, end }, 'An attempt has ended');
    await afterEnd(claimed, end);
  } catch (error) {
    // The lease expires and the reaper ends the attempt, so logging is enough.
    tools.log.error({ err: error, jobId, attempt }, 'The end of an attempt could not be recorded');
  } finally {
    heartbeat.stop();
  }
}

async function cancelRequested({ store }: WorkerTools, { kind, lease }: ClaimedJob): Promise<boolean> {
  const { state } = await store.load(kind.decider, lease.jobId);
  return state.status === 'RUNNING' && state.current.number === lease.attempt && state.cancelRequestedBy !== null;
}
