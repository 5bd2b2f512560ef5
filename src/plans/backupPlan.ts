import type { Compression } from '../engines/compression.js';
import type { IncludedUsers } from '../engines/runningDump.js';
import { notFound, StowageError } from '../errors.js';
import { changedFields } from '../eventSourcing/changedFields.js';
import type { Decider } from '../eventSourcing/decider.js';
import type { DriftThreshold } from './driftThreshold.js';
import type { RetentionPolicy } from './retention/retentionPolicy.js';

/** Defines what is backed up, when and where, and how long it is kept. */
export type PlanContent = {
  readonly name: string;
  /** The reason why the plan exists, in the words of its owner. */
  readonly description: string | null;
  /** Each file endpoint is a destination. A run backs up to them in this order. */
  readonly fileEndpointIds: readonly string[];
  /** The frequency as its owner wrote it. */
  readonly typed: string;
  /** The meaning of `typed`: six cron fields without an open one. */
  readonly normalized: string;
  /** An IANA name. */
  readonly timeZone: string;
  readonly retention: RetentionPolicy;
  readonly maxAttempts: number;
  /** Null: half the plan's interval, at least an hour. */
  readonly catchUpWindowMs: number | null;
  /** Null: no limit. */
  readonly timeoutMs: number | null;
  readonly stallTimeoutMs: number;
  /** Whether a backup ends with SERVICE_BUSY when another session waits too long for one of its locks. */
  readonly yieldToLocks: boolean;
  /** Null: a backup succeeds however many rows are gone since the previous one. */
  readonly driftThreshold: DriftThreshold | null;
  /** Which users, roles and grants of the server a backup contains. */
  readonly includeUsers: IncludedUsers;
  /** Whether the compressor saves processor time or bytes. */
  readonly compression: Compression;
};

export type BackupPlan =
  | { readonly status: 'NONE' }
  | {
      readonly status: 'ACTIVE' | 'PAUSED' | 'REMOVED';
      readonly serviceId: string;
      readonly content: PlanContent;
      /** Increases when the ticks change. An alarm with another number is stale. */
      readonly scheduleVersion: number;
      /** The schedule began after this instant, so earlier ticks do not belong to it. */
      readonly scheduledSince: string;
      /**
       * An instant for each file endpoint. Ticks up to it are older than the destination, or are recorded as missed.
       */
      readonly accountedUntil: Readonly<Record<string, string>>;
    };

export type BackupPlanCommand =
  | {
      readonly kind: 'CREATE';
      readonly serviceId: string;
      readonly content: PlanContent;
      readonly paused: boolean;
      readonly at: string;
    }
  | { readonly kind: 'UPDATE'; readonly content: PlanContent; readonly paused: boolean; readonly at: string }
  | { readonly kind: 'PAUSE'; readonly at: string }
  | { readonly kind: 'RESUME'; readonly at: string }
  | { readonly kind: 'REMOVE'; readonly at: string }
  | { readonly kind: 'RECORD_MISSED'; readonly missed: MissedTicks };

/** Ticks of one destination that queued no job. */
export type MissedTicks = {
  readonly fileEndpointId: string;
  /** Exact below 100,000. The value 100,000 means "at least". */
  readonly count: number;
  /** The first and the last missed tick. */
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly at: string;
};

export type BackupPlanEvent =
  | {
      readonly type: 'BackupPlanCreated';
      readonly data: {
        readonly serviceId: string;
        readonly content: PlanContent;
        readonly paused: boolean;
        readonly at: string;
      };
    }
  | {
      readonly type: 'BackupPlanUpdated';
      readonly data: {
        readonly changes: Partial<PlanContent>;
        /** Whether the change moves the ticks. */
        readonly reschedules: boolean;
        readonly at: string;
      };
    }
  | { readonly type: 'BackupPlanPaused'; readonly data: { readonly at: string } }
  | { readonly type: 'BackupPlanResumed'; readonly data: { readonly at: string } }
  | { readonly type: 'BackupPlanRemoved'; readonly data: { readonly at: string } }
  | { readonly type: 'TicksMissed'; readonly data: MissedTicks };

