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
import { dataWithErrorOfOld, warningOfOld } from '../jobs/errorsOfOld.js';
import {
  decideStored,
  evolveStored,
  notStored,
  storedBackup,
  type BackupResult,
  type StoredBackup,
  type StoredBackupCommand,
  type StoredBackupEvent,
} from './storedBackup.js';

/** One executed backup to one File Endpoint. */
export type BackupJob = { readonly status: 'NONE' } | KnownBackupJob;

export type KnownBackupJob =
  | (Common & { readonly status: 'QUEUED' })
  | (Common & {
      readonly status: 'RUNNING';
      readonly current: RunningAttempt;
      readonly cancelRequestedBy: string | null;
    })
  | (Common & StoredBackup & { readonly status: 'SUCCEEDED' })
  | (Common & { readonly status: 'FAILED'; readonly error: JobError })
  | (Common & { readonly status: 'CANCELLED' })
  | (Common & { readonly status: 'SKIPPED'; readonly skippedFor: string });

type Common = { readonly request: BackupRequest; readonly attempts: readonly Attempt[] };

export type BackupTrigger = 'SCHEDULE' | 'CATCH_UP' | 'MANUAL' | 'RETRY' | 'SAFETY';

/** All that is fixed when a backup is asked for. */
export type BackupRequest = {
  readonly serviceId: string;
  readonly engine: string;
  readonly planId: string | null;
  readonly fileEndpointId: string;
  readonly trigger: BackupTrigger;
  /** Shared by the jobs of one tick or one startBackup. */
  readonly batchId: string;
  readonly requestedBy: string;
  readonly retryOf: string | null;
  /** The tick, for SCHEDULE and CATCH_UP. */
  readonly scheduledFor: string | null;
  readonly queuedAt: string;
  readonly maxAttempts: number;
  readonly timeoutMs: number | null;
  readonly stallTimeoutMs: number;
  /** Whether it gives way when somebody else waits too long for a lock of it. Left out (older versions): it does. */
  readonly yieldToLocks?: boolean;
};

export type BackupPhase = 'PREFLIGHT' | 'DUMPING' | 'FINALISING' | 'VERIFYING';

export type RunningAttempt = AttemptStart & {
  /** The attempt's own folder in the container, ending in `/`. */
  readonly folder: string;
};

export type Attempt = RunningAttempt &
  AttemptRecord & {
    /**
     * What may lie in the folder of an attempt that ended otherwise than by success. Absent: anything. VOID: it was said
     * that even a complete backup there is none. REMOVED: the container has confirmed that the folder is empty.
     */
    readonly remains?: 'VOID' | 'REMOVED';
    /** The worker that found its backup complete and said so, because its own was lost before it could. */
    readonly adoptedBy?: string;
  };

export type BackupJobCommand =
  | { readonly kind: 'QUEUE'; readonly request: BackupRequest }
  | { readonly kind: 'SKIP'; readonly request: BackupRequest; readonly skippedFor: string }
  | { readonly kind: 'START_ATTEMPT'; readonly attempt: RunningAttempt }
  | { readonly kind: 'ENTER_PHASE'; readonly attempt: number; readonly phase: BackupPhase; readonly at: string }
  | { readonly kind: 'SUCCEED'; readonly attempt: number; readonly result: BackupResult; readonly at: string }
  /**
   * Instead of the attempt, which was lost: its backup is in the container, whole. Whoever holds its expired lease says
   * so; where somebody had asked to cancel, it is CANCELLED.
   */
  | {
      readonly kind: 'ADOPT';
      readonly attempt: number;
      readonly result: BackupResult;
      readonly finishedAt: string;
      readonly by: string;
      readonly at: string;
    }
  | {
      readonly kind: 'FAIL_ATTEMPT';
      readonly attempt: number;
      readonly outcome: 'FAILED' | 'WORKER_LOST' | 'HANDED_BACK';
      readonly error: JobError | null;
      readonly at: string;
      /** When a next attempt would be due, if there is to be one. */
      readonly retryAt: string;
    }
  | { readonly kind: 'REQUEST_CANCEL'; readonly by: string; readonly at: string }
  | { readonly kind: 'CONFIRM_CANCEL'; readonly attempt: number; readonly at: string }
  | { readonly kind: 'VOID_ATTEMPT'; readonly attempt: number; readonly at: string }
  | { readonly kind: 'CONFIRM_REMAINS_GONE'; readonly attempt: number; readonly at: string }
  | StoredBackupCommand;

