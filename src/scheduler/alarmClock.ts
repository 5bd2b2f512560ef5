/**
 * Persists what is due when and calls back at that time, across restarts and replicas. It owns no truth: anything in it
 * may be lost and is set again from PostgreSQL, and an alarm that comes twice or for something long past changes
 * nothing. It never sees a cron expression.
 */
export interface AlarmClock {
  /** Begins to call the handlers, each alarm once in the normal case. Handlers must be quick: they wake, they do not work. */
  start(handlers: AlarmHandlers): Promise<void>;
  /** Sets an alarm. One with the same key and time is there already: nothing changes; with another time: it is replaced. */
  set(alarm: Alarm): Promise<void>;
  /** Setting many at once, for arming from nothing. */
  setAll(alarms: readonly Alarm[]): Promise<void>;
  /** Forgets an alarm; unknown keys are fine. */
  cancel(key: string): Promise<void>;
  /** Forgetting many at once. */
  cancelAll(keys: readonly string[]): Promise<void>;
  /** Every alarm that is set and has not been handled, for the reconciler. */
  list(): Promise<readonly Alarm[]>;
  /** How many alarms of this kind `list` would give. */
  count(kind: Alarm['kind']): Promise<number>;
  /** Throws UNAVAILABLE when the store does not answer within 5 s. */
  ping(): Promise<void>;
  /** Calls no handler any more; waits for those that run. */
  stop(): Promise<void>;
}

export type Alarm = PlanTick | JobDue;
/** `version` is the version of the plan's schedule: a tick of an old one is recognised and ignored. */
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

/** One alarm a plan and version, one a job. */
export function alarmKey(alarm: Omit<PlanTick, 'at'> | Omit<JobDue, 'at'>): string {
  return alarm.kind === 'PLAN_TICK' ? `plan:${alarm.planId}:${alarm.version}` : `job:${alarm.jobId}`;
}
