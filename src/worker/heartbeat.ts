import { StowageError } from '../errors.js';
import type { JobQueue, Lease } from '../postgres/contracts/jobQueue.js';
import { Interruption } from './interruption.js';
import type { WorkerTimes } from './workerTools.js';

/** How long a run may go on, and how long it may speak. */
export type Hold = {
  /** Aborted with an `Interruption`: everything that the run has started is to end. */
  readonly signal: AbortSignal;
  /**
   * Aborted with `LeaseLost` when the lease may be another's, whatever interrupted the run before: from then on it appends
   * nothing.
   */
  readonly lost: AbortSignal;
};

/** What `lost` is aborted with. */
export class LeaseLost extends StowageError {
  constructor(
    jobId: string,
    /** PostgreSQL has said so. It says so too of a lease that went with what its holder was just saying. */
    readonly isRefused: boolean,
  ) {
    super('WORKER_LOST', `The lease on job ${jobId} was lost.`);
  }
}

export type Heartbeat = Hold & {
  interrupt(interruption: Interruption): void;
  stop(): void;
};

/**
 * Renews a lease until it is stopped. A lease that PostgreSQL refuses to renew, or that could not be renewed until just
 * before its end by this machine's monotonic clock, is lost: both signals abort, and it is not renewed any more.
 */
export function startHeartbeat(options: {
  readonly queue: JobQueue;
  readonly lease: Lease;
  /** `performance.now()` from before the lease was asked for: the answer may have been long on its way. */
  readonly askedAtMs: number;
  readonly times: WorkerTimes;
  /** Asked at each beat: a wake-up call to cancel may have been lost. */
  readonly cancelRequested: () => Promise<boolean>;
}): Heartbeat {
  const { queue, lease, times, cancelRequested } = options;
  const running = new AbortController();
  const lost = new AbortController();
  let stopped = false;
  let beating = false;
  let expiry: NodeJS.Timeout | undefined;

  const interrupt = (interruption: Interruption) => {
    if (!running.signal.aborted) running.abort(interruption);
  };
  const stop = () => {
    stopped = true;
    clearInterval(timer);
    clearTimeout(expiry);
  };
  const loseLease = (isRefused: boolean) => {
    if (stopped) return;
    stop();
    lost.abort(new LeaseLost(lease.jobId, isRefused));
    interrupt(new Interruption('LEASE_LOST'));
  };
  // A tenth of the lease is kept for ending what runs before another worker may begin.
  const loseLater = (askedAtMs: number) => {
    clearTimeout(expiry);
    expiry = setTimeout(() => loseLease(false), Math.max(0, times.lease * 0.9 - (performance.now() - askedAtMs)));
  };

  const beat = async () => {
    const askedAtMs = performance.now();
    const renewed = await queue.renew(lease, times.lease);
    if (stopped) return;
    if (!renewed) {
      loseLease(true);
      return;
    }
    loseLater(askedAtMs);
    if (!running.signal.aborted && (await cancelRequested())) interrupt(new Interruption('CANCELLED'));
  };

  const timer = setInterval(() => {
    if (beating) return;
    beating = true;
    // A beat that fails is repeated; when none succeeds in time the lease is lost.
    void beat()
      .catch(() => undefined)
      .finally(() => {
        beating = false;
      });
  }, times.heartbeat);
  loseLater(options.askedAtMs);

  return { signal: running.signal, lost: lost.signal, interrupt, stop };
}
