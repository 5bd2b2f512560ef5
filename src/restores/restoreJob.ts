import { notFound, StowageError } from '../errors.js';
import type { Decider } from '../eventSourcing/decider.js';
import {
  attemptsThatCount,
  beginAttempt,
  endAttempt,
  type AttemptRecord,
  type AttemptStart,
  type JobError,
} from '../jobs/attempt.js';
import { dataWithErrorOfOld } from '../jobs/errorsOfOld.js';

/** One executed restore of a Backup Job's data into a Service. */
export type RestoreJob = { readonly status: 'NONE' } | KnownRestoreJob;

export type KnownRestoreJob =
  | (Common & { readonly status: 'QUEUED' })
  | (Common & {
      readonly status: 'RUNNING';
      readonly current: AttemptStart;
      /** From here on nothing is retried by itself: the server may still be committing what it was sent. */
      readonly toolStarted: boolean;
      /** What the tool makes on the target. */
      readonly databases: readonly string[];
      readonly cancelRequestedBy: string | null;
    })
  | (Common & { readonly status: 'SUCCEEDED' | 'FAILED' })
  | (Common & {
      readonly status: 'CANCELLED';
      /** Our sessions on the target may not have ended yet: nothing else is to begin there. */
      readonly targetLocked: boolean;
    });

type Common = { readonly request: RestoreRequest; readonly attempts: readonly AttemptRecord[] };

export type RestoreRequest = {
  readonly backupJobId: string;
  readonly targetServiceId: string;
  readonly engine: string;
  readonly mode: 'AS_NEW';
  readonly requestedBy: string;
  readonly queuedAt: string;
  readonly maxAttempts: number;
  readonly stallTimeoutMs: number;
};

export type RestorePhase = 'PREFLIGHT' | 'FETCHING' | 'RESTORING' | 'CHECKING';

export type RestoreResult = {
  readonly warnings: readonly string[];
  readonly differences: readonly {
    readonly path: string;
    readonly expected: string | null;
    readonly actual: string | null;
  }[];
};

export type RestoreJobCommand =
  | { readonly kind: 'QUEUE'; readonly request: RestoreRequest }
  | { readonly kind: 'START_ATTEMPT'; readonly attempt: AttemptStart }
  | { readonly kind: 'ENTER_PHASE'; readonly attempt: number; readonly phase: RestorePhase; readonly at: string }
  | {
      readonly kind: 'START_TOOL';
      readonly attempt: number;
      readonly databases: readonly string[];
      readonly at: string;
    }
  | { readonly kind: 'SUCCEED'; readonly attempt: number; readonly result: RestoreResult; readonly at: string }
  | {
      readonly kind: 'FAIL_ATTEMPT';
      readonly attempt: number;
      readonly outcome: 'FAILED' | 'WORKER_LOST' | 'HANDED_BACK';
      readonly error: JobError | null;
      /** What the target lacks or has otherwise, where it was compared before the failure. */
      readonly differences?: RestoreResult['differences'];
      readonly at: string;
      readonly retryAt: string;
    }
  | { readonly kind: 'REQUEST_CANCEL'; readonly by: string; readonly at: string }
  | {
      readonly kind: 'CONFIRM_CANCEL';
      readonly attempt: number;
      /** The target was asked to end our sessions and has not confirmed it yet. */
      readonly targetUnanswered?: boolean;
      readonly at: string;
    }
  | { readonly kind: 'FREE_TARGET'; readonly sessionsEnded: boolean; readonly at: string };

