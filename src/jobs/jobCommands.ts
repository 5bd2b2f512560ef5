import type { Decider } from '../eventSourcing/decider.js';
import type { DomainEvent } from '../eventSourcing/event.js';
import type { StreamRef, Transaction } from '../eventSourcing/eventStore.js';
import type { JobPriority, JobQueue, Lease } from '../postgres/contracts/jobQueue.js';
import type { JobError } from './attempt.js';
import type { AttemptedJob, JobCommand, JobShape, Running } from './attemptedJob.js';

/** The properties of one kind of job that the shared commands need. */
export interface JobHandling<Shape extends JobShape = JobShape, Event extends DomainEvent = DomainEvent> {
  /** The name in the queue, for example BACKUP. */
  readonly name: string;
  readonly decider: Decider<AttemptedJob<Shape>, JobCommand<Shape>, Event>;
  priorityOf(request: Shape['request']): JobPriority;
  /**
   * Releases the entities that must not be removed while the job needs them. Called when the job is over and leaves
   * nothing behind.
   */
  release(tx: Transaction, job: StreamRef, request: Shape['request'], at: Date): Promise<void>;
  /** The error that is recorded when an attempt fails in this state. */
  errorOf(failure: JobError, job: Running<Shape>): JobError;
}

/**
 * Queues a job under an id that the caller has generated, within the caller's transaction. Idempotent. At most one job
 * at a time runs on the service `serviceId`.
 */
export async function enqueueJob<Shape extends JobShape>(
  tx: Transaction,
  queue: JobQueue,
  handling: JobHandling<Shape>,
  job: StreamRef,
  {
    request,
    serviceId,
  }: {
    readonly request: Shape['request'] & { readonly engine: string; readonly queuedAt: string };
    readonly serviceId: string;
  },
): Promise<void> {
  await tx.execute(handling.decider, job, { kind: 'QUEUE', request });
  const queuedAt = new Date(request.queuedAt);
  await queue.enqueue(tx.manager, {
    ...{ jobId: job.id, kind: handling.name, projectId: job.projectId },
    ...{ serviceId, engine: request.engine, dueAt: queuedAt, queuedAt },
    priority: handling.priorityOf(request),
  });
}

/**
 * Cancels a job. A QUEUED job ends at once, and the worker that holds the lease ends a RUNNING one. Returns the status
 * afterwards.
 */
export async function cancelJob(
  tx: Transaction,
  queue: JobQueue,
  handling: JobHandling,
  job: StreamRef,
  by: string,
  at: Date,
): Promise<string> {
  // Locks the row of the queue first, so that cancelling and claiming exclude each other.
  await queue.holder(tx.manager, job.id);
  const { state: before } = await tx.load(handling.decider, job.id);
  const { state } = await tx.execute(handling.decider, job, { kind: 'REQUEST_CANCEL', by, at: at.toISOString() });
  if (before.status === 'QUEUED') await endJob(tx, queue, handling, job, before.request, at);
  return state.status;
}

/** Ends a job that leaves nothing behind: it leaves the queue and releases the entities that it needed. */
export async function endJob<Shape extends JobShape>(
  tx: Transaction,
  queue: JobQueue,
  handling: JobHandling<Shape>,
  job: StreamRef,
  request: Shape['request'],
  at: Date,
): Promise<void> {
  await queue.remove(tx.manager, job.id);
  await handling.release(tx, job, request, at);
}

/**
 * Ends the running attempt of a lease without success: the job waits for another attempt, or is over. Returns which of
 * the two.
 */
export async function failAttempt(
  tx: Transaction,
  queue: JobQueue,
  handling: JobHandling,
  lease: Lease,
  failure: Omit<Extract<JobCommand, { kind: 'FAIL_ATTEMPT' }>, 'kind' | 'at' | 'retryAt'> & {
    readonly at: Date;
    readonly retryAt: Date;
  },
): Promise<'QUEUED' | 'FAILED' | 'CANCELLED'> {
  const { at, retryAt, ...rest } = failure;
  const job = streamOf(lease);
  const { state } = await tx.execute(handling.decider, job, {
    ...rest,
    ...{ kind: 'FAIL_ATTEMPT', at: at.toISOString(), retryAt: retryAt.toISOString() },
  });
  if (state.status === 'QUEUED') {
    await queue.requeue(tx.manager, lease, retryAt);
    return 'QUEUED';
  }
  if (state.status !== 'NONE') await endJob(tx, queue, handling, job, state.request, at);
  return state.status === 'CANCELLED' ? 'CANCELLED' : 'FAILED';
}

/** The stream of the job that has the lease. */
export function streamOf({ jobId, projectId }: Pick<Lease, 'jobId' | 'projectId'>): StreamRef {
  return { id: jobId, projectId };
}
