import { catalogue, notFound, StowageError } from '../errors.js';
import type { DomainEvent } from '../eventSourcing/event.js';
import {
  attemptsThatCount,
  beginAttempt,
  endAttempt,
  type AttemptOutcome,
  type AttemptRecord,
  type AttemptStart,
  type JobError,
} from './attempt.js';

/**
 * The life cycle that every kind of job shares: queued, run in attempts, cancelled, ended. A kind defines its types in
 * a `JobShape` and its differences in `JobRules`.
 */
export type JobShape = {
  /** The prefix of the event types, for example `Backup` for `BackupQueued`. */
  readonly name: string;
  /** All values that are fixed when the job is queued. */
  readonly request: { readonly maxAttempts: number; readonly engine: string };
  readonly start: AttemptStart;
  readonly attempt: AttemptRecord;
  readonly phase: string;
  readonly result: object;
  /** Additional fields of the state while the job has this status. */
  readonly running: object;
  readonly succeeded: object;
  readonly cancelled: object;
  /** Additional fields of FAIL_ATTEMPT and of the event `…Failed`. */
  readonly failure: object;
  /** Additional fields of CONFIRM_CANCEL, and of the event `…Cancelled`. */
  readonly confirmation: object;
  readonly cancellation: object;
};

/** The defaults: a shape without additional fields, and its rules. A kind defines only its differences from them. */
export type PlainShape = {
  readonly [Key in 'running' | 'succeeded' | 'cancelled' | 'failure' | 'confirmation' | 'cancellation']: object;
};

export const plainRules = {
  running: {},
  succeeded: () => ({}),
  cancelled: () => ({}),
  mayRepeat: () => true,
  failure: () => ({}),
  cancellation: () => ({}),
};

export type JobStatus = 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

export type AttemptedJob<Shape extends JobShape = JobShape> = { readonly status: 'NONE' } | KnownJob<Shape>;

export type KnownJob<Shape extends JobShape = JobShape> = JobCommon<Shape> &
  (
    | { readonly status: 'QUEUED' }
    | (RunningJob<Shape> & Shape['running'])
    | ({ readonly status: 'SUCCEEDED' } & Shape['succeeded'])
    | { readonly status: 'FAILED'; readonly error: JobError }
    | ({ readonly status: 'CANCELLED' } & Shape['cancelled'])
  );

export type JobCommon<Shape extends JobShape = JobShape> = {
  readonly request: Shape['request'];
  readonly attempts: readonly Shape['attempt'][];
};

type RunningJob<Shape extends JobShape> = {
  readonly status: 'RUNNING';
  readonly current: Shape['start'];
  readonly cancelRequestedBy: string | null;
};

export type Running<Shape extends JobShape = JobShape> = JobCommon<Shape> & RunningJob<Shape> & Shape['running'];

/** The ways in which an attempt can end without an end of the whole job. */
type FailedOutcome = Exclude<AttemptOutcome, 'SUCCEEDED' | 'CANCELLED'>;

export type JobCommand<Shape extends JobShape = JobShape> =
  | { readonly kind: 'QUEUE'; readonly request: Shape['request'] }
  | { readonly kind: 'START_ATTEMPT'; readonly attempt: Shape['start'] }
  | { readonly kind: 'ENTER_PHASE'; readonly attempt: number; readonly phase: Shape['phase']; readonly at: string }
  | { readonly kind: 'SUCCEED'; readonly attempt: number; readonly result: Shape['result']; readonly at: string }
  | ({
      readonly kind: 'FAIL_ATTEMPT';
      readonly attempt: number;
      readonly outcome: FailedOutcome;
      readonly error: JobError | null;
      readonly at: string;
      /** When the next attempt is due, if there is one. */
      readonly retryAt: string;
      /**
       * The workers that report now. If an earlier attempt of one of them was interrupted, that worker was not lost.
       */
      readonly reportingWorkers?: readonly string[];
    } & Shape['failure'])
  | { readonly kind: 'REQUEST_CANCEL'; readonly by: string; readonly at: string }
  | ({ readonly kind: 'CONFIRM_CANCEL'; readonly attempt: number; readonly at: string } & Shape['confirmation']);