export type BackupJobEvent =
  | { readonly type: 'BackupQueued'; readonly data: { readonly request: BackupRequest } }
  | {
      readonly type: 'BackupSkipped';
      readonly data: { readonly request: BackupRequest; readonly skippedFor: string };
    }
  | { readonly type: 'BackupAttemptStarted'; readonly data: { readonly attempt: RunningAttempt } }
  | {
      readonly type: 'BackupPhaseEntered';
      readonly data: { readonly attempt: number; readonly phase: BackupPhase; readonly at: string };
    }
  | {
      readonly type: 'BackupAttemptEnded';
      readonly data: {
        readonly attempt: number;
        readonly outcome: 'FAILED' | 'WORKER_LOST' | 'HANDED_BACK';
        readonly error: JobError | null;
        readonly at: string;
        /** When the next attempt is due; null: there is none. */
        readonly retryAt: string | null;
      };
    }
  | {
      readonly type: 'BackupSucceeded';
      readonly data: {
        readonly attempt: number;
        readonly result: BackupResult;
        readonly at: string;
        /** Who found the backup of an attempt that was lost before it could say so; absent: it said so itself. */
        readonly adoptedBy?: string;
      };
    }
  | { readonly type: 'BackupFailed'; readonly data: { readonly error: JobError; readonly at: string } }
  | {
      readonly type: 'BackupCancelRequested';
      readonly data: { readonly by: string; readonly at: string };
    }
  | {
      readonly type: 'BackupCancelled';
      /** `attempt` null: it had not started. */
      readonly data: { readonly attempt: number | null; readonly by: string; readonly at: string };
    }
  | { readonly type: 'BackupAttemptVoided'; readonly data: { readonly attempt: number; readonly at: string } }
  | { readonly type: 'BackupRemainsRemoved'; readonly data: { readonly attempt: number; readonly at: string } }
  | StoredBackupEvent;

export const backupJob: Decider<BackupJob, BackupJobCommand, BackupJobEvent> = {
  streamType: 'BackupJob',
  initial: { status: 'NONE' },
  decide,
  evolve,
  // Version 2: neither errors nor warnings hold what may be data of a customer.
  schemaVersions: { BackupAttemptEnded: 2, BackupFailed: 2, BackupSucceeded: 2 },
  upcasters: {
    'BackupAttemptEnded@1': dataWithErrorOfOld,
    'BackupFailed@1': dataWithErrorOfOld,
    'BackupSucceeded@1': (data) => {
      const { result } = data as BackupSuccess;
      return { ...data, result: { ...result, warnings: result.warnings.map(warningOfOld) } };
    },
  },
};

type BackupSuccess = Extract<BackupJobEvent, { type: 'BackupSucceeded' }>['data'];

