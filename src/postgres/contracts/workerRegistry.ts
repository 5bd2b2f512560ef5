import type { JobKind } from './jobQueue.js';

/** A tool that a worker has found on its machine, for an engine whose tools are all there. */
export type EngineTool = { readonly engine: string; readonly tool: string; readonly version: string };

/** What a worker says of itself. */
export type WorkerReport = {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly programVersion: string;
  /** Jobs it runs at once. */
  readonly concurrency: number;
  readonly engines: readonly EngineTool[];
  /** It stops: it finishes or hands back what it has, and claims no more. Once said it stays. */
  readonly draining: boolean;
  /** Not heard for longer than this it counts as lost. */
  readonly lostAfterMs: number;
};

export type WorkerLease = { readonly jobId: string; readonly kind: JobKind; readonly attempt: number };

export type RegisteredWorker = WorkerReport & {
  readonly startedAt: Date;
  readonly lastHeardAt: Date;
  readonly isLost: boolean;
  /** What it holds, the oldest attempt first. */
  readonly leases: readonly WorkerLease[];
};

/** Why a job that is due waits for more than its turn. */
export type WaitingReason =
  /** No worker claims anything: none is there, or all that are there stop. */
  | { readonly kind: 'NO_WORKER' }
  /** None of those that are there has the tools of its engine. */
  | { readonly kind: 'NO_TOOLS'; readonly engine: string }
  /** A worker could not start it, and one will try again. */
  | { readonly kind: 'PUT_OFF'; readonly until: Date }
  /** Sessions of a restore that is over may still run on its service; at `until` it is given up to wait for their end. */
  | { readonly kind: 'SERVICE_KEPT'; readonly until: Date };

/** Due jobs of one engine that no worker can run. */
export type JobsWithoutWorker = { readonly engine: string; readonly jobs: number; readonly oldestQueuedAt: Date };

/**
 * Which workers there are, on the clock of the PostgreSQL server. It is an observation, not truth: leases alone say who
 * may work on a job, and a worker that was thought lost is back with its next report.
 */
export interface WorkerRegistry {
  /** The worker is there now. Tells every process, and forgets workers that were lost more than an hour ago. */
  report(worker: WorkerReport): Promise<void>;
  /** The worker has stopped in order. Tells every process. */
  leave(workerId: string): Promise<void>;
  /** Those there are and those lost within the last hour, by start. */
  list(): Promise<readonly RegisteredWorker[]>;
  /** Of these jobs, those that wait and are not just about to be claimed. */
  whyWaiting(jobIds: readonly string[]): Promise<ReadonlyMap<string, WaitingReason>>;
  withoutWorker(): Promise<readonly JobsWithoutWorker[]>;
  /** Called after each report and each leaving, as far as the news gets through. Returns how to stop. */
  subscribe(listener: () => void): () => void;
}