type EventData<Shape extends JobShape> = {
  Queued: { readonly request: Shape['request'] };
  AttemptStarted: { readonly attempt: Shape['start'] };
  PhaseEntered: { readonly attempt: number; readonly phase: Shape['phase']; readonly at: string };
  AttemptEnded: {
    readonly attempt: number;
    readonly outcome: FailedOutcome;
    readonly error: JobError | null;
    readonly at: string;
    /** When the next attempt is due. Null: there is none. */
    readonly retryAt: string | null;
  };
  Succeeded: {
    readonly attempt: number;
    readonly result: Shape['result'];
    readonly at: string;
    /** See `AttemptRecord`. */
    readonly adoptedBy?: string;
  };
  Failed: { readonly error: JobError; readonly at: string } & Shape['failure'];
  CancelRequested: { readonly by: string; readonly at: string };
  /** `attempt` is null if no attempt had started, or none was running. */
  Cancelled: { readonly attempt: number | null; readonly by: string; readonly at: string } & Shape['cancellation'];
};

type Prefixed<Shape extends JobShape, Prefix extends string> = {
  [Type in keyof EventData<Shape>]: { readonly type: `${Prefix}${Type}`; readonly data: EventData<Shape>[Type] };
}[keyof EventData<Shape>];

/** The events of the life cycle in the form in which a kind stores them. */
export type JobEvent<Shape extends JobShape = JobShape> = Prefixed<Shape, Shape['name']>;

/** The same events without the prefix of the kind. */
export type LifeEvent<Shape extends JobShape = JobShape> = Prefixed<Shape, ''>;

/** The rules of a kind of job for its own life. */
export type JobRules<Shape extends JobShape> = {
  readonly name: Shape['name'];
  /** The name of the kind in messages, for example `backup job`. */
  readonly noun: string;
  /** The additional fields of a job when an attempt starts. */
  readonly running: Shape['running'];
  readonly succeeded: (data: EventData<Shape>['Succeeded']) => Shape['succeeded'];
  readonly cancelled: (data: EventData<Shape>['Cancelled']) => Shape['cancelled'];
  /** Whether another attempt is safe now. */
  readonly mayRepeat: (job: Running<Shape>) => boolean;
  /** The additional fields of `…Failed`. */
  readonly failure: (command: Extract<JobCommand<Shape>, { kind: 'FAIL_ATTEMPT' }>) => Shape['failure'];
  /**
   * The additional fields of `…Cancelled`. `running` is null if the job was QUEUED. `confirmation` has the fields of
   * CONFIRM_CANCEL.
   */
  readonly cancellation: (running: Running<Shape> | null, confirmation: Shape['confirmation']) => Shape['cancellation'];
};

export type JobLife<Shape extends JobShape> = {
  decide(command: JobCommand<Shape>, state: JobState<Shape>): readonly JobEvent<Shape>[];
  evolve(state: AttemptedJob<Shape>, event: LifeEvent<Shape>): AttemptedJob<Shape>;
  /** Returns the job if this attempt runs it. An attempt that lost its lease gets WORKER_LOST. */
  running(state: JobState<Shape>, attempt: number): Running<Shape>;
  /** The event that ends the running job as cancelled. */
  cancelled(running: Running<Shape>, by: string, at: string): JobEvent<Shape>;
};

/** A kind may have further states in which no attempt ever runs, for example SKIPPED. */
type JobState<Shape extends JobShape> = AttemptedJob<Shape> | (JobCommon<Shape> & { readonly status: 'SKIPPED' });

const commandKinds: ReadonlySet<string> = new Set<JobCommand['kind']>([
  ...(['QUEUE', 'START_ATTEMPT', 'ENTER_PHASE', 'SUCCEED'] as const),
  ...(['FAIL_ATTEMPT', 'REQUEST_CANCEL', 'CONFIRM_CANCEL'] as const),
]);

const eventTypes: ReadonlySet<string> = new Set<LifeEvent['type']>([
  ...(['Queued', 'AttemptStarted', 'PhaseEntered', 'AttemptEnded'] as const),
  ...(['Succeeded', 'Failed', 'CancelRequested', 'Cancelled'] as const),
]);

/** Whether a command belongs to the shared life cycle, and not only to the kind. */
export function isJobCommand<Command extends { readonly kind: string }>(
  command: Command,
): command is Extract<Command, { kind: JobCommand['kind'] }> {
  return commandKinds.has(command.kind);
}

/** The event without the prefix of its kind. Undefined: the event belongs only to the kind. */
export function lifeEvent<Shape extends JobShape>(
  name: Shape['name'],
  { type, data }: DomainEvent,
): LifeEvent<Shape> | undefined {
  const lifeType = type.startsWith(name) ? type.slice(name.length) : '';
  return eventTypes.has(lifeType) ? ({ type: lifeType, data } as LifeEvent<Shape>) : undefined;
}

