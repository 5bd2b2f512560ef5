import type { Compression } from '../engines/compression.js';
import type { IncludedUsers } from '../engines/runningDump.js';
import { notFound, StowageError } from '../errors.js';
import type { Decider } from '../eventSourcing/decider.js';
import type { AttemptRecord, AttemptStart } from '../jobs/attempt.js';
import {
  isJobCommand,
  jobLife,
  lifeEvent,
  plainRules,
  type AttemptedJob,
  type JobCommand,
  type JobCommon,
  type JobEvent,
  type KnownJob,
  type PlainShape,
} from '../jobs/attemptedJob.js';
import type { DriftThreshold } from '../plans/driftThreshold.js';
import { dataWithErrorOfOld, warningOfOld } from '../jobs/errorsOfOld.js';
import type { EffectiveTimeout } from './effectiveTimeout.js';
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

/** One executed backup to one File Endpoint: first the life of a job, and then the life of its stored bytes. */
export type BackupJob = AttemptedJob<BackupShape> | SkippedBackup;

export type KnownBackupJob = KnownJob<BackupShape> | SkippedBackup;

type SkippedBackup = JobCommon<BackupShape> & { readonly status: 'SKIPPED'; readonly skippedFor: string };

export type BackupShape = Omit<PlainShape, 'succeeded'> & {
  readonly name: 'Backup';
  readonly request: BackupRequest;
  readonly start: RunningAttempt;
  readonly attempt: Attempt;
  readonly phase: BackupPhase;
  readonly result: BackupResult;
  readonly succeeded: StoredBackup;
};

export type BackupTrigger = 'SCHEDULE' | 'CATCH_UP' | 'MANUAL' | 'RETRY' | 'SAFETY';

export type FirstTrigger = Exclude<BackupTrigger, 'RETRY'>;

/** All values that are fixed when a backup is requested. */
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
  /**
   * Only for a RETRY: the trigger of the job at the beginning of its chain of retries. Null: not recorded (older
   * events).
   */
  readonly standsFor?: FirstTrigger | null;
  /** The time of the tick, for SCHEDULE and CATCH_UP. */
  readonly scheduledFor: string | null;
  readonly queuedAt: string;
  readonly maxAttempts: number;
  readonly timeoutMs: number | null;
  readonly stallTimeoutMs: number;
  /**
   * Whether the backup ends when another session waits too long for one of its locks. Absent (older events): it does.
   */
  readonly yieldToLocks?: boolean;
  /** Null or absent (older events, no plan): the rows are compared with the previous backup without a limit. */
  readonly driftThreshold?: DriftThreshold | null;
  /** Absent (older events): NONE. */
  readonly includeUsers?: IncludedUsers;
  /** Absent (older events): BALANCED. */
  readonly compression?: Compression;
};

export type BackupPhase = 'PREFLIGHT' | 'DUMPING' | 'FINALISING' | 'VERIFYING';

export type RunningAttempt = AttemptStart & {
  /** The attempt's own folder in the container, ending in `/`. */
  readonly folder: string;
  /** The limit that applies to the attempt. Null: no limit. Absent (older events): not recorded. */
  readonly timeout?: EffectiveTimeout | null;
};

export type Attempt = RunningAttempt &
  AttemptRecord & {
    /**
     * The possible content of the folder of an attempt that did not succeed. Absent: any objects. VOID: even a complete
     * backup there does not count. REMOVED: the container has confirmed that the folder is empty.
     */
    readonly remains?: 'VOID' | 'REMOVED';
  };

export type BackupJobCommand = JobCommand<BackupShape> | OwnCommand;

type OwnCommand =
  | { readonly kind: 'SKIP'; readonly request: BackupRequest; readonly skippedFor: string }
  /**
   * The worker of the attempt is lost, and its complete backup is in the container. The process that holds the expired
   * lease sends this command. A job whose cancellation was requested becomes CANCELLED instead.
   */
  | {
      readonly kind: 'ADOPT';
      readonly attempt: number;
      readonly result: BackupResult;
      readonly finishedAt: string;
      readonly by: string;
      readonly at: string;
    }
  | { readonly kind: 'VOID_ATTEMPT'; readonly attempt: number; readonly at: string }
  | { readonly kind: 'CONFIRM_REMAINS_GONE'; readonly attempt: number; readonly at: string }
  | StoredBackupCommand;

export type BackupJobEvent =
  | JobEvent<BackupShape>
  | {
      readonly type: 'BackupSkipped';
      readonly data: { readonly request: BackupRequest; readonly skippedFor: string };
    }
  | { readonly type: 'BackupAttemptVoided'; readonly data: { readonly attempt: number; readonly at: string } }
  | { readonly type: 'BackupRemainsRemoved'; readonly data: { readonly attempt: number; readonly at: string } }
  | StoredBackupEvent;

const life = jobLife<BackupShape>({
  ...plainRules,
  name: 'Backup',
  noun: 'backup job',
  succeeded: ({ result }) => storedBackup(result),
});

