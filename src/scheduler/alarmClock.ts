/**
 * Persists alarms and calls a handler at their time, across restarts and replicas. It is not the source of truth: any
 * alarm may be lost, and is then set again from PostgreSQL. Handlers must ignore an alarm that fires twice or too late.
 * The alarm clock never sees a cron expression.
 */
export interface AlarmClock {
  /**
   * Starts to call the handlers, normally once for each alarm. Handlers must return quickly, so they only notify others
   * and do no work.
   */
  start(handlers: AlarmHandlers): Promise<void>;
  /**
   * Sets an alarm. It replaces an alarm with the same key and another time. It changes nothing if key and time are the
   * same.
   */
  set(alarm: Alarm): Promise<void>;
  /** Sets many alarms at once, for example after all were lost. */
  setAll(alarms: readonly Alarm[]): Promise<void>;
  /** Removes an alarm. Unknown keys are ignored. */
  cancel(key: string): Promise<void>;
  /** Removes many alarms at once. */
  cancelAll(keys: readonly string[]): Promise<void>;
  /** Every alarm that is set and not handled, for the reconciler. */
  list(): Promise<readonly Alarm[]>;
  /** The number of alarms of this kind in `list`. */
  count(kind: Alarm['kind']): Promise<number>;
  /** Throws UNAVAILABLE if the store does not answer within 5 s. */
  ping(): Promise<void>;
  /** Stops calling handlers, and waits for those that run. */
  stop(): Promise<void>;
}

export type Alarm = PlanTick | JobDue;
/** `version` is the version of the plan's schedule, so that a tick of an old schedule is ignored. */
export type PlanTick = {
  readonly kind: 'PLAN_TICK';
  readonly planId: string;
  readonly version: number;
  readonly at: Date;
};
export type JobDue = { readonly kind: 'JOB_DUE'; readonly jobId: string; readonly at: Date };

export type AlarmHandlers = {
  readonly planTick: (tick: { planId: string; version: number; scheduledFor: Date }) => Promise<void>;
  readonly jobDue: (due: { jobId: string }) => Promise<void>;
};

/** The key of an alarm: one for each plan and version, and one for each job. */
export function alarmKey(alarm: Omit<PlanTick, 'at'> | Omit<JobDue, 'at'>): string {
  return alarm.kind === 'PLAN_TICK' ? `plan:${alarm.planId}:${alarm.version}` : `job:${alarm.jobId}`;
}