export const backupPlan: Decider<BackupPlan, BackupPlanCommand, BackupPlanEvent> = {
  streamType: 'BackupPlan',
  initial: { status: 'NONE' },
  schemaVersions: { BackupPlanCreated: 5, BackupPlanUpdated: 5 },
  upcasters: {
    // `yieldToLocks` was added during version 1, `description` with version 2.
    'BackupPlanCreated@1': (data) => ({
      ...data,
      content: { yieldToLocks: true, description: null, ...(data['content'] as object) },
    }),
    // `driftThreshold` was added with version 3.
    'BackupPlanCreated@2': (data) => ({
      ...data,
      content: { driftThreshold: null, ...(data['content'] as object) },
    }),
    // `includeUsers` was added with version 4. Older plans continue without accounts.
    'BackupPlanCreated@3': (data) => ({
      ...data,
      content: { includeUsers: 'NONE', ...(data['content'] as object) },
    }),
    // `compression` was added with version 5. Older plans were compressed in this way.
    'BackupPlanCreated@4': (data) => ({
      ...data,
      content: { compression: 'BALANCED', ...(data['content'] as object) },
    }),
    // An update holds only changed fields, so an older update does not change a field that was added later.
    'BackupPlanUpdated@1': (data) => data,
    'BackupPlanUpdated@2': (data) => data,
    'BackupPlanUpdated@3': (data) => data,
    'BackupPlanUpdated@4': (data) => data,
  },

  decide(command, state) {
    if (command.kind === 'CREATE') {
      if (state.status !== 'NONE') throw new StowageError('CONFLICT', 'The backup plan exists already.');
      const { serviceId, content, paused, at } = command;
      return [{ type: 'BackupPlanCreated', data: { serviceId, content, paused, at } }];
    }
    if (state.status === 'NONE') throw notFound('backup plan');
    if (state.status === 'REMOVED') {
      if (command.kind === 'REMOVE' || command.kind === 'RECORD_MISSED') return [];
      throw new StowageError('CONFLICT', `Backup plan "${state.content.name}" was removed.`, {
        help: 'Create it again.',
      });
    }
    switch (command.kind) {
      case 'UPDATE': {
        const changes = changedFields(state.content, command.content);
        // A change of destinations keeps the schedule, so a tick that is due now still runs for the destinations that
        // stay.
        const reschedules = changes.normalized !== undefined || changes.timeZone !== undefined;
        const updated: BackupPlanEvent[] =
          Object.keys(changes).length === 0
            ? []
            : [{ type: 'BackupPlanUpdated', data: { changes, reschedules, at: command.at } }];
        if (command.paused === (state.status === 'PAUSED')) return updated;
        return [
          ...updated,
          { type: command.paused ? 'BackupPlanPaused' : 'BackupPlanResumed', data: { at: command.at } },
        ];
      }
      case 'PAUSE':
        return state.status === 'PAUSED' ? [] : [{ type: 'BackupPlanPaused', data: { at: command.at } }];
      case 'RESUME':
        return state.status === 'ACTIVE' ? [] : [{ type: 'BackupPlanResumed', data: { at: command.at } }];
      case 'REMOVE':
        return [{ type: 'BackupPlanRemoved', data: { at: command.at } }];
      case 'RECORD_MISSED': {
        const known = state.accountedUntil[command.missed.fileEndpointId];
        return known !== undefined && known >= command.missed.to ? [] : [{ type: 'TicksMissed', data: command.missed }];
      }
    }
  },

  evolve(state, event) {
    if (event.type === 'BackupPlanCreated') {
      const { serviceId, content, paused, at } = event.data;
      const status = paused ? 'PAUSED' : 'ACTIVE';
      return { status, serviceId, content, scheduleVersion: 1, scheduledSince: at, accountedUntil: {} };
    }
    if (state.status === 'NONE') return state;
    const { fileEndpointIds } = state.content;
    const untilAdded = (after: readonly string[] = [], at: string) =>
      Object.fromEntries(after.filter((id) => !fileEndpointIds.includes(id)).map((id) => [id, at]));
    const rescheduled = (at: string) => ({ scheduleVersion: state.scheduleVersion + 1, scheduledSince: at });
    switch (event.type) {
      case 'BackupPlanUpdated': {
        const { changes, reschedules, at } = event.data;
        return {
          ...state,
          content: { ...state.content, ...changes },
          accountedUntil: { ...state.accountedUntil, ...untilAdded(changes.fileEndpointIds, at) },
          ...(reschedules ? rescheduled(at) : {}),
        };
      }
      case 'BackupPlanPaused':
        return { ...state, ...rescheduled(event.data.at), status: 'PAUSED' };
      case 'BackupPlanResumed':
        return { ...state, ...rescheduled(event.data.at), status: 'ACTIVE' };
      case 'BackupPlanRemoved':
        return { ...state, ...rescheduled(event.data.at), status: 'REMOVED' };
      case 'TicksMissed':
        return {
          ...state,
          accountedUntil: { ...state.accountedUntil, [event.data.fileEndpointId]: event.data.to },
        };
    }
  },
};
