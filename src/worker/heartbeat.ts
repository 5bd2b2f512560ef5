import type { JobQueue, Lease } from '../postgres/contracts/jobQueue.js';
import { Interruption } from './interruption.js';
import type { WorkerTimes } from './workerTools.js';

export type Heartbeat = {
  /** Aborted with an `Interruption` when the lease is lost, or the job is to be cancelled. */
  readonly signal: AbortSignal;
  interrupt(interruption: Interruption): void;
  stop(): void;
};

/**
 * Renews a lease until it is stopped. A lease that PostgreSQL refuses to renew, or that could not be renewed until just
 * before its end by this machine's monotonic clock, is lost: the signal aborts, and with it everything the run started.
 */
export function startHeartbeat(options: {
  readonly queue: JobQueue;
  readonly lease: Lease;
  readonly times: WorkerTimes;
  /** Asked at each beat: a wake-up call to cancel may have been lost. */
  readonly cancelRequested: () => Promise<boolean>;
}): Heartbeat {
  const { queue, lease, times, cancelRequested } = options;
  const controller = new AbortController();
  const interrupt = (interruption: Interruption) => {
    if (!controller.signal.aborted) controller.abort(interruption);
  };
  const loseLease = () => interrupt(new Interruption('LEASE_LOST'));

  // A tenth of the lease is kept for ending what runs before another worker may begin.
  const renewableMs = times.lease * 0.9;
  let expiry = setTimeout(loseLease, renewableMs);

  const beat = async () => {
    const askedAt = performance.now();
    if (!(await queue.renew(lease, times.lease))) {
      loseLease();
      return;
    }
    // Counted from before the question: the server's answer may have been long on its way.
    const leftMs = renewableMs - (performance.now() - askedAt);
    clearTimeout(expiry);
    if (controller.signal.aborted || stopped) return;
    expiry = setTimeout(loseLease, Math.max(0, leftMs));
    if (await cancelRequested()) interrupt(new Interruption('CANCELLED'));
  };

  let stopped = false;
  let beating = false;
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

  return {
    signal: controller.signal,
    interrupt,
    stop() {
      stopped = true;
      clearInterval(timer);
      clearTimeout(expiry);
    },
  };
}
