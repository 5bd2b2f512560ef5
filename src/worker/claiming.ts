import { claimJob } from './claim.js';
import type { ClaimedJob, JobKind, RunEnd } from './jobKind.js';
import type { Repeating } from './repeating.js';
import type { RunnableEngine } from './runnableEngines.js';
import { createRunningAttempts, type RunningAttempts } from './runningAttempts.js';
import { repeatLogged } from './upkeep.js';
import type { WorkerTools } from './workerTools.js';

export type Claiming = {
  readonly loop: Repeating;
  readonly attempts: RunningAttempts;
  /** Starts a claim at once, because a job may be due. */
  readonly call: () => void;
};

/** Claims jobs and runs them, at most `concurrency` at once, until `stopping` aborts. */
export function createClaiming(
  tools: WorkerTools,
  options: {
    readonly kinds: readonly JobKind[];
    readonly concurrency: number;
    readonly runnable: () => Promise<readonly RunnableEngine[]>;
    readonly stopping: AbortSignal;
    readonly afterEnd: (claimed: ClaimedJob, end: RunEnd) => Promise<void>;
  },
): Claiming {
  const { kinds, concurrency, runnable, stopping, afterEnd } = options;
  const attempts = createRunningAttempts(tools, { afterEnd, afterEach: call });
  const loop = repeatLogged(tools, 'claim', tools.times.poll, claimAll);
  /** False: the next round first checks cheaply whether any job is due. */
  let isCalled = true;

  function call(): void {
    isCalled = true;
    loop.wake();
  }

  async function claimAll(): Promise<void> {
    const wasCalled = isCalled;
    isCalled = false;
    if (!wasCalled && (await tools.queue.nextDue()) === undefined) return;
    const engines = (await runnable()).flatMap(({ name, needs }) => [name, ...needs]);
    while (attempts.size < concurrency && !stopping.aborted && engines.length > 0) {
      const claimed = await claimJob(tools, kinds, engines);
      if (claimed === undefined) return;
      attempts.begin(claimed);
      // The cancel signal may have arrived between the claim and this line.
      await attempts.cancelIfRequested(claimed.lease.jobId);
    }
  }

  return { loop, attempts, call };
}
