import type { ArchiveProgress } from '../../archive/archive.js';
import type { Lease } from '../../postgres/contracts/jobQueue.js';
import type { JobProgress } from '../../postgres/contracts/telemetry.js';
import { unlessAborted } from '../../unlessAborted.js';
import { leftMs } from './leftMs.js';
import type { WorkerTools } from '../workerTools.js';

const intervalMs = 1_000;
/** The rate is measured over the last few seconds, so that it shows whether the run is moving now. */
const windowMs = 5_000;

export type ProgressReports = {
  readonly report: (progress: ArchiveProgress) => void;
  /** Sends the newest progress at once, before the run enters another phase. */
  readonly sendNow: () => Promise<void>;
  readonly end: () => Promise<void>;
};

/**
 * Sends the progress of a run at most once a second, and at each change of phase. A failure to send does not fail the
 * job. A run that has lost its lease sends and clears nothing, because the shown progress then belongs to the next
 * attempt.
 */
export function progressReports(tools: WorkerTools, lease: Lease, lost: AbortSignal): ProgressReports {
  let newest: ArchiveProgress | undefined;
  let samples: readonly { readonly atMs: number; readonly bytes: number }[] = [];
  let sending: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let sentAtMs = -Infinity;
  let ended = false;

  const send = () => {
    timer = undefined;
    if (newest === undefined || sending !== undefined || lost.aborted) return;
    const progress = newest;
    newest = undefined;
    const atMs = performance.now();
    sentAtMs = atMs;
    samples = [...samples.filter((sample) => sample.atMs > atMs - windowMs), { atMs, bytes: progress.readBytes }];
    sending = tools.telemetry
      .publish(progressOf(lease, progress, rateOf(samples), tools.now()))
      .catch((error: unknown) => tools.log.debug({ err: error, jobId: lease.jobId }, 'Progress could not be sent'))
      .finally(() => {
        sending = undefined;
        if (newest !== undefined) schedule();
      });
  };
  const schedule = () => {
    if (!ended) timer ??= setTimeout(send, Math.max(0, sentAtMs + intervalMs - performance.now()));
  };

  return {
    report(progress) {
      newest = progress;
      schedule();
    },
    async sendNow() {
      // Rejects only if the lease is lost. Nothing may be sent in that case.
      await unlessAborted(lost, async () => {
        await sending;
        clearTimeout(timer);
        send();
        await sending;
      }).catch(() => undefined);
    },
    async end() {
      ended = true;
      newest = undefined;
      clearTimeout(timer);
      await sending;
      if (!lost.aborted) await tools.telemetry.clear(lease.jobId).catch(() => undefined);
    },
  };
}

function rateOf(samples: readonly { readonly atMs: number; readonly bytes: number }[]): number {
  const first = samples.at(0);
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs);
}

function progressOf(lease: Lease, progress: ArchiveProgress, bytesPerSecond: number, now: Date): JobProgress {
  const { readBytes, storedBytes, segments, share } = progress;
  const { jobId, projectId, kind, attempt } = lease;
  const left = leftMs(progress.work);
  return {
    jobId,
    projectId,
    kind,
    attempt,
    readBytes,
    storedBytes,
    segments,
    bytesPerSecond,
    share,
    estimatedEnd: left === null ? null : new Date(now.getTime() + left).toISOString(),
    at: now.toISOString(),
  };
}
