import { notFound, StowageError } from '../errors.js';
import { changedFields } from '../eventSourcing/changedFields.js';
import type { Decider } from '../eventSourcing/decider.js';
import type { RetentionPolicy } from './retention/retentionPolicy.js';

/** What is backed up, when, where to, and how long it is kept. */
export type PlanContent = {
  readonly name: string;
  /** One destination for each, in this order. */
  readonly fileEndpointIds: readonly string[];
  /** As the owner wrote it. */
  readonly typed: string;
  /** What it means: six fields, nothing left open. */
  readonly normalized: string;
  /** IANA name. */
  readonly timeZone: string;
  readonly retention: RetentionPolicy;
  readonly maxAttempts: number;
  /** Null: half the plan's interval, at least an hour. */
  readonly catchUpWindowMs: number | null;
  /** Null: no limit. */
  readonly timeoutMs: number | null;
  readonly stallTimeoutMs: number;
  /** Whether a backup gives way when somebody else waits too long for a lock of it. */
  readonly yieldToLocks: boolean;
};

/** As it is recorded: plans of older versions say nothing of locks, and give way. */
type RecordedContent = Omit<PlanContent, 'yieldToLocks'> & Partial<Pick<PlanContent, 'yieldToLocks'>>;

export type BackupPlan =
  | { readonly status: 'NONE' }
  | {
      readonly status: 'ACTIVE' | 'PAUSED' | 'REMOVED';
      readonly serviceId: string;
      readonly content: PlanContent;
      /** Rises whenever the ticks change; an alarm that carries another one is stale. */
      readonly scheduleVersion: number;
      /** Ticks up to this instant are not this schedule's. */
      readonly scheduledSince: string;
      /** By destination: ticks up to here were before it was added, or are recorded as missed. */
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

/** Ticks of one destination that nothing was done for. */
export type MissedTicks = {
  readonly fileEndpointId: string;
  /** Exact below 100,000, which means "at least". */
  readonly count: number;
  /** The first and the last of them. */
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
        readonly content: RecordedContent;
        readonly paused: boolean;
        readonly at: string;
      };
    }
  | {
      readonly type: 'BackupPlanUpdated';
      readonly data: {
        readonly changes: Partial<PlanContent>;
        /** Whether the ticks change with it. */
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
        // A change of destinations is none of the ticks: one that is due just now still runs for those that stay.
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
      const { serviceId, paused, at } = event.data;
      const content = { yieldToLocks: true, ...event.data.content };
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
