import type { ProtectionStatus } from '../services/serviceInput.js';

/** What one plan says about how often there should be a backup. */
export type PlannedProtection = {
  readonly paused: boolean;
  /** The longest time between two of its runs; undefined: it has not two runs. */
  readonly longestGapMs: number | undefined;
  /** The median execution time of its last successes; undefined: there is none. */
  readonly usualDurationMs: number | undefined;
  /** For each destination, how many jobs have FAILED since its last success. */
  readonly consecutiveFailures: readonly number[];
};

export type ProtectionFacts = {
  readonly now: Date;
  /** The service's own recovery point objective. */
  readonly objectiveMs: number | null;
  /** Those that were not removed. */
  readonly plans: readonly PlannedProtection[];
  /** When the newest stored backup was begun. */
  readonly dataAsOf: Date | null;
};

export type Protection = {
  readonly status: ProtectionStatus;
  readonly dataAsOf: Date | null;
  /** When a newer backup must be there; null where nothing says so. */
  readonly dueBy: Date | null;
  readonly consecutiveFailures: number;
};

/**
 * How well a service, or what one plan does for it, is protected. The first that fits:
 * NO_PLAN no plan, PAUSED every plan is paused, NEVER no stored backup, LATE the newest is older than the objective (the
 * service's, else the shortest of its plans': longest gap plus usual duration), FAILING the last job of a destination
 * failed and the objective is not broken yet, else PROTECTED. Paused plans count for neither objective nor failures.
 */
export function protectionOf({ now, objectiveMs, plans, dataAsOf }: ProtectionFacts): Protection {
  const active = plans.filter(({ paused }) => !paused);
  const consecutiveFailures = Math.max(0, ...active.flatMap((plan) => plan.consecutiveFailures));
  const allowedMs = objectiveMs ?? shortestObjectiveMs(active);
  const dueBy = dataAsOf === null || allowedMs === undefined ? null : new Date(dataAsOf.getTime() + allowedMs);
  const told = { dataAsOf, dueBy, consecutiveFailures };
  if (plans.length === 0) return { status: 'NO_PLAN', ...told };
  if (active.length === 0) return { status: 'PAUSED', ...told };
  if (dataAsOf === null) return { status: 'NEVER', ...told };
  if (dueBy !== null && dueBy < now) return { status: 'LATE', ...told };
  return { status: consecutiveFailures > 0 ? 'FAILING' : 'PROTECTED', ...told };
}

function shortestObjectiveMs(plans: readonly PlannedProtection[]): number | undefined {
  const objectives = plans.flatMap(({ longestGapMs, usualDurationMs }) =>
    longestGapMs === undefined ? [] : [longestGapMs + (usualDurationMs ?? 0)],
  );
  return objectives.length === 0 ? undefined : Math.min(...objectives);
}
