import { notFound } from '../errors.js';
import type { Decider } from '../eventSourcing/decider.js';
import type { AttemptRecord, AttemptStart } from '../jobs/attempt.js';
import {
  isJobCommand,
  jobLife,
  lifeEvent,
  plainRules,
  type AttemptedJob,
  type JobCommand,
  type JobEvent,
  type KnownJob,
  type PlainShape,
} from '../jobs/attemptedJob.js';
import { dataWithErrorOfOld } from '../jobs/errorsOfOld.js';

/** One executed restore of a Backup Job's data into a Service. */
export type RestoreJob = AttemptedJob<RestoreShape>;

export type KnownRestoreJob = KnownJob<RestoreShape>;

export type RestoreShape = Pick<PlainShape, 'succeeded'> & {
  readonly name: 'Restore';
  readonly request: RestoreRequest;
  readonly start: AttemptStart;
  readonly attempt: AttemptRecord;
  readonly phase: RestorePhase;
  readonly result: RestoreResult;
  readonly running: {
    /** After this event no attempt is retried, because the server may still commit statements that it has received. */
    readonly toolStarted: boolean;
    /** The databases that the tool creates on the target. */
    readonly databases: readonly string[];
  };
  readonly cancelled: {
    /** Our sessions on the target may not have ended yet, so no other job may start there. */
    readonly targetLocked: boolean;
  };
  readonly failure: {
    /** The differences between target and backup, if the two were compared before the failure. */
    readonly differences?: RestoreResult['differences'];
  };
  readonly confirmation: {
    /** The target was asked to end our sessions and has not confirmed it yet. */
    readonly targetUnanswered?: boolean;
  };
  readonly cancellation: {
    /** Whether statements may have reached the target. */
    readonly targetTouched: boolean;
    /** The databases that may be partially left there. Absent: there are none, or the event is older. */
    readonly databases?: readonly string[];
    /** Our sessions there may not have ended yet, so the target stays locked until RestoreTargetFreed. */
    readonly targetLocked?: true;
  };
};

export type RestoreRequest = {
  readonly backupJobId: string;
  readonly targetServiceId: string;
  readonly engine: string;
  readonly mode: 'AS_NEW';
  readonly requestedBy: string;
  readonly queuedAt: string;
  readonly maxAttempts: number;
  readonly stallTimeoutMs: number;
};

export type RestorePhase = 'PREFLIGHT' | 'FETCHING' | 'RESTORING' | 'CHECKING';

export type RestoreResult = {
  readonly warnings: readonly string[];
  readonly differences: readonly {
    readonly path: string;
    readonly expected: string | null;
    readonly actual: string | null;
  }[];
};

export type RestoreJobCommand = JobCommand<RestoreShape> | OwnCommand;

type OwnCommand =
  | {
      readonly kind: 'START_TOOL';
      readonly attempt: number;
      readonly databases: readonly string[];
      readonly at: string;
    }
  | { readonly kind: 'FREE_TARGET'; readonly sessionsEnded: boolean; readonly at: string };

export type RestoreJobEvent = JobEvent<RestoreShape> | OwnEvent;

type OwnEvent =
  | {
      readonly type: 'RestoreToolStarted';
      readonly data: {
        readonly attempt: number;
        /** Absent in older events. */
        readonly databases?: readonly string[];
        readonly at: string;
      };
    }
  | {
      readonly type: 'RestoreTargetFreed';
      /** `sessionsEnded` is false if the target was given up because it did not answer for too long. */
      readonly data: { readonly sessionsEnded: boolean; readonly at: string };
    };

const life = jobLife<RestoreShape>({
  ...plainRules,
  name: 'Restore',
  noun: 'restore job',
  running: { toolStarted: false, databases: [] },
  cancelled: ({ targetLocked = false }) => ({ targetLocked }),
  mayRepeat: ({ toolStarted }) => !toolStarted,
  failure: ({ differences }) => (differences === undefined ? {} : { differences }),
  cancellation(running, { targetUnanswered }) {
    if (running?.toolStarted !== true) return { targetTouched: false };
    const { databases } = running;
    return { targetTouched: true, databases, ...(targetUnanswered === true ? { targetLocked: true } : {}) };
  },
});

export const restoreJob: Decider<RestoreJob, RestoreJobCommand, RestoreJobEvent> = {
  streamType: 'RestoreJob',
  initial: { status: 'NONE' },
  decide: (command, state) => (isJobCommand(command) ? life.decide(command, state) : decideOwn(command, state)),
  evolve(state, event) {
    const lifeOfJob = lifeEvent<RestoreShape>('Restore', event);
    return lifeOfJob === undefined ? evolveOwn(state, event as OwnEvent) : life.evolve(state, lifeOfJob);
  },
  // Version 2: errors contain no data of a customer.
  schemaVersions: { RestoreAttemptEnded: 2, RestoreFailed: 2 },
  upcasters: { 'RestoreAttemptEnded@1': dataWithErrorOfOld, 'RestoreFailed@1': dataWithErrorOfOld },
};

function decideOwn(command: OwnCommand, state: RestoreJob): readonly RestoreJobEvent[] {
  if (state.status === 'NONE') throw notFound('restore job');
  switch (command.kind) {
    case 'START_TOOL': {
      const { attempt, databases, at } = command;
      if (life.running(state, attempt).toolStarted) return [];
      return [{ type: 'RestoreToolStarted', data: { attempt, databases, at } }];
    }
    case 'FREE_TARGET': {
      if (state.status !== 'CANCELLED' || !state.targetLocked) return [];
      const { sessionsEnded, at } = command;
      return [{ type: 'RestoreTargetFreed', data: { sessionsEnded, at } }];
    }
  }
}

function evolveOwn(state: RestoreJob, event: OwnEvent): RestoreJob {
  switch (event.type) {
    case 'RestoreToolStarted':
      if (state.status !== 'RUNNING') return state;
      return { ...state, toolStarted: true, databases: event.data.databases ?? [] };
    case 'RestoreTargetFreed':
      return state.status === 'CANCELLED' ? { ...state, targetLocked: false } : state;
  }
}
