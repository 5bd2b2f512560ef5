import { EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';
import { lookupByScope } from '../server/lookup.js';
import { storedScope } from '../server/scope.js';
import { entityColumns, type EntityRow } from '../entities/entityRow.js';
import type { StreamEvent } from '../eventSourcing/event.js';
import type { Projection } from '../eventSourcing/projection.js';
import { backupPlan, type BackupPlan, type BackupPlanEvent, type PlanContent } from './backupPlan.js';

export type BackupPlanRow = PlanContent &
  EntityRow & {
    readonly serviceId: string;
    readonly paused: boolean;
    readonly scheduleVersion: number;
    readonly scheduledSince: Date;
    /** The same object as in the state of the plan. */
    readonly accountedUntil: Readonly<Record<string, string>>;
  };

const contentColumns: Readonly<Record<keyof PlanContent, EntitySchemaColumnOptions>> = {
  name: { type: 'text' },
  description: { type: 'text', nullable: true },
  fileEndpointIds: { name: 'file_endpoint_ids', type: 'jsonb' },
  typed: { type: 'text' },
  normalized: { type: 'text' },
  timeZone: { name: 'time_zone', type: 'text' },
  retention: { type: 'jsonb' },
  maxAttempts: { name: 'max_attempts', type: 'int' },
  catchUpWindowMs: { name: 'catch_up_window_ms', type: 'double precision', nullable: true },
  timeoutMs: { name: 'timeout_ms', type: 'double precision', nullable: true },
  stallTimeoutMs: { name: 'stall_timeout_ms', type: 'double precision' },
  yieldToLocks: { name: 'yield_to_locks', type: 'boolean' },
  driftThreshold: { name: 'drift_threshold', type: 'jsonb', nullable: true },
  includeUsers: { name: 'include_users', type: 'text' },
  compression: { type: 'text' },
};

export const scopeOfPlan = storedScope('serviceId', 'row.service_id');

export const BackupPlanTable = new EntitySchema<BackupPlanRow>({
  name: 'backup_plans',
  columns: {
    ...entityColumns,
    serviceId: { name: 'service_id', type: 'uuid' },
    ...contentColumns,
    paused: { type: 'boolean' },
    scheduleVersion: { name: 'schedule_version', type: 'int' },
    scheduledSince: { name: 'scheduled_since', type: 'timestamptz' },
    accountedUntil: { name: 'accounted_until', type: 'jsonb' },
  },
});

export const planLookup = lookupByScope('backup plan', BackupPlanTable, scopeOfPlan);

export const backupPlanProjection: Projection = {
  name: 'backup_plans',
  tables: ['backup_plans'],
  streamTypes: ['BackupPlan'],
  async apply(event, manager) {
    const planEvent = event as StreamEvent<BackupPlanEvent>;
    const { streamId: id, projectId, version, type, data } = planEvent;
    if (type === 'BackupPlanCreated') {
      const state = backupPlan.evolve(backupPlan.initial, planEvent);
      const ids = { id, projectId, serviceId: data.serviceId };
      await manager.insert(BackupPlanTable, {
        ...ids,
        ...columnsOf(state),
        createdAt: new Date(data.at),
        removedAt: null,
        version,
      });
      return;
    }
    const row = await manager.findOneByOrFail(BackupPlanTable, { id });
    const columns = columnsOf(backupPlan.evolve(stateOf(row), planEvent));
    const removedAt = type === 'BackupPlanRemoved' ? new Date(data.at) : row.removedAt;
    await manager.update(BackupPlanTable, { id }, { ...columns, removedAt, version });
  },
};

/** The row holds the whole state of the plan, so that the decider's `evolve` also computes the columns. */
function stateOf(row: BackupPlanRow): BackupPlan {
  const content = Object.fromEntries(Object.entries(row).filter(([name]) => name in contentColumns));
  return {
    status: row.removedAt !== null ? 'REMOVED' : row.paused ? 'PAUSED' : 'ACTIVE',
    serviceId: row.serviceId,
    content: content as PlanContent,
    scheduleVersion: row.scheduleVersion,
    scheduledSince: row.scheduledSince.toISOString(),
    accountedUntil: row.accountedUntil,
  };
}

function columnsOf(state: BackupPlan) {
  if (state.status === 'NONE') throw new Error('An event of a plan came before its creation.');
  const { status, content, scheduleVersion, scheduledSince, accountedUntil } = state;
  return {
    ...content,
    paused: status === 'PAUSED',
    scheduleVersion,
    scheduledSince: new Date(scheduledSince),
    accountedUntil,
  };
}
