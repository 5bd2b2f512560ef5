import { StowageError } from '../errors.js';
import type { JobQueue, Lease } from '../postgres/contracts/jobQueue.js';
import { Interruption } from './interruption.js';
import type { WorkerTimes } from './workerTools.js';

/** The signals that a run obeys while it holds a lease. */
export type LeaseSignals = {
  /** Aborted with an `Interruption`. The run must then end everything that it has started. */
  readonly signal: AbortSignal;
  /**
   * Aborted with `LeaseLost` when another worker may hold the lease, even if the run was already interrupted. From then
   * on the run appends nothing.
   */
  readonly lost: AbortSignal;
};

/** The reason with which `lost` aborts. */
export class LeaseLost extends StowageError {
  constructor(
    jobId: string,
    /**
     * PostgreSQL refused the lease. It also refuses a lease that its holder's own final append has just released, so
     * only the log shows whether the attempt has ended.
     */
    readonly isRefused: boolean,
  ) {
    super('WORKER_LOST', `The lease on job ${jobId} was lost.`);
  }
}

export type Heartbeat = LeaseSignals & {
  interrupt(interruption: Interruption): void;
  stop(): void;
};

export type HeartbeatOptions = {
  readonly queue: JobQueue;
  readonly lease: Lease;
  /** `performance.now()` from before the lease was requested, because the answer may have been delayed. */
  readonly askedAtMs: number;
  readonly times: WorkerTimes;
  /** Checked at each beat, because a signal to cancel may have been lost. */
  readonly cancelRequested: () => Promise<boolean>;
};

/**
 * Renews a lease until it is stopped. The lease is lost when PostgreSQL refuses to renew it, or when it could not be
 * renewed until just before its end by this machine's monotonic clock. Then both signals abort and renewing stops.
 */
export function startHeartbeat(options: HeartbeatOptions): Heartbeat {
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
  // The last tenth of the lease is reserved for ending the run before another worker may begin.
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
    // A failed beat is repeated. When none succeeds in time, the lease is lost.
    void beat()
      .catch(() => undefined)
      .finally(() => {
        beating = false;
      });
  }, times.heartbeat);
  loseLater(options.askedAtMs);

  return { signal: running.signal, lost: lost.signal, interrupt, stop };
}
