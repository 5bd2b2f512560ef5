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
 * One kind of job: what a claim, a run, the reaper and the read models need to know of it. `composition/jobKinds.ts` lists
 * every kind. The life cycle itself is that of `jobs/attemptedJob.ts`.
 */
export interface JobKind<
  Shape extends JobShape = JobShape,
  Event extends DomainEvent = DomainEvent,
> extends JobHandling<Shape, Event> {
  /** The read model, which `projection` writes. */
  readonly table: EntitySchema;
  readonly projection: Projection;
  /**
   * Adds to the start of an attempt what the kind records besides. `tx` null: the job cannot be started, so nothing is
   * read. Throws when the attempt cannot be started; the job is then put off.
   */
  startOf(
    tx: Transaction | null,
    job: StreamRef,
    request: Shape['request'],
    attempt: AttemptStart,
  ): Promise<Shape['start']>;
  /** Called after a job that cannot be started became FAILED, in the same transaction. */
  afterUnstartable?(tx: Transaction, job: StreamRef, attempt: number, at: Date): Promise<void>;
  /**
   * Runs one attempt and appends how it ended. Nothing of it runs any more when it returns. Throws only when the end could
   * not be appended.
   */
  run(tools: WorkerTools, claimed: ClaimedJob<Shape>, signals: LeaseSignals): Promise<RunEnd>;
  /** Called when the end of an attempt was appended: what this worker does at once because of it. */
  afterEnd?(upkeep: UpkeepAfterEnd, request: Shape['request'], end: RunEnd): Promise<void>;
  /** Absent: the reaper ends every lost attempt at once. */
  readonly lostAttempts?: LostAttempts<Shape>;
}

/** Lost attempts that only a round of their own may end, because something outside PostgreSQL must be asked first. */
export interface LostAttempts<Shape extends JobShape = JobShape> {
  /** The name of the round in the log. */
  readonly round: string;
  /** Whether the attempt of this expired lease is left to the round. */
  isForRound(tools: WorkerTools, lease: Lease): Promise<boolean>;
  /**
   * Makes the round of one worker. A call ends the attempts of these leases, or leaves them to a later call. It returns
   * the requests of those whose success it has appended in place of the lost worker.
   */
  createRound(tools: WorkerTools): (leases: readonly Lease[], signal: AbortSignal) => Promise<LostRound<Shape>>;
}

export type LostRound<Shape extends JobShape = JobShape> = readonly Shape['request'][];

/** How a run ended, for the worker that ran it. All others read the events. */
export type RunEnd = RecordedEnd | 'LEASE_LOST';

export type ClaimedJob<Shape extends JobShape = JobShape> = {
  readonly kind: JobKind<Shape>;
  readonly lease: Lease;
  readonly metadata: EventMetadata;
  /** `performance.now()` from before the lease was requested: the lease ends no later than its length after that. */
  readonly askedAtMs: number;
  readonly request: Shape['request'];
  readonly attempt: Shape['start'];
};

export type UpkeepAfterEnd = {
  /** Applies retention at one destination, at which something has changed, and deletes what it decided. */
  retain(destination: Destination): Promise<void>;
  /** Asks the targets of cancelled restores at once to end our sessions. */
  freeTargets(): void;
};
