import type { EntityManager } from 'typeorm';

/** The longest pause before the next attempt of a job. */
export const longestPauseMs = 15 * 60_000;

/** The jobs of a project with a lower number are claimed first. Those below SCHEDULED are urgent. */
export const jobPriorities = { RESTORE: 0, BY_HAND: 1, SCHEDULED: 2 } as const;

export type JobPriority = keyof typeof jobPriorities;

export type QueuedJob = {
  readonly jobId: string;
  /** The name of the kind of job, for example BACKUP. */
  readonly kind: string;
  readonly projectId: string;
  /** The service that is read (backup) or written (restore). A service has at most one lease at a time. */
  readonly serviceId: string;
  readonly engine: string;
  readonly dueAt: Date;
  readonly queuedAt: Date;
  readonly priority: JobPriority;
};

/** One worker holds it for one attempt. `attempt` is the fencing token: it increases with every claim. */
export type Lease = {
  readonly jobId: string;
  readonly kind: string;
  readonly projectId: string;
  readonly serviceId: string;
  readonly workerId: string;
  readonly attempt: number;
  readonly expiresAt: Date;
};

export type ClaimedLease = Lease & {
  /** How many consecutive times the job was postponed because it could not be started. */
  readonly putOff: number;
};

/** A service that stays locked although its job has ended, because sessions of the job may still run there. */
export type KeptService = {
  readonly jobId: string;
  /** The time limit of the lock is over. */
  readonly isOverdue: boolean;
};

/**
 * The queue of jobs and the leases of workers, by the clock of the PostgreSQL server. A method with a manager must be
 * called in the transaction that appends the matching event.
 */
export interface JobQueue {
  /** Adds a job. Idempotent. The commit of the transaction wakes the workers by the signal `work`. */
  enqueue(manager: EntityManager, job: QueuedJob): Promise<void>;
  /** Removes the row and the lease of an ended job. A service that is kept for it stays locked. */
  remove(manager: EntityManager, jobId: string): Promise<void>;
  /**
   * Removes the row and the lease of a leased job, and keeps its service locked until `letGo`. The lock is overdue
   * after `limitMs`.
   */
  removeKeeping(manager: EntityManager, jobId: string, limitMs: number): Promise<void>;
  keptServices(): Promise<readonly KeptService[]>;
  /** Frees the service that was kept for a job. False: it was free already. */
  letGo(manager: EntityManager, jobId: string): Promise<boolean>;
  /**
   * Returns a lease, also an expired one. The job can be claimed again at `dueAt`, at most `longestPauseMs` from now.
   * Throws WORKER_LOST if another worker has claimed the job.
   */
  requeue(manager: EntityManager, lease: Lease, dueAt: Date): Promise<void>;
  /** From now on only a worker claims the job that has this in its `engines`. A job with a lease does not change. */
  needTools(manager: EntityManager, jobId: string, need: string): Promise<void>;
  /**
   * Claims a due job of one of the engines and kinds whose service has no other lease. docs/domain.md, "Which job gets the
   * next free slot?", has the order. `share`: the part of the slots that one project may hold while another waits, above
   * 0 and up to 1. Null or absent: all slots but one. Claims follow one another: the next one waits until this transaction
   * ends. When the clock goes back, a job waits no longer than `longestPauseMs`. Undefined: nothing to do.
   */
  claim(
    manager: EntityManager,
    workerId: string,
    engines: readonly string[],
    leaseMs: number,
    kinds: readonly string[],
    share?: number | null,
  ): Promise<ClaimedLease | undefined>;
  /**
   * Returns the kinds for which `claim` may find a job, in the given order. It takes no lock. Its cost does not depend
   * on the number of jobs.
   */
  kindsToDo(manager: EntityManager, engines: readonly string[], kinds: readonly string[]): Promise<readonly string[]>;
  /**
   * Postpones a job that could not be started and is not claimed: it cannot be claimed for `pauseMs` from now.
   * PostgreSQL refuses this if the program is older than the schema.
   */
  putOff(manager: EntityManager, jobId: string, pauseMs: number): Promise<void>;
  /** Locks the row of the lease until the transaction ends. Throws WORKER_LOST if the lease is lost or expired. */
  fence(manager: EntityManager, lease: Lease): Promise<void>;
  /** Extends the lease by `leaseMs` from now. False: it is lost. */
  renew(lease: Lease, leaseMs: number): Promise<boolean>;
  /** All expired leases, the longest expired first. */
  expired(): Promise<readonly Lease[]>;
  /** Locks an expired lease until the transaction ends. False: it no longer exists, or another reaper has locked it. */
  takeExpired(manager: EntityManager, lease: Lease): Promise<boolean>;
  /** Whether a worker holds the job now. Locks the row, so that cancelling and claiming exclude each other. */
  holder(manager: EntityManager, jobId: string): Promise<Lease | undefined>;
  /** Jobs without a lease, with their due times. The reconciler of alarms reads them. */
  waiting(): Promise<readonly { readonly jobId: string; readonly dueAt: Date }[]>;
  /** The earliest due time of the jobs without a lease. It may be in the past. */
  nextDue(): Promise<Date | undefined>;
}
