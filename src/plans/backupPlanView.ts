import { EntitySchema } from 'typeorm';
import type { StreamEvent } from '../eventSourcing/event.js';
import type { Projection } from '../eventSourcing/projection.js';
import { backupPlan, type BackupPlanEvent, type PlanContent } from './backupPlan.js';

export type BackupPlanRow = PlanContent & {
  readonly id: string;
  readonly projectId: string;
  readonly serviceId: string;
  readonly paused: boolean;
  readonly scheduleVersion: number;
  readonly scheduledSince: Date;
  /** By destination: ticks up to here are none of its, or are recorded as missed. */
  readonly accountedUntil: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly removedAt: Date | null;
  readonly version: number;
};

export const BackupPlanTable = new EntitySchema<BackupPlanRow>({
  name: 'backup_plans',
  columns: {
    id: { type: 'uuid', primary: true },
    projectId: { name: 'project_id', type: 'uuid' },
    serviceId: { name: 'service_id', type: 'uuid' },
    name: { type: 'text' },
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
    paused: { type: 'boolean' },
    scheduleVersion: { name: 'schedule_version', type: 'int' },
    scheduledSince: { name: 'scheduled_since', type: 'timestamptz' },
    accountedUntil: { name: 'accounted_until', type: 'jsonb' },
    createdAt: { name: 'created_at', type: 'timestamptz' },
    removedAt: { name: 'removed_at', type: 'timestamptz', nullable: true },
    version: { type: 'int' },
  },
});

export const backupPlanProjection: Projection = {
  name: 'backup_plans',
  tables: ['backup_plans'],
  streamTypes: ['BackupPlan'],
  async apply(event, manager) {
    const planEvent = event as StreamEvent<BackupPlanEvent>;
    const { streamId: id, projectId, version, type, data } = planEvent;
    if (type === 'BackupPlanCreated') {
      const { serviceId, content, paused, at } = data;
      await manager.insert(BackupPlanTable, {
        id,
        projectId,
        serviceId,
        yieldToLocks: true,
        ...content,
        paused,
        scheduleVersion: 1,
        scheduledSince: new Date(at),
        accountedUntil: {},
        createdAt: new Date(at),
        removedAt: null,
        version,
      });
      return;
    }
    const row = await manager.findOneByOrFail(BackupPlanTable, { id });
    await manager.update(BackupPlanTable, { id }, { ...changed(row, planEvent), version });
  },
};

/** The columns that an event changes: the decider says what it makes of the state, the row holds the same. */
function changed(row: BackupPlanRow, event: BackupPlanEvent): Partial<BackupPlanRow> {
  const { name, fileEndpointIds, typed, normalized, timeZone, retention } = row;
  const { maxAttempts, catchUpWindowMs, timeoutMs, stallTimeoutMs, yieldToLocks } = row;
  const before = {
    status: row.removedAt !== null ? 'REMOVED' : row.paused ? 'PAUSED' : 'ACTIVE',
    serviceId: row.serviceId,
    content: {
      name,
      fileEndpointIds,
      typed,
      normalized,
      timeZone,
      retention,
      maxAttempts,
      catchUpWindowMs,
      timeoutMs,
      stallTimeoutMs,
      yieldToLocks,
    },
    scheduleVersion: row.scheduleVersion,
    scheduledSince: row.scheduledSince.toISOString(),
    accountedUntil: row.accountedUntil,
  } as const;
  const after = backupPlan.evolve(before, event);
  if (after.status === 'NONE') return {};
  return {
    ...after.content,
    paused: after.status === 'PAUSED',
    scheduleVersion: after.scheduleVersion,
    scheduledSince: new Date(after.scheduledSince),
    accountedUntil: after.accountedUntil,
    removedAt: event.type === 'BackupPlanRemoved' ? new Date(event.data.at) : row.removedAt,
  };
}
