import { EntitySchema } from 'typeorm';
import { lookupByScope } from '../server/lookup.js';
import { storedScope } from '../server/scope.js';
import type { JobStatus } from '../jobs/attemptedJob.js';
import {
  attemptedJobColumns,
  attemptedJobProjection,
  queuedColumns,
  type AttemptedJobRow,
} from '../jobs/attemptedJobView.js';
import { leftOnTarget, silentTarget } from './leftOnTarget.js';
import type { RestoreJobEvent, RestoreRequest, RestoreResult, RestoreShape } from './restoreJob.js';

export type RestoreJobRow = AttemptedJobRow<RestoreShape, JobStatus> &
  Omit<RestoreRequest, 'queuedAt'> & {
    readonly toolStarted: boolean;
    /** The restore is cancelled, and its sessions on the target may not have ended yet. */
    readonly targetLocked: boolean;
    readonly differences: RestoreResult['differences'] | null;
  };

/** A restore belongs to the service that it changes. */
export const scopeOfRestoreJob = storedScope('targetServiceId', 'row.target_service_id');

export const RestoreJobTable = new EntitySchema<RestoreJobRow>({
  name: 'restore_jobs',
  columns: {
    ...attemptedJobColumns,
    backupJobId: { name: 'backup_job_id', type: 'uuid' },
    targetServiceId: { name: 'target_service_id', type: 'uuid' },
    mode: { type: 'text' },
    toolStarted: { name: 'tool_started', type: 'boolean' },
    targetLocked: { name: 'target_locked', type: 'boolean' },
    differences: { type: 'jsonb', nullable: true },
  },
});

export const restoreJobLookup = lookupByScope('restore job', RestoreJobTable, scopeOfRestoreJob);

export const restoreJobProjection = attemptedJobProjection<RestoreJobRow, RestoreJobEvent>({
  name: 'Restore',
  table: RestoreJobTable,
  created(event, key) {
    if (event.type !== 'RestoreQueued') return undefined;
    const { request } = event.data;
    return { ...request, ...queuedColumns(key, request.queuedAt), toolStarted: false, targetLocked: false };
  },
  changed(row, event) {
    switch (event.type) {
      case 'RestoreToolStarted':
        return { toolStarted: true };
      case 'RestoreSucceeded':
        return event.data.result;
      case 'RestoreFailed':
        return { differences: event.data.differences ?? null };
      case 'RestoreCancelled': {
        const { targetTouched, databases = [], targetLocked = false } = event.data;
        return { targetLocked, warnings: targetTouched ? [leftOnTarget(databases)] : [] };
      }
      case 'RestoreTargetFreed': {
        const warnings = event.data.sessionsEnded ? row.warnings : [...row.warnings, silentTarget];
        return { targetLocked: false, warnings };
      }
      case 'RestoreQueued':
      case 'RestoreAttemptStarted':
      case 'RestorePhaseEntered':
      case 'RestoreAttemptEnded':
      case 'RestoreCancelRequested':
        return {};
    }
  },
});