/** The data of an event that ends an attempt of any kind of job; undefined: it is another event. */
export function attemptEndIn(event: {
  readonly streamType: string;
  readonly type: string;
  readonly data: object;
}): EventData<JobShape>['AttemptEnded'] | undefined {
  const isEnd = event.streamType.endsWith('Job') && event.type === event.streamType.replace(/Job$/, 'AttemptEnded');
  return isEnd ? (event.data as EventData<JobShape>['AttemptEnded']) : undefined;
}

/** The shared life of one kind of job. */
export function jobLife<Shape extends JobShape>(kind: JobRules<Shape>): JobLife<Shape> {
  // The code below treats all shapes alike, because it does not depend on the additional fields of a kind.
  const rules = kind as unknown as Rules;
  const life: JobLife<JobShape> = {
    decide: (command, state) => decide(rules, command, state),
    evolve: (state, event) => evolve(rules, state, event),
    running: (state, attempt) => runningJob(rules, state, attempt),
    cancelled: (running, by, at) => cancelled(rules, running, { by, at }),
  };
  return life;
}

type Rules = JobRules<JobShape>;

function decide(rules: Rules, command: JobCommand, state: JobState<JobShape>): readonly JobEvent[] {
  // Idempotent. Ids may be derived from the reason for the job, so that a second request finds the job of the first.
  if (command.kind === 'QUEUE') {
    return state.status === 'NONE' ? [event(rules, 'Queued', { request: command.request })] : [];
  }
  if (state.status === 'NONE') throw notFound(rules.noun);
  switch (command.kind) {
    case 'START_ATTEMPT':
      if (state.status !== 'QUEUED') throw new StowageError('CONFLICT', `The ${rules.noun} is ${state.status}.`);
      return [event(rules, 'AttemptStarted', { attempt: command.attempt })];
    case 'ENTER_PHASE': {
      const { attempt, phase, at } = command;
      runningJob(rules, state, attempt);
      return [event(rules, 'PhaseEntered', { attempt, phase, at })];
    }
    case 'SUCCEED': {
      const { attempt, result, at } = command;
      runningJob(rules, state, attempt);
      return [event(rules, 'Succeeded', { attempt, result, at })];
    }
    case 'FAIL_ATTEMPT':
      return failAttempt(rules, command, runningJob(rules, state, command.attempt));
    case 'REQUEST_CANCEL':
      return requestCancel(rules, command, state);
    case 'CONFIRM_CANCEL': {
      const { kind: _, attempt, at, ...confirmation } = command;
      const job = runningJob(rules, state, attempt);
      return [cancelled(rules, job, { by: job.cancelRequestedBy ?? 'worker', at, confirmation })];
    }
  }
}

function event<Type extends LifeEvent['type']>({ name }: Rules, type: Type, data: EventData<JobShape>[Type]): JobEvent {
  return { type: `${name}${type}`, data } as JobEvent;
}

function runningJob({ noun }: Rules, state: JobState<JobShape>, attempt: number): Running {
  if (state.status === 'RUNNING' && state.current.number === attempt) return state;
  throw new StowageError('WORKER_LOST', `Attempt ${attempt} no longer runs the ${noun}.`);
}

/** `job` is null if the job was QUEUED. */
function cancelled(
  rules: Rules,
  job: Running | null,
  { by, at, confirmation = {} }: { readonly by: string; readonly at: string; readonly confirmation?: object },
): JobEvent {
  const attempt = job === null ? null : job.current.number;
  return event(rules, 'Cancelled', { attempt, by, at, ...rules.cancellation(job, confirmation) });
}

function failAttempt(
  rules: Rules,
  command: Extract<JobCommand, { kind: 'FAIL_ATTEMPT' }>,
  job: Running,
): readonly JobEvent[] {
  const { attempt, outcome, error, at, retryAt } = command;
  if (job.cancelRequestedBy !== null) return [cancelled(rules, job, { by: job.cancelRequestedBy, at })];
  const hasTriesLeft = attemptsThatCount(job.attempts) < job.request.maxAttempts;
  const costsWorkers = outcome === 'WORKER_LOST' && hasLostAnotherWorker(job, command.reportingWorkers ?? []);
  const isRepeatable = outcome === 'HANDED_BACK' || (error?.retriable === true && hasTriesLeft && !costsWorkers);
  const isRepeated = isRepeatable && rules.mayRepeat(job);
  const ended = event(rules, 'AttemptEnded', { attempt, outcome, error, at, retryAt: isRepeated ? retryAt : null });
  if (isRepeated) return [ended];
  if (error === null) throw new StowageError('INTERNAL', 'A failed attempt needs an error.');
  const failure = costsWorkers && error.code === 'WORKER_LOST' ? workersLost(error) : error;
  return [ended, event(rules, 'Failed', { error: failure, at, ...rules.failure(command) })];
}

