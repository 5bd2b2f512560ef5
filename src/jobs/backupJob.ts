import { notFound, StowageError } from '../errors.js';
import type { Decider } from '../eventSourcing/decider.js';
import type { JsonValue } from '../json.js';
import {
  attemptsThatCount,
  beginAttempt,
  endAttempt,
  type AttemptRecord,
  type AttemptStart,
  type JobError,
} from './attempt.js';

/** One executed backup to one File Endpoint. */
export type BackupJob = { readonly status: 'NONE' } | KnownBackupJob;

export type KnownBackupJob =
  | (Common & { readonly status: 'QUEUED' })
  | (Common & {
      readonly status: 'RUNNING';
      readonly current: RunningAttempt;
      readonly cancelRequestedBy: string | null;
    })
  | (Common & {
      readonly status: 'SUCCEEDED';
      readonly result: BackupResult;
      readonly availability: 'STORED' | 'DELETING' | 'DELETED';
      /** Restores (and other readers) that rely on the bytes, by id. */
      readonly readers: readonly string[];
    })
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
};

export type BackupPhase = 'PREFLIGHT' | 'DUMPING' | 'FINALISING' | 'VERIFYING';

export type RunningAttempt = AttemptStart & {
  /** The attempt's own folder in the container, ending in `/`. */
  readonly folder: string;
};

export type Attempt = RunningAttempt & AttemptRecord;

export type StoredPart = {
  readonly name: string;
  readonly extension: string;
  readonly objectName: string;
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  readonly checksum: string;
  readonly etag: string;
  readonly restoreByHand: string;
};

export type BackupResult = {
  readonly folder: string;
  readonly parts: readonly StoredPart[];
  readonly inventory: JsonValue;
  readonly warnings: readonly string[];
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
};

export type DeletionReason = 'BY_HAND' | 'RETENTION';

export type BackupJobCommand =
  | { readonly kind: 'QUEUE'; readonly request: BackupRequest }
  | { readonly kind: 'SKIP'; readonly request: BackupRequest; readonly skippedFor: string }
  | { readonly kind: 'START_ATTEMPT'; readonly attempt: RunningAttempt }
  | { readonly kind: 'ENTER_PHASE'; readonly attempt: number; readonly phase: BackupPhase; readonly at: string }
  | { readonly kind: 'SUCCEED'; readonly attempt: number; readonly result: BackupResult; readonly at: string }
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
  | { readonly kind: 'RESERVE'; readonly readerId: string; readonly at: string }
  | { readonly kind: 'RELEASE'; readonly readerId: string; readonly at: string }
  | { readonly kind: 'DECIDE_DELETION'; readonly reason: DeletionReason; readonly by: string; readonly at: string }
  | { readonly kind: 'CONFIRM_DELETION'; readonly at: string };

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
      readonly data: { readonly attempt: number; readonly result: BackupResult; readonly at: string };
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
  | { readonly type: 'BackupReserved'; readonly data: { readonly readerId: string; readonly at: string } }
  | { readonly type: 'BackupReleased'; readonly data: { readonly readerId: string; readonly at: string } }
  | {
      readonly type: 'BackupDeletionDecided';
      readonly data: { readonly reason: DeletionReason; readonly by: string; readonly at: string };
    }
  | { readonly type: 'BackupDeleted'; readonly data: { readonly at: string } };

export const backupJob: Decider<BackupJob, BackupJobCommand, BackupJobEvent> = {
  streamType: 'BackupJob',
  initial: { status: 'NONE' },
  decide,
  evolve,
};

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
    case 'FAIL_ATTEMPT':
      return failAttempt(command, runningAttempt(state, command.attempt));
    case 'REQUEST_CANCEL':
      return requestCancel(command, state);
    case 'CONFIRM_CANCEL': {
      const running = runningAttempt(state, command.attempt);
      const by = running.cancelRequestedBy ?? 'worker';
      return [{ type: 'BackupCancelled', data: { attempt: command.attempt, by, at: command.at } }];
    }
    case 'RESERVE':
      if (state.status !== 'SUCCEEDED' || state.availability !== 'STORED') throw notStored(state);
      return state.readers.includes(command.readerId)
        ? []
        : [{ type: 'BackupReserved', data: { readerId: command.readerId, at: command.at } }];
    case 'RELEASE':
      return state.status === 'SUCCEEDED' && state.readers.includes(command.readerId)
        ? [{ type: 'BackupReleased', data: { readerId: command.readerId, at: command.at } }]
        : [];
    case 'DECIDE_DELETION': {
      if (state.status !== 'SUCCEEDED') throw notStored(state);
      if (state.availability !== 'STORED') return [];
      if (state.readers.length > 0) {
        throw new StowageError('CONFLICT', 'A restore is reading this backup.', {
          help: 'Wait until the restore has ended, or cancel it, and delete the backup then.',
        });
      }
      const { reason, by, at } = command;
      return [{ type: 'BackupDeletionDecided', data: { reason, by, at } }];
    }
    case 'CONFIRM_DELETION':
      return state.status === 'SUCCEEDED' && state.availability === 'DELETING'
        ? [{ type: 'BackupDeleted', data: { at: command.at } }]
        : [];
  }
}

type Running = Extract<KnownBackupJob, { status: 'RUNNING' }>;

/** The running attempt, if it is the one that speaks: an attempt that lost its lease has no say. */
function runningAttempt(state: KnownBackupJob, attempt: number): Running {
  if (state.status === 'RUNNING' && state.current.number === attempt) return state;
  throw new StowageError('WORKER_LOST', `Attempt ${attempt} is not the one that runs the backup job any more.`);
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

function notStored(state: KnownBackupJob): StowageError {
  const what = state.status === 'SUCCEEDED' ? `its bytes are ${state.availability}` : `the job is ${state.status}`;
  return new StowageError('CONFLICT', `There is no stored backup here: ${what}.`, {
    help: 'Choose a backup that is SUCCEEDED and STORED.',
  });
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
      const end = { outcome: 'SUCCEEDED', error: null, finishedAt: event.data.at } as const;
      const attempts = endAttempt(state.attempts, event.data.attempt, end);
      return {
        status: 'SUCCEEDED',
        request,
        attempts,
        result: event.data.result,
        availability: 'STORED',
        readers: [],
      };
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
  }
  if (state.status !== 'SUCCEEDED') return state;
  switch (event.type) {
    case 'BackupReserved':
      return { ...state, readers: [...state.readers, event.data.readerId] };
    case 'BackupReleased':
      return { ...state, readers: state.readers.filter((reader) => reader !== event.data.readerId) };
    case 'BackupDeletionDecided':
      return { ...state, availability: 'DELETING' };
    case 'BackupDeleted':
      return { ...state, availability: 'DELETED' };
  }
}
