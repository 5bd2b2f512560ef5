import type { ProtectionStatus } from '../services/serviceInput.js';

/** The facts about one plan that the protection of its service depends on. */
export type PlannedProtection = {
  readonly paused: boolean;
  /** The longest time between two of its runs. Undefined: it has fewer than two runs. */
  readonly longestGapMs: number | undefined;
  /** The median execution time of its last successes. Undefined: there is no success. */
  readonly usualDurationMs: number | undefined;
  /** For each destination, the number of jobs that FAILED since its last success. */
  readonly consecutiveFailures: readonly number[];
};

export type ProtectionFacts = {
  readonly now: Date;
  /** The service's own recovery point objective. */
  readonly objectiveMs: number | null;
  /** The plans that are not removed. */
  readonly plans: readonly PlannedProtection[];
  /** The start of the newest stored backup. */
  readonly dataAsOf: Date | null;
};

export type Protection = {
  readonly status: ProtectionStatus;
  readonly dataAsOf: Date | null;
  /** The service is LATE after this instant, unless there is a newer backup. Null: the service has no objective. */
  readonly dueBy: Date | null;
  readonly consecutiveFailures: number;
};

/**
 * How well a service is protected by all its plans, or by one of them. The status is the first that applies:
 * - NO_PLAN: it has no plan.
 * - PAUSED: every plan is paused.
 * - NEVER: it has no stored backup.
 * - LATE: the newest backup is older than the objective.
 * - FAILING: the last job of a destination FAILED.
 * - PROTECTED: none of these.
 *
 * The objective is that of the service, or otherwise the shortest of its plans: longest gap plus usual duration. Paused
 * plans are ignored for objective and failures.
 */
export function protectionOf({ now, objectiveMs, plans, dataAsOf }: ProtectionFacts): Protection {
  const active = plans.filter(({ paused }) => !paused);
  const consecutiveFailures = Math.max(0, ...active.flatMap((plan) => plan.consecutiveFailures));
  const allowedMs = objectiveMs ?? shortestObjectiveMs(active);
  const dueBy = dataAsOf === null || allowedMs === undefined ? null : new Date(dataAsOf.getTime() + allowedMs);
  const facts = { dataAsOf, dueBy, consecutiveFailures };
  if (plans.length === 0) return { status: 'NO_PLAN', ...facts };
  if (active.length === 0) return { status: 'PAUSED', ...facts };
  if (dataAsOf === null) return { status: 'NEVER', ...facts };
  if (dueBy !== null && dueBy < now) return { status: 'LATE', ...facts };
  return { status: consecutiveFailures > 0 ? 'FAILING' : 'PROTECTED', ...facts };
}

function shortestObjectiveMs(plans: readonly PlannedProtection[]): number | undefined {
  const objectives = plans.flatMap(({ longestGapMs, usualDurationMs }) =>
    longestGapMs === undefined ? [] : [longestGapMs + (usualDurationMs ?? 0)],
  );
  return objectives.length === 0 ? undefined : Math.min(...objectives);
}