export const backupJob: Decider<BackupJob, BackupJobCommand, BackupJobEvent> = {
  streamType: 'BackupJob',
  initial: { status: 'NONE' },
  decide: (command, state) => (isJobCommand(command) ? life.decide(command, state) : decideOwn(command, state)),
  evolve,
  // Version 2 of BackupQueued: a RETRY names the trigger that it replaces. Version 2 of the others: errors and warnings
  // contain no data of a customer. Version 3 of BackupSucceeded: a part may record the size of its manifests of segments.
  // Version 4 of BackupSucceeded: the changes since the previous backup. Version 3 of BackupQueued and version 2 of
  // BackupSkipped: the drift threshold of the plan. One version later: which users the backup contains. Another one later: the compression.
  schemaVersions: {
    ...{ BackupQueued: 5, BackupSkipped: 4, BackupAttemptStarted: 2, BackupAttemptEnded: 2, BackupFailed: 2 },
    BackupSucceeded: 4,
  },
  upcasters: {
    'BackupQueued@1': (data) => {
      const { request } = data as { request: BackupRequest };
      return request.trigger === 'RETRY' ? { ...data, request: { ...request, standsFor: null } } : data;
    },
    // Threshold, users, compression and changes are absent in older events.
    'BackupQueued@2': (data) => data,
    'BackupQueued@3': (data) => data,
    'BackupQueued@4': (data) => data,
    'BackupSkipped@1': (data) => data,
    'BackupSkipped@2': (data) => data,
    'BackupSkipped@3': (data) => data,
    'BackupSucceeded@3': (data) => data,
    // Version 2 adds the timeout. It is absent in an older event.
    'BackupAttemptStarted@1': (data) => data,
    'BackupAttemptEnded@1': dataWithErrorOfOld,
    'BackupFailed@1': dataWithErrorOfOld,
    'BackupSucceeded@1': (data) => {
      const { result } = data as { result: BackupResult };
      return { ...data, result: { ...result, warnings: result.warnings.map(warningOfOld) } };
    },
    'BackupSucceeded@2': (data) => data,
  },
};

function decideOwn(command: OwnCommand, state: BackupJob): readonly BackupJobEvent[] {
  if (command.kind === 'SKIP') {
    const { request, skippedFor } = command;
    return state.status === 'NONE' ? [{ type: 'BackupSkipped', data: { request, skippedFor } }] : [];
  }
  if (state.status === 'NONE') throw notFound('backup job');
  switch (command.kind) {
    case 'ADOPT':
      return adopt(command, state);
    case 'VOID_ATTEMPT': {
      const { attempt, at } = command;
      const isKnown = attemptWithoutBackup(state, attempt).remains !== undefined;
      return isKnown ? [] : [{ type: 'BackupAttemptVoided', data: { attempt, at } }];
    }
    case 'CONFIRM_REMAINS_GONE': {
      const { attempt, at } = command;
      const isKnown = attemptWithoutBackup(state, attempt).remains === 'REMOVED';
      return isKnown ? [] : [{ type: 'BackupRemainsRemoved', data: { attempt, at } }];
    }
    case 'CONFIRM_DELETION':
    case 'DECIDE_DELETION':
    case 'HOLD':
    case 'RECORD_VERIFICATION':
    case 'RELEASE_HOLD':
    case 'RELEASE':
    case 'REPORT_ABSENT':
    case 'REPORT_PRESENT':
    case 'RESERVE':
      return decideLater(command, state);
  }
}

/**
 * Commands about the stored bytes. If no bytes are stored, releasing a backup and confirming a deletion change nothing
 * and are not errors.
 */
function decideLater(command: StoredBackupCommand, state: KnownBackupJob): readonly BackupJobEvent[] {
  if (state.status === 'SUCCEEDED') return decideStored(command, state);
  const isRelease = command.kind === 'RELEASE' || command.kind === 'RELEASE_HOLD';
  if (isRelease || command.kind === 'CONFIRM_DELETION') return [];
  throw notStored(`the job is ${state.status}`);
}

/** The attempt of that number, if it has ended and did not create the backup. */
function attemptWithoutBackup({ attempts }: KnownBackupJob, number: number): Attempt {
  const attempt = attempts.find((each) => each.number === number);
  if (attempt === undefined) throw notFound(`attempt ${number} of the backup job`);
  if (attempt.outcome === null || attempt.outcome === 'SUCCEEDED') {
    const how = attempt.outcome === null ? 'is under way' : 'made the backup';
    throw new StowageError('CONFLICT', `Attempt ${number} ${how}: its stored objects must not be removed.`);
  }
  return attempt;
}

function adopt(command: Extract<OwnCommand, { kind: 'ADOPT' }>, state: KnownBackupJob): readonly BackupJobEvent[] {
  const { attempt, result, finishedAt, by, at } = command;
  const job = life.running(state, attempt);
  if (result.folder !== job.current.folder) {
    throw new StowageError('CONFLICT', `The backup in ${result.folder} does not belong to attempt ${attempt}.`);
  }
  if (job.cancelRequestedBy !== null) return [life.cancelled(job, job.cancelRequestedBy, at)];
  return [{ type: 'BackupSucceeded', data: { attempt, result, at: finishedAt, adoptedBy: by } }];
}

function evolve(state: BackupJob, event: BackupJobEvent): BackupJob {
  if (event.type === 'BackupSkipped') return { status: 'SKIPPED', attempts: [], ...event.data };
  if (state.status === 'SKIPPED') return state;
  const lifeOfJob = lifeEvent<BackupShape>('Backup', event);
  if (lifeOfJob !== undefined) return life.evolve(state, lifeOfJob);
  if (state.status === 'NONE') return state;
  if (event.type === 'BackupAttemptVoided' || event.type === 'BackupRemainsRemoved') {
    const remains = event.type === 'BackupAttemptVoided' ? 'VOID' : 'REMOVED';
    return { ...state, attempts: withRemains(state.attempts, event.data.attempt, remains) };
  }
  // Only events of the stored bytes reach this line, because `lifeEvent` has handled the events of the job's life.
  return state.status === 'SUCCEEDED' ? { ...state, ...evolveStored(state, event as StoredBackupEvent) } : state;
}

/** Records the content of the folder of one attempt. */
export function withRemains(
  attempts: readonly Attempt[],
  number: number,
  remains: 'VOID' | 'REMOVED',
): readonly Attempt[] {
  return attempts.map((attempt) => (attempt.number === number ? { ...attempt, remains } : attempt));
}