export type RestoreJobEvent =
  | { readonly type: 'RestoreQueued'; readonly data: { readonly request: RestoreRequest } }
  | { readonly type: 'RestoreAttemptStarted'; readonly data: { readonly attempt: AttemptStart } }
  | {
      readonly type: 'RestorePhaseEntered';
      readonly data: { readonly attempt: number; readonly phase: RestorePhase; readonly at: string };
    }
  | {
      readonly type: 'RestoreToolStarted';
      readonly data: {
        readonly attempt: number;
        /** Absent in events of old. */
        readonly databases?: readonly string[];
        readonly at: string;
      };
    }
  | {
      readonly type: 'RestoreAttemptEnded';
      readonly data: {
        readonly attempt: number;
        readonly outcome: 'FAILED' | 'WORKER_LOST' | 'HANDED_BACK';
        readonly error: JobError | null;
        readonly at: string;
        readonly retryAt: string | null;
      };
    }
  | {
      readonly type: 'RestoreSucceeded';
      readonly data: { readonly attempt: number; readonly result: RestoreResult; readonly at: string };
    }
  | {
      readonly type: 'RestoreFailed';
      readonly data: {
        readonly error: JobError;
        readonly differences?: RestoreResult['differences'];
        readonly at: string;
      };
    }
  | { readonly type: 'RestoreCancelRequested'; readonly data: { readonly by: string; readonly at: string } }
  | {
      readonly type: 'RestoreCancelled';
      readonly data: {
        readonly attempt: number | null;
        readonly by: string;
        /** Whether statements may have reached the target. */
        readonly targetTouched: boolean;
        /** What may be left there in part. Absent where nothing is, and in events of old. */
        readonly databases?: readonly string[];
        /** Our sessions there may not have ended yet: it stays locked until RestoreTargetFreed. */
        readonly targetLocked?: true;
        readonly at: string;
      };
    }
  | {
      readonly type: 'RestoreTargetFreed';
      /** Our sessions are ended; or else the target has not answered for so long that nobody waits any more. */
      readonly data: { readonly sessionsEnded: boolean; readonly at: string };
    };

export const restoreJob: Decider<RestoreJob, RestoreJobCommand, RestoreJobEvent> = {
  streamType: 'RestoreJob',
  initial: { status: 'NONE' },
  decide,
  evolve,
  // Version 2: errors do not hold what may be data of a customer.
  schemaVersions: { RestoreAttemptEnded: 2, RestoreFailed: 2 },
  upcasters: { 'RestoreAttemptEnded@1': dataWithErrorOfOld, 'RestoreFailed@1': dataWithErrorOfOld },
};

function decide(command: RestoreJobCommand, state: RestoreJob): readonly RestoreJobEvent[] {
  if (command.kind === 'QUEUE') {
    return state.status === 'NONE' ? [{ type: 'RestoreQueued', data: { request: command.request } }] : [];
  }
  if (state.status === 'NONE') throw notFound('restore job');
  switch (command.kind) {
    case 'START_ATTEMPT':
      if (state.status !== 'QUEUED') throw new StowageError('CONFLICT', `The restore job is ${state.status}.`);
      return [{ type: 'RestoreAttemptStarted', data: { attempt: command.attempt } }];
    case 'ENTER_PHASE': {
      runningAttempt(state, command.attempt);
      const { attempt, phase, at } = command;
      return [{ type: 'RestorePhaseEntered', data: { attempt, phase, at } }];
    }
    case 'START_TOOL': {
      const running = runningAttempt(state, command.attempt);
      if (running.toolStarted) return [];
      const { attempt, databases, at } = command;
      return [{ type: 'RestoreToolStarted', data: { attempt, databases, at } }];
    }
    case 'SUCCEED': {
      runningAttempt(state, command.attempt);
      const { attempt, result, at } = command;
      return [{ type: 'RestoreSucceeded', data: { attempt, result, at } }];
    }
    case 'FAIL_ATTEMPT':
      return failAttempt(command, runningAttempt(state, command.attempt));
    case 'REQUEST_CANCEL':
      return requestCancel(command, state);
    case 'CONFIRM_CANCEL': {
      const running = runningAttempt(state, command.attempt);
      return [cancelled(running, command, running.cancelRequestedBy ?? 'worker')];
    }
    case 'FREE_TARGET': {
      if (state.status !== 'CANCELLED' || !state.targetLocked) return [];
      const { sessionsEnded, at } = command;
      return [{ type: 'RestoreTargetFreed', data: { sessionsEnded, at } }];
    }
  }
}

type Running = Extract<KnownRestoreJob, { status: 'RUNNING' }>;

/** The running attempt, if it is the one that speaks: an attempt that lost its lease has no say. */
function runningAttempt(state: KnownRestoreJob, attempt: number): Running {
  if (state.status === 'RUNNING' && state.current.number === attempt) return state;
  throw new StowageError('WORKER_LOST', `Attempt ${attempt} is not the one that runs the restore job any more.`);
}

