import { EntitySchema, type EntityManager } from 'typeorm';
import type { QueryDeepPartialEntity } from 'typeorm/query-builder/QueryPartialEntity.js';
import type { StreamEvent } from '../eventSourcing/event.js';
import type { Projection } from '../eventSourcing/projection.js';
import { beginAttempt, endAttempt, type JobError } from '../jobs/attempt.js';
import {
  withRemains,
  withSuccess,
  type Attempt,
  type BackupJobEvent,
  type BackupPhase,
  type BackupRequest,
  type RunningAttempt,
} from './backupJob.js';
import type { BackupAvailability, Hold, StoredPart, Verification } from './storedBackup.js';

export type BackupJobStatus = 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'SKIPPED';

export type BackupJobRow = Omit<BackupRequest, 'scheduledFor' | 'queuedAt' | 'yieldToLocks'> & {
  readonly id: string;
  readonly projectId: string;
  readonly scheduledFor: Date | null;
  readonly queuedAt: Date;
  readonly status: BackupJobStatus;
  readonly availability: BackupAvailability | null;
  /** When the container first said that the bytes are not there. */
  readonly absentSince: Date | null;
  readonly phase: BackupPhase | null;
  readonly skippedFor: string | null;
  /** Of the latest attempt; for a success that of the one that succeeded. */
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  /** While QUEUED for another attempt: when that is due. */
  readonly retryAt: Date | null;
  readonly cancelRequestedBy: string | null;
  readonly error: JobError | null;
  readonly errorCode: string | null;
  readonly attempt: number;
  readonly attempts: readonly Attempt[];
  readonly folder: string | null;
  readonly parts: readonly StoredPart[];
  /** May be larger than everything else together, so it is never read with the row: `findInventories` reads it. */
  readonly inventory?: unknown;
  readonly warnings: readonly string[];
  readonly sizeBytes: number | null;
  readonly storedSizeBytes: number | null;
  readonly readers: readonly string[];
  readonly hold: Hold | null;
  readonly verified: Verification | null;
  /** Attempts that ended otherwise than by success, and whose folder the container has not confirmed to be empty. */
  readonly attemptsWithRemains: readonly number[];
  readonly version: number;
};

/** Whole numbers up to 2^53-1, which the driver hands over as text. */
const wholeNumber = {
  from: (text: string | null) => (text === null ? null : Number(text)),
  to: (value: unknown) => value,
};

export const BackupJobTable = new EntitySchema<BackupJobRow>({
  name: 'backup_jobs',
  columns: {
    id: { type: 'uuid', primary: true },
    projectId: { name: 'project_id', type: 'uuid' },
    serviceId: { name: 'service_id', type: 'uuid' },
    engine: { type: 'text' },
    planId: { name: 'plan_id', type: 'uuid', nullable: true },
    fileEndpointId: { name: 'file_endpoint_id', type: 'uuid' },
    trigger: { type: 'text' },
    batchId: { name: 'batch_id', type: 'uuid' },
    requestedBy: { name: 'requested_by', type: 'text' },
    retryOf: { name: 'retry_of', type: 'uuid', nullable: true },
    scheduledFor: { name: 'scheduled_for', type: 'timestamptz', nullable: true },
    queuedAt: { name: 'queued_at', type: 'timestamptz' },
    maxAttempts: { name: 'max_attempts', type: 'int' },
    timeoutMs: { name: 'timeout_ms', type: 'double precision', nullable: true },
    stallTimeoutMs: { name: 'stall_timeout_ms', type: 'double precision' },
    status: { type: 'text' },
    availability: { type: 'text', nullable: true },
    absentSince: { name: 'absent_since', type: 'timestamptz', nullable: true },
    phase: { type: 'text', nullable: true },
    skippedFor: { name: 'skipped_for', type: 'uuid', nullable: true },
    startedAt: { name: 'started_at', type: 'timestamptz', nullable: true },
    finishedAt: { name: 'finished_at', type: 'timestamptz', nullable: true },
    retryAt: { name: 'retry_at', type: 'timestamptz', nullable: true },
    cancelRequestedBy: { name: 'cancel_requested_by', type: 'text', nullable: true },
    error: { type: 'jsonb', nullable: true },
    errorCode: { name: 'error_code', type: 'text', nullable: true },
    attempt: { type: 'int' },
    attempts: { type: 'jsonb' },
    folder: { type: 'text', nullable: true },
    parts: { type: 'jsonb' },
    inventory: { type: 'jsonb', nullable: true, select: false },
    warnings: { type: 'jsonb' },
    sizeBytes: { name: 'size_bytes', type: 'bigint', nullable: true, transformer: wholeNumber },
    storedSizeBytes: { name: 'stored_size_bytes', type: 'bigint', nullable: true, transformer: wholeNumber },
    readers: { type: 'jsonb' },
    hold: { type: 'jsonb', nullable: true },
    verified: { type: 'jsonb', nullable: true },
    attemptsWithRemains: { name: 'attempts_with_remains', type: 'jsonb' },
    version: { type: 'int' },
  },
});