/** Whether an earlier attempt, by another worker, ended with the loss of that worker. */
function hasLostAnotherWorker({ attempts, current }: Running, reporting: readonly string[]): boolean {
  return attempts.some(
    ({ outcome, worker }) => outcome === 'WORKER_LOST' && worker !== current.worker && !reporting.includes(worker),
  );
}

/** After the loss of two workers, a job is not given to a third worker. */
function workersLost(error: JobError): JobError {
  return {
    ...error,
    code: 'WORKERS_LOST',
    message: 'Two workers were lost while they ran this job, so no third worker runs it.',
    hint: catalogue.WORKERS_LOST.help,
    retriable: false,
  };
}

function requestCancel(
  rules: Rules,
  { by, at }: Extract<JobCommand, { kind: 'REQUEST_CANCEL' }>,
  state: Exclude<JobState<JobShape>, { status: 'NONE' }>,
): readonly JobEvent[] {
  switch (state.status) {
    case 'QUEUED':
      return [cancelled(rules, null, { by, at })];
    case 'RUNNING':
      return state.cancelRequestedBy === null ? [event(rules, 'CancelRequested', { by, at })] : [];
    case 'CANCELLED':
      return [];
    case 'SUCCEEDED':
    case 'FAILED':
    case 'SKIPPED':
      throw new StowageError('CONFLICT', `The ${rules.noun} has ended already: it is ${state.status}.`, {
        help: 'Only a QUEUED or RUNNING job can be cancelled.',
      });
  }
}

function evolve(rules: Rules, state: AttemptedJob, life: LifeEvent): AttemptedJob {
  if (life.type === 'Queued') return { status: 'QUEUED', request: life.data.request, attempts: [] };
  if (state.status === 'NONE') return state;
  const common = { request: state.request, attempts: attemptsAfter(state.attempts, life) };
  switch (life.type) {
    case 'AttemptStarted': {
      const current = life.data.attempt;
      return { ...common, status: 'RUNNING', current, cancelRequestedBy: null, ...rules.running };
    }
    case 'PhaseEntered':
      return state;
    case 'AttemptEnded':
      return life.data.retryAt === null ? { ...state, ...common } : { ...common, status: 'QUEUED' };
    case 'Succeeded':
      return { ...common, status: 'SUCCEEDED', ...rules.succeeded(life.data) };
    case 'Failed':
      return { ...common, status: 'FAILED', error: life.data.error };
    case 'CancelRequested':
      return state.status === 'RUNNING' ? { ...state, cancelRequestedBy: life.data.by } : state;
    case 'Cancelled':
      return { ...common, status: 'CANCELLED', ...rules.cancelled(life.data) };
  }
}

/** The attempts of a job after an event of its life. */
export function attemptsAfter<Attempt extends AttemptRecord>(
  attempts: readonly Attempt[],
  { type, data }: LifeEvent,
): readonly Attempt[] {
  switch (type) {
    case 'AttemptStarted':
      return beginAttempt(attempts, data.attempt as Attempt);
    case 'AttemptEnded': {
      const { attempt, outcome, error, at } = data;
      return endAttempt(attempts, attempt, { outcome, error, finishedAt: at });
    }
    case 'Succeeded': {
      const { attempt, at, adoptedBy } = data;
      const adoption = adoptedBy === undefined ? {} : { adoptedBy };
      return endAttempt(attempts, attempt, { outcome: 'SUCCEEDED', error: null, finishedAt: at, ...adoption });
    }
    case 'Cancelled':
      return data.attempt === null
        ? attempts
        : endAttempt(attempts, data.attempt, { outcome: 'CANCELLED', error: null, finishedAt: data.at });
    case 'Queued':
    case 'PhaseEntered':
    case 'CancelRequested':
    case 'Failed':
      return attempts;
  }
}