function cancelled(
  { toolStarted, databases }: Running,
  { attempt, targetUnanswered, at }: { attempt: number; targetUnanswered?: boolean; at: string },
  by: string,
): RestoreJobEvent {
  const locked = targetUnanswered === true ? { targetLocked: true as const } : {};
  const left = toolStarted ? { databases, ...locked } : {};
  return { type: 'RestoreCancelled', data: { attempt, by, targetTouched: toolStarted, ...left, at } };
}

function failAttempt(
  command: Extract<RestoreJobCommand, { kind: 'FAIL_ATTEMPT' }>,
  state: Running,
): readonly RestoreJobEvent[] {
  const { attempt, outcome, error, differences, at } = command;
  if (state.cancelRequestedBy !== null) return [cancelled(state, command, state.cancelRequestedBy)];
  const tries = attemptsThatCount(state.attempts);
  const mayRepeat = outcome === 'HANDED_BACK' || (error?.retriable === true && tries < state.request.maxAttempts);
  const again = mayRepeat && !state.toolStarted;
  const ended: RestoreJobEvent = {
    type: 'RestoreAttemptEnded',
    data: { attempt, outcome, error, at, retryAt: again ? command.retryAt : null },
  };
  if (again) return [ended];
  if (error === null) throw new StowageError('INTERNAL', 'An attempt that failed must say why.');
  const compared = differences === undefined ? {} : { differences };
  return [ended, { type: 'RestoreFailed', data: { error, ...compared, at } }];
}

function requestCancel(
  command: Extract<RestoreJobCommand, { kind: 'REQUEST_CANCEL' }>,
  state: KnownRestoreJob,
): readonly RestoreJobEvent[] {
  const { by, at } = command;
  switch (state.status) {
    case 'QUEUED':
      return [{ type: 'RestoreCancelled', data: { attempt: null, by, targetTouched: false, at } }];
    case 'RUNNING':
      return state.cancelRequestedBy === null ? [{ type: 'RestoreCancelRequested', data: { by, at } }] : [];
    case 'CANCELLED':
      return [];
    default:
      throw new StowageError('CONFLICT', `The restore job has ended already: it is ${state.status}.`, {
        help: 'Only a QUEUED or RUNNING job can be cancelled.',
      });
  }
}

function evolve(state: RestoreJob, event: RestoreJobEvent): RestoreJob {
  if (event.type === 'RestoreQueued') return { status: 'QUEUED', request: event.data.request, attempts: [] };
  if (state.status === 'NONE') return state;
  const { request } = state;
  switch (event.type) {
    case 'RestoreAttemptStarted': {
      const current = event.data.attempt;
      const attempts = beginAttempt(state.attempts, current);
      const untouched = { toolStarted: false, databases: [] };
      return { status: 'RUNNING', request, attempts, current, ...untouched, cancelRequestedBy: null };
    }
    case 'RestorePhaseEntered':
      return state;
    case 'RestoreToolStarted':
      if (state.status !== 'RUNNING') return state;
      return { ...state, toolStarted: true, databases: event.data.databases ?? [] };
    case 'RestoreAttemptEnded': {
      const { attempt, outcome, error, at, retryAt } = event.data;
      const attempts = endAttempt(state.attempts, attempt, { outcome, error, finishedAt: at });
      if (retryAt !== null) return { status: 'QUEUED', request, attempts };
      return state.status === 'RUNNING' ? { ...state, attempts } : state;
    }
    case 'RestoreSucceeded': {
      const end = { outcome: 'SUCCEEDED', error: null, finishedAt: event.data.at } as const;
      const attempts = endAttempt(state.attempts, event.data.attempt, end);
      return { status: 'SUCCEEDED', request, attempts };
    }
    case 'RestoreFailed':
      return { status: 'FAILED', request, attempts: state.attempts };
    case 'RestoreCancelRequested':
      return state.status === 'RUNNING' ? { ...state, cancelRequestedBy: event.data.by } : state;
    case 'RestoreCancelled': {
      const { attempt, targetLocked = false, at } = event.data;
      const end = { outcome: 'CANCELLED', error: null, finishedAt: at } as const;
      const attempts = attempt === null ? state.attempts : endAttempt(state.attempts, attempt, end);
      return { status: 'CANCELLED', request, attempts, targetLocked };
    }
    case 'RestoreTargetFreed':
      return state.status === 'CANCELLED' ? { ...state, targetLocked: false } : state;
  }
}
