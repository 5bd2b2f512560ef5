import type { Transaction } from '../../eventSourcing/eventStore.js';
import { attemptsThatCount, type JobError } from '../../jobs/attempt.js';
import type { AttemptedJob, JobCommand, JobShape, KnownJob } from '../../jobs/attemptedJob.js';
import { endJob, failAttempt, streamOf } from '../../jobs/jobCommands.js';
import type { LeaseSignals } from '../heartbeat.js';
import { interruptedBy } from '../interruption.js';
import type { ClaimedJob, RunEnd } from '../jobKind.js';
import { persist, persistEnd, type RecordedEnd } from '../persist.js';
import { retryDelay } from '../retryDelay.js';
import { toolsElsewhere } from '../toolsElsewhere.js';
import { wakeWorkers } from '../wakeWorkers.js';
import type { WorkerTools } from '../workerTools.js';

/** Appends that the attempt has entered a phase. */
export async function enterPhase(
  tools: WorkerTools,
  { kind, lease, metadata }: ClaimedJob,
  { lost }: LeaseSignals,
  phase: string,
): Promise<void> {
  const at = tools.now().toISOString();
  await persist(tools, { lease, metadata, lost }, (tx) =>
    tx.execute(kind.decider, streamOf(lease), { kind: 'ENTER_PHASE', attempt: lease.attempt, phase, at }),
  );
}

/**
 * Appends that the attempt has succeeded. `keeps`: the job continues to use its entities, because it leaves something
 * behind.
 */
export async function recordSuccess<Shape extends JobShape>(
  tools: WorkerTools,
  { kind, lease, metadata, request }: ClaimedJob<Shape>,
  { lost }: LeaseSignals,
  { result, keeps }: { readonly result: Shape['result']; readonly keeps: boolean },
): Promise<RunEnd> {
  const now = tools.now();
  const job = streamOf(lease);
  return await persistEnd(tools, { kind, lease, metadata, lost }, async (tx) => {
    const success = { attempt: lease.attempt, result, at: now.toISOString() };
    await tx.execute(kind.decider, job, { kind: 'SUCCEED', ...success });
    if (keeps) await tools.queue.remove(tx.manager, job.id);
    else await endJob(tx, tools.queue, kind, job, request, now);
    return 'SUCCEEDED';
  });
}

/** How a kind of job records an attempt that did not succeed. */
export type FailureRules<Shape extends JobShape> = {
  /** The error that the run threw: one form for the log, one for the event. */
  readonly thrown: unknown;
  readonly failure: JobError;
  /** The error to record in this state of the job. Null: the job is handed back, to be claimed again at once. */
  readonly errorOf: (before: AttemptedJob<Shape>, isDraining: boolean) => JobError | null;
  /** Further fields of FAIL_ATTEMPT and CONFIRM_CANCEL. */
  readonly failed?: Shape['failure'];
  readonly confirmation?: Shape['confirmation'];
  /** Ends a job whose cancellation was confirmed in another way than `endJob` does. False: `endJob` must end it. */
  readonly endCancelled?: (tx: Transaction, state: KnownJob<Shape>, at: Date) => Promise<boolean>;
};

/** Appends that the attempt was cancelled, was handed back, or failed. */
export async function recordFailure<Shape extends JobShape>(
  tools: WorkerTools,
  { kind, lease, metadata, request }: ClaimedJob<Shape>,
  { lost, signal }: LeaseSignals,
  rules: FailureRules<Shape>,
): Promise<RunEnd> {
  const interruption = interruptedBy(signal);
  const { thrown, failure } = rules;
  if (lost.aborted || failure.code === 'WORKER_LOST') return 'LEASE_LOST';
  if (interruption === undefined && failure.code === 'INTERNAL') {
    const { kind: name, jobId } = lease;
    tools.log.error({ err: thrown, jobId, kind: name }, 'An attempt failed because of a defect of Stowage');
  }
  const need = interruption === undefined ? await toolsElsewhere(tools, request.engine, thrown) : undefined;
  const job = streamOf(lease);
  const at = tools.now();

  async function confirmCancel(tx: Transaction): Promise<'CANCELLED'> {
    const confirmed = { ...rules.confirmation, attempt: lease.attempt, at: at.toISOString() };
    const command: JobCommand = { kind: 'CONFIRM_CANCEL', ...confirmed };
    const { state } = await tx.execute(kind.decider, job, command);
    const known = state as KnownJob<Shape>;
    if ((await rules.endCancelled?.(tx, known, at)) !== true) {
      await endJob(tx, tools.queue, kind, job, request, at);
    }
    return 'CANCELLED';
  }

  async function fail(tx: Transaction): Promise<RecordedEnd> {
    const { state: before } = await tx.load(kind.decider, job.id);
    const own = rules.errorOf(before, interruption === 'DRAINING');
    // Another error than `failure` means that the job may have changed something.
    const handOver = own === failure ? need : undefined;
    const error = handOver === undefined ? own : null;
    const failures = before.status === 'NONE' ? 1 : attemptsThatCount(before.attempts);
    const delayMs = error === null ? 0 : retryDelay(failures, tools.times.retry, tools.random());
    const outcome = error === null ? 'HANDED_BACK' : 'FAILED';
    const retryAt = new Date(at.getTime() + delayMs);
    const ended = { ...rules.failed, attempt: lease.attempt, outcome, error, at, retryAt } as const;
    const status = await failAttempt(tx, tools.queue, kind, lease, ended);
    if (handOver !== undefined) await tools.queue.needTools(tx.manager, job.id, handOver);
    return status === 'CANCELLED' ? 'CANCELLED' : outcome;
  }

  const end = await persistEnd(
    tools,
    { kind, lease, metadata, lost },
    interruption === 'CANCELLED' ? confirmCancel : fail,
  );
  await wakeWorkers(tools);
  return end;
}