function decide(command: BackupJobCommand, state: BackupJob): readonly BackupJobEvent[] {
  if (command.kind === 'QUEUE' || command.kind === 'SKIP') {
    // The id is derived from plan, time and endpoint: a second tick finds the job of the first.
    if (state.status !== 'NONE') return [];
    return command.kind === 'QUEUE'
      ? [{ type: 'BackupQueued', data: { request: command.request } }]
      : [{ type: 'BackupSkipped', data: { request: command.request, skippedFor: command.skippedFor } }];
  }
  if (state.status === 'NONE') throw notFound('backup job');
  switch (command.kind) {
    case 'START_ATTEMPT':
      if (state.status !== 'QUEUED') throw new StowageError('CONFLICT', `The backup job is ${state.status}.`);
      return [{ type: 'BackupAttemptStarted', data: { attempt: command.attempt } }];
    case 'ENTER_PHASE':
      runningAttempt(state, command.attempt);
      return [
        {
          type: 'BackupPhaseEntered',
          data: { attempt: command.attempt, phase: command.phase, at: command.at },
        },
      ];
    case 'SUCCEED':
      runningAttempt(state, command.attempt);
      return [
        {
          type: 'BackupSucceeded',
          data: { attempt: command.attempt, result: command.result, at: command.at },
        },
      ];
    case 'ADOPT':
      return adopt(command, runningAttempt(state, command.attempt));
    case 'FAIL_ATTEMPT':
      return failAttempt(command, runningAttempt(state, command.attempt));
    case 'REQUEST_CANCEL':
      return requestCancel(command, state);
    case 'CONFIRM_CANCEL': {
      const running = runningAttempt(state, command.attempt);
      const by = running.cancelRequestedBy ?? 'worker';
      return [{ type: 'BackupCancelled', data: { attempt: command.attempt, by, at: command.at } }];
    }
    case 'VOID_ATTEMPT':
      return endedOtherwise(state, command.attempt).remains === undefined
        ? [{ type: 'BackupAttemptVoided', data: { attempt: command.attempt, at: command.at } }]
        : [];
    case 'CONFIRM_REMAINS_GONE':
      return endedOtherwise(state, command.attempt).remains === 'REMOVED'
        ? []
        : [{ type: 'BackupRemainsRemoved', data: { attempt: command.attempt, at: command.at } }];
    default:
      return decideLater(command, state);
  }
}

/** What is done with the bytes. Letting go of them is no mistake where there are none. */
function decideLater(command: StoredBackupCommand, state: KnownBackupJob): readonly BackupJobEvent[] {
  if (state.status === 'SUCCEEDED') return decideStored(command, state);
  const letsGo = command.kind === 'RELEASE' || command.kind === 'RELEASE_HOLD' || command.kind === 'CONFIRM_DELETION';
  if (letsGo) return [];
  throw notStored(`the job is ${state.status}`);
}

/** The attempt of that number, if it has ended, and not in the backup. */
function endedOtherwise({ attempts }: KnownBackupJob, number: number): Attempt {
  const attempt = attempts.find((each) => each.number === number);
  if (attempt === undefined) throw notFound(`attempt ${number} of the backup job`);
  if (attempt.outcome === null || attempt.outcome === 'SUCCEEDED') {
    const how = attempt.outcome === null ? 'is under way' : 'made the backup';
    throw new StowageError('CONFLICT', `Attempt ${number} ${how}: what it stored is not to be removed.`);
  }
  return attempt;
}

type Running = Extract<KnownBackupJob, { status: 'RUNNING' }>;

/** The running attempt, if it is the one that speaks: an attempt that lost its lease has no say. */
function runningAttempt(state: KnownBackupJob, attempt: number): Running {
  if (state.status === 'RUNNING' && state.current.number === attempt) return state;
  throw new StowageError('WORKER_LOST', `Attempt ${attempt} is not the one that runs the backup job any more.`);
}

function adopt(
  command: Extract<BackupJobCommand, { kind: 'ADOPT' }>,
  { current, cancelRequestedBy }: Running,
): readonly BackupJobEvent[] {
  const { attempt, result, finishedAt, by, at } = command;
  if (result.folder !== current.folder) {
    throw new StowageError('CONFLICT', `What lies in ${result.folder} is not of attempt ${attempt}.`);
  }
  if (cancelRequestedBy !== null) return [{ type: 'BackupCancelled', data: { attempt, by: cancelRequestedBy, at } }];
  return [{ type: 'BackupSucceeded', data: { attempt, result, at: finishedAt, adoptedBy: by } }];
}

function failAttempt(
  command: Extract<BackupJobCommand, { kind: 'FAIL_ATTEMPT' }>,
  state: Running,
): readonly BackupJobEvent[] {
  const { attempt, outcome, error, at } = command;
  if (state.cancelRequestedBy !== null) {
    return [{ type: 'BackupCancelled', data: { attempt, by: state.cancelRequestedBy, at } }];
  }
  const handedBack = outcome === 'HANDED_BACK';
  const again =
    handedBack || (error?.retriable === true && attemptsThatCount(state.attempts) < state.request.maxAttempts);
  const ended: BackupJobEvent = {
    type: 'BackupAttemptEnded',
    data: { attempt, outcome, error, at, retryAt: again ? command.retryAt : null },
  };
  if (again) return [ended];
  if (error === null) throw new StowageError('INTERNAL', 'An attempt that failed must say why.');
  return [ended, { type: 'BackupFailed', data: { error, at } }];
}

