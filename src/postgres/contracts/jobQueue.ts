import type { EntityManager } from 'typeorm';

/** No job waits longer than this for its next attempt. */
export const longestPauseMs = 15 * 60_000;

export type JobKind = 'BACKUP' | 'RESTORE';

export type QueuedJob = {
  readonly jobId: string;
  readonly kind: JobKind;
  readonly projectId: string;
  /** The service that is read (backup) or written (restore): at most one lease at a time on each. */
  readonly serviceId: string;
  readonly engine: string;
  readonly dueAt: Date;
  readonly queuedAt: Date;
};

/** Held by one worker for one attempt. `attempt` is the fencing token: it rises with every claim. */
export type Lease = {
  readonly jobId: string;
  readonly kind: JobKind;
  readonly projectId: string;
  readonly serviceId: string;
  readonly workerId: string;
  readonly attempt: number;
  readonly expiresAt: Date;
};

export type ClaimedLease = Lease & {
  /** How often in a row the job was put off, because it could not be started. */
  readonly putOff: number;
};

/** A service that stays locked although its job is over: something of the job may still run there. */
export type KeptService = {
  readonly jobId: string;
  /** It has been kept for as long as it may be. */
  readonly isOverdue: boolean;
};

/**
 * What is to be done and who does it, on the clock of the PostgreSQL server. Methods that take a manager belong into
 * the transaction that appends the matching event.
 */
export interface JobQueue {
  /** Twice is once. Calls the workers, by the signal `work`, when the transaction commits. */
  enqueue(manager: EntityManager, job: QueuedJob): Promise<void>;
  /** The job is over: row and lease go. A service that is kept for it stays locked. */
  remove(manager: EntityManager, jobId: string): Promise<void>;
  /**
   * The job, which is worked on, is over: row and lease go, but nothing else is claimed for its service until
   * `letGo`. It is overdue after `limitMs`.
   */
  removeKeeping(manager: EntityManager, jobId: string, limitMs: number): Promise<void>;
  kept(): Promise<readonly KeptService[]>;
  /** What was kept for a job is free again. False: it is so already. */
  letGo(manager: EntityManager, jobId: string): Promise<boolean>;
  /**
   * Gives the lease back, also one past its time, to be claimed again at `dueAt`, at most `longestPauseMs` from now.
   * Claimed by another: WORKER_LOST.
   */
  requeue(manager: EntityManager, lease: Lease, dueAt: Date): Promise<void>;
  /**
   * Takes the next job that is due, of an engine given, whose service no other lease is on: restores first, then
   * projects by turns, then the oldest. It waits for no other claim, and claims at the same instant serve different
   * projects wherever more than one has work. A clock that has gone back since keeps no job waiting longer than
   * `longestPauseMs`. Undefined: nothing to do.
   */
  claim(
    manager: EntityManager,
    workerId: string,
    engines: readonly string[],
    leaseMs: number,
    /** What `kindsToDo` has answered just now; it is asked where this is left out. */
    kinds?: readonly JobKind[],
  ): Promise<ClaimedLease | undefined>;
  /** Of which kinds `claim` may find a job, restores first. It locks nothing, and costs little however many jobs wait. */
  kindsToDo(manager: EntityManager, engines: readonly string[]): Promise<readonly JobKind[]>;
  /**
   * The job, which nobody has claimed, is not to be claimed for `pauseMs` from now: it could not be started. Refused where
   * this program is older than the schema.
   */
  putOff(manager: EntityManager, jobId: string, pauseMs: number): Promise<void>;
  /** Locks the lease row until the transaction ends. Lost or expired: throws a StowageError WORKER_LOST. */
  fence(manager: EntityManager, lease: Lease): Promise<void>;
  /** Extends by `leaseMs` from now. False: it is lost for good. */
  renew(lease: Lease, leaseMs: number): Promise<boolean>;
  /** All leases past their time, the longest expired first. */
  expired(): Promise<readonly Lease[]>;
  /** Locks a lease past its time until the transaction ends. False: it is no longer there, or another reaper is at it. */
  takeExpired(manager: EntityManager, lease: Lease): Promise<boolean>;
  /** Is a worker on it now? Locks the row where there is one, so that cancelling and claiming exclude each other. */
  holder(manager: EntityManager, jobId: string): Promise<Lease | undefined>;
  /** Rows without a lease, with their due time, for the reconciler of alarms. */
  waiting(): Promise<readonly { readonly jobId: string; readonly dueAt: Date }[]>;
  /** The due time nearest in the future or past among rows without a lease. */
  nextDue(): Promise<Date | undefined>;
}