export const backupJobProjection: Projection = {
  name: 'backup_jobs',
  tables: ['backup_jobs'],
  streamTypes: ['BackupJob'],
  async apply(event, manager) {
    const jobEvent = event as StreamEvent<BackupJobEvent>;
    const { streamId: id, projectId, version } = jobEvent;
    switch (jobEvent.type) {
      case 'BackupQueued':
        return insert(manager, { id, projectId, version }, jobEvent.data.request, null);
      case 'BackupSkipped':
        return insert(manager, { id, projectId, version }, jobEvent.data.request, jobEvent.data.skippedFor);
      case 'BackupAttemptStarted':
        return startAttempt(manager, { id, version }, jobEvent.data.attempt);
      case 'BackupPhaseEntered':
        await manager.query('UPDATE backup_jobs SET phase = $2, version = $3 WHERE id = $1', [
          ...[id, jobEvent.data.phase, version],
        ]);
        return;
    }
    const row = await manager.findOneByOrFail(BackupJobTable, { id });
    const columns: Partial<BackupJobRow> = { ...changed(row, jobEvent), version };
    await manager.update(BackupJobTable, { id }, columns as QueryDeepPartialEntity<BackupJobRow>);
  },
};

async function insert(
  manager: EntityManager,
  key: { id: string; projectId: string; version: number },
  request: BackupRequest,
  skippedFor: string | null,
): Promise<void> {
  await manager.insert(BackupJobTable, {
    ...key,
    ...request,
    scheduledFor: request.scheduledFor === null ? null : new Date(request.scheduledFor),
    queuedAt: new Date(request.queuedAt),
    status: skippedFor === null ? 'QUEUED' : 'SKIPPED',
    skippedFor,
    attempt: 0,
    attempts: [],
    parts: [],
    warnings: [],
    readers: [],
    attemptsWithRemains: [],
    finishedAt: skippedFor === null ? null : new Date(request.queuedAt),
  });
}

/** Not read before it is written: a plan whose time has come waits for it. */
async function startAttempt(
  manager: EntityManager,
  { id, version }: { id: string; version: number },
  attempt: RunningAttempt,
): Promise<void> {
  await manager.query(
    `UPDATE backup_jobs
     SET status = 'RUNNING', phase = 'PREFLIGHT', attempt = $3, attempts = attempts || $4::jsonb, started_at = $5,
       retry_at = NULL, error = NULL, error_code = NULL, version = $2
     WHERE id = $1`,
    [id, version, attempt.number, JSON.stringify(beginAttempt([], attempt)), new Date(attempt.startedAt)],
  );
}

type ReadBefore = Exclude<
  BackupJobEvent,
  { type: 'BackupQueued' | 'BackupSkipped' | 'BackupAttemptStarted' | 'BackupPhaseEntered' }
>;

function changed(row: BackupJobRow, event: ReadBefore): Partial<BackupJobRow> {
  switch (event.type) {
    case 'BackupAttemptEnded': {
      const { attempt, outcome, error, at, retryAt } = event.data;
      return {
        attemptsWithRemains: [...row.attemptsWithRemains, attempt],
        attempts: endAttempt(row.attempts, attempt, { outcome, error, finishedAt: at }),
        phase: null,
        error,
        errorCode: error?.code ?? null,
        ...(retryAt === null ? {} : { status: 'QUEUED', retryAt: new Date(retryAt), startedAt: null }),
      };
    }
    case 'BackupSucceeded': {
      const { result, at } = event.data;
      return {
        ...result,
        status: 'SUCCEEDED',
        availability: 'STORED',
        phase: null,
        attempts: withSuccess(row.attempts, event.data),
        finishedAt: new Date(at),
      };
    }
    case 'BackupFailed': {
      const { error, at } = event.data;
      return { status: 'FAILED', phase: null, error, errorCode: error.code, finishedAt: new Date(at) };
    }
    case 'BackupCancelRequested':
      return { cancelRequestedBy: event.data.by };
    case 'BackupCancelled': {
      const { attempt, by, at } = event.data;
      const outcome = { outcome: 'CANCELLED', error: null, finishedAt: at } as const;
      return {
        status: 'CANCELLED',
        phase: null,
        cancelRequestedBy: by,
        finishedAt: new Date(at),
        retryAt: null,
        ...(attempt === null
          ? {}
          : {
              attempts: endAttempt(row.attempts, attempt, outcome),
              attemptsWithRemains: [...row.attemptsWithRemains, attempt],
            }),
      };
    }
    case 'BackupAttemptVoided':
      return { attempts: withRemains(row.attempts, event.data.attempt, 'VOID') };
    case 'BackupRemainsRemoved':
      return {
        attempts: withRemains(row.attempts, event.data.attempt, 'REMOVED'),
        attemptsWithRemains: row.attemptsWithRemains.filter((number) => number !== event.data.attempt),
      };
    case 'BackupReserved':
      return { readers: [...row.readers, event.data.readerId] };
    case 'BackupReleased':
      return { readers: row.readers.filter((reader) => reader !== event.data.readerId) };
    case 'BackupHeld':
      return { hold: event.data.hold };
    case 'BackupHoldReleased':
      return { hold: null };
    case 'BackupVerified':
      return { verified: event.data.verification };
    case 'BackupAbsent':
      return { absentSince: new Date(event.data.at) };
    case 'BackupMissing':
      return { availability: 'MISSING' };
    case 'BackupFound':
      return { availability: 'STORED', absentSince: null };
    case 'BackupDeletionDecided':
      return { availability: 'DELETING' };
    case 'BackupDeleted':
      return { availability: 'DELETED' };
  }
}