function requestCancel(
  command: Extract<BackupJobCommand, { kind: 'REQUEST_CANCEL' }>,
  state: KnownBackupJob,
): readonly BackupJobEvent[] {
  const { by, at } = command;
  switch (state.status) {
    case 'QUEUED':
      return [{ type: 'BackupCancelled', data: { attempt: null, by, at } }];
    case 'RUNNING':
      return state.cancelRequestedBy === null ? [{ type: 'BackupCancelRequested', data: { by, at } }] : [];
    case 'CANCELLED':
      return [];
    default:
      throw new StowageError('CONFLICT', `The backup job has ended already: it is ${state.status}.`, {
        help: 'Only a QUEUED or RUNNING job can be cancelled.',
      });
  }
}

function evolve(state: BackupJob, event: BackupJobEvent): BackupJob {
  switch (event.type) {
    case 'BackupQueued':
      return { status: 'QUEUED', request: event.data.request, attempts: [] };
    case 'BackupSkipped':
      return { status: 'SKIPPED', request: event.data.request, attempts: [], skippedFor: event.data.skippedFor };
  }
  if (state.status === 'NONE') return state;
  const { request } = state;
  switch (event.type) {
    case 'BackupAttemptStarted': {
      const current = event.data.attempt;
      const attempts = beginAttempt(state.attempts, current);
      return { status: 'RUNNING', request, attempts, current, cancelRequestedBy: null };
    }
    case 'BackupPhaseEntered':
      return state;
    case 'BackupAttemptEnded': {
      const { attempt, outcome, error, at, retryAt } = event.data;
      const attempts = endAttempt(state.attempts, attempt, { outcome, error, finishedAt: at });
      if (retryAt !== null) return { status: 'QUEUED', request, attempts };
      return state.status === 'RUNNING' ? { ...state, attempts } : state;
    }
    case 'BackupSucceeded': {
      const attempts = withSuccess(state.attempts, event.data);
      return { status: 'SUCCEEDED', request, attempts, ...storedBackup(event.data.result) };
    }
    case 'BackupFailed':
      return { status: 'FAILED', request, attempts: state.attempts, error: event.data.error };
    case 'BackupCancelRequested':
      return state.status === 'RUNNING' ? { ...state, cancelRequestedBy: event.data.by } : state;
    case 'BackupCancelled': {
      const { attempt, at } = event.data;
      const end = { outcome: 'CANCELLED', error: null, finishedAt: at } as const;
      const attempts = attempt === null ? state.attempts : endAttempt(state.attempts, attempt, end);
      return { status: 'CANCELLED', request, attempts };
    }
    case 'BackupAttemptVoided':
      return { ...state, attempts: withRemains(state.attempts, event.data.attempt, 'VOID') };
    case 'BackupRemainsRemoved':
      return { ...state, attempts: withRemains(state.attempts, event.data.attempt, 'REMOVED') };
  }
  return state.status === 'SUCCEEDED' ? { ...state, ...evolveStored(state, event) } : state;
}

/** The attempts with the one that made the backup ended. */
export function withSuccess(
  attempts: readonly Attempt[],
  { attempt: number, at, adoptedBy }: { readonly attempt: number; readonly at: string; readonly adoptedBy?: string },
): readonly Attempt[] {
  const adoption = adoptedBy === undefined ? {} : { adoptedBy };
  return endAttempt(attempts, number, { outcome: 'SUCCEEDED', error: null, finishedAt: at, ...adoption });
}

/** The attempts with what is known to lie in the folder of one of them. */
export function withRemains(
  attempts: readonly Attempt[],
  number: number,
  remains: 'VOID' | 'REMOVED',
): readonly Attempt[] {
  return attempts.map((attempt) => (attempt.number === number ? { ...attempt, remains } : attempt));
}
