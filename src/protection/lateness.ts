import type { Decider } from '../eventSourcing/decider.js';

/**
 * Whether a service is LATE: its newest stored backup is older than its objective. Each service has a separate stream
 * for this, so that the version of the service changes only by commands of clients.
 */
export type Lateness =
  { readonly late: false } | { readonly late: true; readonly serviceId: string; readonly dataAsOf: string };

/** Why a service is no longer LATE although it has no newer backup. */
export type EndOfLateness = 'PLAN_PAUSED' | 'NO_PLAN' | 'NO_BACKUP' | 'OBJECTIVE_CHANGED' | 'SERVICE_REMOVED';

export type LatenessCommand = {
  readonly kind: 'RECORD';
  readonly service: { readonly id: string; readonly name: string };
  readonly status: 'PROTECTED' | 'LATE' | 'FAILING' | 'NEVER' | 'NO_PLAN' | 'PAUSED' | 'REMOVED';
  /** The start of the newest stored backup. */
  readonly dataAsOf: string | null;
  readonly dueBy: string | null;
  readonly at: string;
};

export type LatenessEvent =
  | {
      readonly type: 'ServiceBecameLate';
      readonly data: {
        readonly serviceId: string;
        readonly serviceName: string;
        readonly dataAsOf: string;
        readonly dueBy: string;
        readonly at: string;
      };
    }
  | {
      /** The lateness ended with a newer backup. */
      readonly type: 'ServiceRecovered';
      readonly data: {
        readonly serviceId: string;
        readonly serviceName: string;
        readonly dataAsOf: string;
        readonly at: string;
      };
    }
  | {
      /** The lateness ended without a newer backup. */
      readonly type: 'ServiceLatenessEnded';
      readonly data: {
        readonly serviceId: string;
        readonly serviceName: string;
        readonly reason: EndOfLateness;
        readonly at: string;
      };
    };

export const lateness: Decider<Lateness, LatenessCommand, LatenessEvent> = {
  streamType: 'Protection',
  initial: { late: false },

  decide({ service, status, dataAsOf, dueBy, at }, state) {
    const of = { serviceId: service.id, serviceName: service.name };
    if (!state.late) {
      if (status !== 'LATE' || dataAsOf === null || dueBy === null) return [];
      return [{ type: 'ServiceBecameLate', data: { ...of, dataAsOf, dueBy, at } }];
    }
    switch (status) {
      case 'LATE':
        return [];
      case 'PROTECTED':
      case 'FAILING':
        if (dataAsOf !== null && dataAsOf > state.dataAsOf) {
          return [{ type: 'ServiceRecovered', data: { ...of, dataAsOf, at } }];
        }
        return [{ type: 'ServiceLatenessEnded', data: { ...of, reason: 'OBJECTIVE_CHANGED', at } }];
      case 'NEVER':
      case 'NO_PLAN':
      case 'PAUSED':
      case 'REMOVED':
        return [{ type: 'ServiceLatenessEnded', data: { ...of, reason: reasons[status], at } }];
    }
  },

  evolve(_state, event) {
    if (event.type !== 'ServiceBecameLate') return { late: false };
    const { serviceId, dataAsOf } = event.data;
    return { late: true, serviceId, dataAsOf };
  },
};

const reasons = {
  NEVER: 'NO_BACKUP',
  NO_PLAN: 'NO_PLAN',
  PAUSED: 'PLAN_PAUSED',
  REMOVED: 'SERVICE_REMOVED',
} as const;
