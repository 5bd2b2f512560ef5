import { EntitySchema, type EntityManager } from 'typeorm';
import { lookupByScope } from '../server/lookup.js';
import { storedScope } from '../server/scope.js';
import {
  attemptedJobColumns,
  attemptedJobProjection,
  queuedColumns,
  type AttemptedJobRow,
} from '../jobs/attemptedJobView.js';
import type { JobStatus } from '../jobs/attemptedJob.js';
import {
  withRemains,
  type BackupJobEvent,
  type BackupRequest,
  type BackupShape,
  type FirstTrigger,
} from './backupJob.js';
import type { BackupChanges } from '../archive/changes/backupChanges.js';
import type { BackupAvailability, Hold, StoredPart, Verification } from './storedBackup.js';

export type BackupJobStatus = JobStatus | 'SKIPPED';

export type BackupJobRow = AttemptedJobRow<BackupShape, BackupJobStatus> &
  Omit<
    BackupRequest,
    'scheduledFor' | 'queuedAt' | 'standsFor' | 'yieldToLocks' | 'driftThreshold' | 'includeUsers' | 'compression'
  > & {
    /** Null if the job is not a RETRY, or if the retried job is unknown. */
    readonly standsFor: FirstTrigger | null;
    readonly scheduledFor: Date | null;
    readonly availability: BackupAvailability | null;
    /** When the container first reported that the bytes are missing. */
    readonly absentSince: Date | null;
    readonly skippedFor: string | null;
    readonly errorCode: string | null;
    readonly folder: string | null;
    readonly parts: readonly StoredPart[];
    /** May be larger than all other columns together, so it is never read with the row: `findInventory` reads it. */
    readonly inventory?: unknown;
    readonly changes: BackupChanges | null;
    /** The sentence of `changes` if something fell, so that a list can show it without reading `changes`. */
    readonly fall: string | null;
    readonly sizeBytes: number | null;
    readonly storedSizeBytes: number | null;
    readonly readers: readonly string[];
    readonly hold: Hold | null;
    readonly verified: Verification | null;
    /** Attempts that did not succeed and whose folder the container has not confirmed to be empty. */
    readonly attemptsWithRemains: readonly number[];
  };

/** Whole numbers up to 2^53-1, which the driver returns as text. */
const wholeNumber = {
  from: (text: string | null) => (text === null ? null : Number(text)),
  to: (value: unknown) => value,
};

export const scopeOfBackupJob = storedScope('serviceId', 'row.service_id');

export const BackupJobTable = new EntitySchema<BackupJobRow>({
  name: 'backup_jobs',
  columns: {
    ...attemptedJobColumns,
    serviceId: { name: 'service_id', type: 'uuid' },
    planId: { name: 'plan_id', type: 'uuid', nullable: true },
    fileEndpointId: { name: 'file_endpoint_id', type: 'uuid' },
    trigger: { type: 'text' },
    batchId: { name: 'batch_id', type: 'uuid' },
    retryOf: { name: 'retry_of', type: 'uuid', nullable: true },
    standsFor: { name: 'stands_for', type: 'text', nullable: true },
    scheduledFor: { name: 'scheduled_for', type: 'timestamptz', nullable: true },
    timeoutMs: { name: 'timeout_ms', type: 'double precision', nullable: true },
    availability: { type: 'text', nullable: true },
    absentSince: { name: 'absent_since', type: 'timestamptz', nullable: true },
    skippedFor: { name: 'skipped_for', type: 'uuid', nullable: true },
    errorCode: { name: 'error_code', type: 'text', nullable: true },
    folder: { type: 'text', nullable: true },
    parts: { type: 'jsonb' },
    inventory: { type: 'jsonb', nullable: true, select: false },
    changes: { type: 'jsonb', nullable: true },
    fall: { type: 'text', nullable: true },
    sizeBytes: { name: 'size_bytes', type: 'bigint', nullable: true, transformer: wholeNumber },
    storedSizeBytes: { name: 'stored_size_bytes', type: 'bigint', nullable: true, transformer: wholeNumber },
    readers: { type: 'jsonb' },
    hold: { type: 'jsonb', nullable: true },
    verified: { type: 'jsonb', nullable: true },
    attemptsWithRemains: { name: 'attempts_with_remains', type: 'jsonb' },
  },
});

export const backupJobLookup = lookupByScope('backup job', BackupJobTable, scopeOfBackupJob);

export const backupJobProjection = attemptedJobProjection<BackupJobRow, BackupJobEvent>({
  name: 'Backup',
  table: BackupJobTable,
  emptiedByStart: ['error_code'],
  async created(event, key, manager) {
    if (event.type !== 'BackupQueued' && event.type !== 'BackupSkipped') return undefined;
    const { request } = event.data;
    const scheduledFor = request.scheduledFor === null ? null : new Date(request.scheduledFor);
    const standsFor = await standsForOf(request, manager);
    const queued = { ...request, ...queuedColumns(key, request.queuedAt), scheduledFor, standsFor };
    const created = { ...queued, parts: [], readers: [], attemptsWithRemains: [] };
    if (event.type === 'BackupQueued') return created;
    const { skippedFor } = event.data;
    return { ...created, status: 'SKIPPED', skippedFor, finishedAt: queued.queuedAt };
  },
  changed(row, event) {
    switch (event.type) {
      case 'BackupAttemptEnded': {
        const { attempt, error } = event.data;
        return { attemptsWithRemains: [...row.attemptsWithRemains, attempt], errorCode: error?.code ?? null };
      }
      case 'BackupSucceeded': {
        const { changes = null } = event.data.result;
        const fall = changes?.fell === true ? changes.sentence : null;
        return { ...event.data.result, availability: 'STORED', changes, fall };
      }
      case 'BackupFailed':
        return { errorCode: event.data.error.code };
      case 'BackupCancelled': {
        const { attempt } = event.data;
        return attempt === null ? {} : { attemptsWithRemains: [...row.attemptsWithRemains, attempt] };
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
      case 'BackupQueued':
      case 'BackupSkipped':
      case 'BackupAttemptStarted':
      case 'BackupPhaseEntered':
      case 'BackupCancelRequested':
        return {};
    }
  },
});

/** Older events do not record it. The row of the retried job has it, because that job was queued earlier. */
async function standsForOf(
  { trigger, retryOf, standsFor }: BackupRequest,
  manager: EntityManager,
): Promise<FirstTrigger | null> {
  if (standsFor || trigger !== 'RETRY' || retryOf === null) return standsFor ?? null;
  const source = await manager.findOneBy(BackupJobTable, { id: retryOf });
  return source === null ? null : triggerThatCounts(source);
}

/**
 * The trigger of a job. For a RETRY it is the trigger of the job at the beginning of its chain. Null: it is unknown.
 */
export function triggerThatCounts({
  trigger,
  standsFor,
}: Pick<BackupJobRow, 'trigger' | 'standsFor'>): FirstTrigger | null {
  return trigger === 'RETRY' ? standsFor : trigger;
}
