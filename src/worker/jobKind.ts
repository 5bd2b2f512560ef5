import type { EntitySchema } from 'typeorm';
import type { Destination } from '../backups/retention/retainedBackups.js';
import type { DomainEvent, EventMetadata } from '../eventSourcing/event.js';
import type { StreamRef, Transaction } from '../eventSourcing/eventStore.js';
import type { Projection } from '../eventSourcing/projection.js';
import type { AttemptStart } from '../jobs/attempt.js';
import type { JobShape } from '../jobs/attemptedJob.js';
import type { JobHandling } from '../jobs/jobCommands.js';
import type { Lease } from '../postgres/contracts/jobQueue.js';
import type { LeaseSignals } from './heartbeat.js';
import type { RecordedEnd } from './persist.js';
import type { WorkerTools } from './workerTools.js';

/**
 * One kind of job: its properties for claims, runs, the reaper and the read models. `composition/jobKinds.ts` lists
 * every kind. `jobs/attemptedJob.ts` defines the life cycle itself.
 */
export interface JobKind<
  Shape extends JobShape = JobShape,
  Event extends DomainEvent = DomainEvent,
> extends JobHandling<Shape, Event> {
  /** The read model, which `projection` writes. */
  readonly table: EntitySchema;
  readonly projection: Projection;
  /**
   * Adds the fields of the kind to the start of an attempt. If `tx` is null, the job cannot be started, so nothing is
   * read. Throws if the attempt cannot be started. The job is then postponed.
   */
  startOf(
    tx: Transaction | null,
    job: StreamRef,
    request: Shape['request'],
    attempt: AttemptStart,
    tools: Pick<WorkerTools, 'maxTimeoutMs'>,
  ): Promise<Shape['start']>;
  /** Called after a job that cannot be started became FAILED, in the same transaction. */
  afterUnstartable?(tx: Transaction, job: StreamRef, attempt: number, at: Date): Promise<void>;
  /**
   * Runs one attempt and appends its end. All its processes have ended when it returns. Throws only when the end could
   * not be appended.
   */
  run(tools: WorkerTools, claimed: ClaimedJob<Shape>, signals: LeaseSignals): Promise<RunEnd>;
  /** Called when the end of an attempt was appended. Does the work that this worker should do at once after it. */
  afterEnd?(upkeep: UpkeepAfterEnd, request: Shape['request'], end: RunEnd): Promise<void>;
  /** Absent: the reaper ends every lost attempt at once. */
  readonly lostAttempts?: LostAttempts<Shape>;
}

/** Lost attempts that only a separate round may end, because a server other than PostgreSQL must be queried first. */
export interface LostAttempts<Shape extends JobShape = JobShape> {
  /** The name of the round in the log. */
  readonly round: string;
  /** Whether the round ends the attempt of this expired lease. */
  isForRound(tools: WorkerTools, lease: Lease): Promise<boolean>;
  /**
   * Creates the round of one worker. Each call ends the attempts of these leases, or leaves them to a later call. It
   * returns the requests of the jobs whose success it has appended in place of the lost worker.
   */
  createRound(tools: WorkerTools): (leases: readonly Lease[], signal: AbortSignal) => Promise<LostRound<Shape>>;
}

export type LostRound<Shape extends JobShape = JobShape> = readonly Shape['request'][];

/** The end of a run, for the worker that ran it. Other readers use the events. */
export type RunEnd = RecordedEnd | 'LEASE_LOST';

export type ClaimedJob<Shape extends JobShape = JobShape> = {
  readonly kind: JobKind<Shape>;
  readonly lease: Lease;
  readonly metadata: EventMetadata;
  /**
   * `performance.now()` from before the lease was requested. So the lease ends at the latest `leaseMs` after this time.
   */
  readonly askedAtMs: number;
  readonly request: Shape['request'];
  readonly attempt: Shape['start'];
};

export type UpkeepAfterEnd = {
  /** Applies retention at one destination after a change there, and deletes the backups that it decides to delete. */
  retain(destination: Destination): Promise<void>;
  /** Requests at once that the targets of cancelled restores end our sessions. */
  freeTargets(): void;
};
