/** A tool on the machine of a worker. The worker has all tools of its engine. */
export type EngineTool = { readonly engine: string; readonly tool: string; readonly version: string };

/** The report of a worker about itself. */
export type WorkerReport = {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly programVersion: string;
  /** The most jobs that the worker runs at the same time. */
  readonly concurrency: number;
  readonly engines: readonly EngineTool[];
  /** The worker is stopping: it finishes or returns its jobs and claims no others. It never becomes false again. */
  readonly draining: boolean;
  /** The worker counts as lost after this time without a report. */
  readonly lostAfterMs: number;
};

export type WorkerLease = { readonly jobId: string; readonly kind: string; readonly attempt: number };

export type RegisteredWorker = WorkerReport & {
  readonly startedAt: Date;
  readonly lastHeardAt: Date;
  readonly isLost: boolean;
  /** The jobs of its leases, the oldest attempt first. */
  readonly leases: readonly WorkerLease[];
};

/** The reason why a due job waits, if it does not only wait for a free worker. */
export type WaitingReason =
  /** There is no worker, or all workers are stopping. */
  | { readonly kind: 'NO_WORKER' }
  /** No worker has the tools of its engine. */
  | { readonly kind: 'NO_TOOLS'; readonly engine: string }
  /** A worker could not start the job. The next try follows. */
  | { readonly kind: 'PUT_OFF'; readonly until: Date }
  /** Sessions of an ended restore may still run on its service. The wait for their end stops at `until`. */
  | { readonly kind: 'SERVICE_KEPT'; readonly until: Date }
  /** No slot is free that could run the job. `own`: the slots that its project holds among them. */
  | { readonly kind: 'NO_FREE_SLOT'; readonly slots: number; readonly own: number; readonly othersWait: boolean };

/** The due jobs of one engine that no worker can run. */
export type JobsWithoutWorker = { readonly engine: string; readonly jobs: number; readonly oldestQueuedAt: Date };

/**
 * The workers of the installation, by the clock of the PostgreSQL server. The registry is an observation: only leases
 * decide who may work on a job. A lost worker returns with its next report.
 */
export interface WorkerRegistry {
  /** Stores the report of a worker and notifies all processes. Deletes workers that were lost more than an hour ago. */
  report(worker: WorkerReport): Promise<void>;
  /** Removes a worker that has stopped cleanly, and notifies all processes. */
  leave(workerId: string): Promise<void>;
  /** The workers, with those lost within the last hour, by start. */
  list(): Promise<readonly RegisteredWorker[]>;
  /** Returns the jobs that wait for another reason than a free worker. */
  whyWaiting(jobIds: readonly string[]): Promise<ReadonlyMap<string, WaitingReason>>;
  withoutWorker(): Promise<readonly JobsWithoutWorker[]>;
  /** Calls the listener after each report and removal. Notifications may be lost. The result ends the subscription. */
  subscribe(listener: () => void): () => void;
}
