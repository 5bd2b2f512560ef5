import { EntitySchema } from 'typeorm';
import type { StreamEvent } from '../eventSourcing/event.js';
import type { Projection } from '../eventSourcing/projection.js';
import { beginAttempt, endAttempt, type AttemptRecord, type JobError } from '../jobs/attempt.js';
import { leftOnTarget, silentTarget } from './leftOnTarget.js';
import type { RestoreJobEvent, RestorePhase, RestoreRequest, RestoreResult } from './restoreJob.js';

export type RestoreJobRow = Omit<RestoreRequest, 'queuedAt'> & {
  readonly id: string;
  readonly projectId: string;
  readonly queuedAt: Date;
  readonly status: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  readonly phase: RestorePhase | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly retryAt: Date | null;
  readonly toolStarted: boolean;
  /** The restore is cancelled, and its sessions on the target may not have ended yet. */
  readonly targetLocked: boolean;
  readonly cancelRequestedBy: string | null;
  readonly error: JobError | null;
  readonly attempt: number;
  readonly attempts: readonly AttemptRecord[];
  readonly warnings: readonly string[];
  readonly differences: RestoreResult['differences'] | null;
  readonly version: number;
};

export const RestoreJobTable = new EntitySchema<RestoreJobRow>({
  name: 'restore_jobs',
  columns: {
    id: { type: 'uuid', primary: true },
    projectId: { name: 'project_id', type: 'uuid' },
    backupJobId: { name: 'backup_job_id', type: 'uuid' },
    targetServiceId: { name: 'target_service_id', type: 'uuid' },
    engine: { type: 'text' },
    mode: { type: 'text' },
    requestedBy: { name: 'requested_by', type: 'text' },
    queuedAt: { name: 'queued_at', type: 'timestamptz' },
    maxAttempts: { name: 'max_attempts', type: 'int' },
    stallTimeoutMs: { name: 'stall_timeout_ms', type: 'double precision' },
    status: { type: 'text' },
    phase: { type: 'text', nullable: true },
    startedAt: { name: 'started_at', type: 'timestamptz', nullable: true },
    finishedAt: { name: 'finished_at', type: 'timestamptz', nullable: true },
    retryAt: { name: 'retry_at', type: 'timestamptz', nullable: true },
    toolStarted: { name: 'tool_started', type: 'boolean' },
    targetLocked: { name: 'target_locked', type: 'boolean' },
    cancelRequestedBy: { name: 'cancel_requested_by', type: 'text', nullable: true },
    error: { type: 'jsonb', nullable: true },
    attempt: { type: 'int' },
    attempts: { type: 'jsonb' },
    warnings: { type: 'jsonb' },
    differences: { type: 'jsonb', nullable: true },
    version: { type: 'int' },
  },
});

export const restoreJobProjection: Projection = {
  name: 'restore_jobs',
  tables: ['restore_jobs'],
  streamTypes: ['RestoreJob'],
  async apply(event, manager) {
    const jobEvent = event as StreamEvent<RestoreJobEvent>;
    const { streamId: id, projectId, version } = jobEvent;
    if (jobEvent.type === 'RestoreQueued') {
      const { request } = jobEvent.data;
      await manager.insert(RestoreJobTable, {
        id,
        projectId,
        ...request,
        queuedAt: new Date(request.queuedAt),
        status: 'QUEUED',
        toolStarted: false,
        targetLocked: false,
        attempt: 0,
        attempts: [],
        warnings: [],
        version,
      });
      return;
    }
    const row = await manager.findOneByOrFail(RestoreJobTable, { id });
    await manager.update(RestoreJobTable, { id }, { ...changed(row, jobEvent), version });
  },
};

function changed(
  row: RestoreJobRow,
  event: Exclude<RestoreJobEvent, { type: 'RestoreQueued' }>,
): Partial<RestoreJobRow> {
  switch (event.type) {
    case 'RestoreAttemptStarted': {
      const { attempt } = event.data;
      return {
        status: 'RUNNING',
        phase: 'PREFLIGHT',
        attempt: attempt.number,
        attempts: beginAttempt(row.attempts, attempt),
        startedAt: new Date(attempt.startedAt),
        retryAt: null,
        error: null,
      };
    }
    case 'RestorePhaseEntered':
      return { phase: event.data.phase };
    case 'RestoreToolStarted':
      return { toolStarted: true };
    case 'RestoreAttemptEnded': {
      const { attempt, outcome, error, at, retryAt } = event.data;
      return {
        attempts: endAttempt(row.attempts, attempt, { outcome, error, finishedAt: at }),
        phase: null,
        error,
        ...(retryAt === null ? {} : { status: 'QUEUED', retryAt: new Date(retryAt), startedAt: null }),
      };
    }
    case 'RestoreSucceeded': {
      const { attempt, result, at } = event.data;
      return {
        ...result,
        status: 'SUCCEEDED',
        phase: null,
        attempts: endAttempt(row.attempts, attempt, { outcome: 'SUCCEEDED', error: null, finishedAt: at }),
        finishedAt: new Date(at),
      };
    }
    case 'RestoreFailed': {
      const { error, differences = null, at } = event.data;
      return { status: 'FAILED', phase: null, error, differences, finishedAt: new Date(at) };
    }
    case 'RestoreCancelRequested':
      return { cancelRequestedBy: event.data.by };
    case 'RestoreCancelled': {
      const { attempt, by, targetTouched, databases = [], targetLocked = false, at } = event.data;
      const outcome = { outcome: 'CANCELLED', error: null, finishedAt: at } as const;
      return {
        status: 'CANCELLED',
        phase: null,
        cancelRequestedBy: by,
        finishedAt: new Date(at),
        retryAt: null,
        targetLocked,
        warnings: targetTouched ? [leftOnTarget(databases)] : [],
        ...(attempt === null ? {} : { attempts: endAttempt(row.attempts, attempt, outcome) }),
      };
    }
    case 'RestoreTargetFreed': {
      const { sessionsEnded } = event.data;
      return { targetLocked: false, ...(sessionsEnded ? {} : { warnings: [...row.warnings, silentTarget] }) };
    }
  }
}
